import { expect, it } from 'vitest';
import type { CreateTaskerOptions } from '../../src/app/create-tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { DEMO, setup, states, template, until } from '../support/setup.ts';

const ok = (name: string) => defineHandler(name, {}, () => ({ by: name }));

/** A handler that only the resolver `plugins` finds. */
const plugin = (callable: string) => ({ callable, resolver: 'plugins' });

/** A list whose step for each element, and a step whose undo, name the resolver of their handler. */
const NAMED = template(
  {
    book: { undo: { handler: plugin('cancel') } },
    each: {
      type: 'for_each',
      dependencies: ['book'],
      handler: undefined,
      elements: 'context.list',
      steps: [{ name: 'label', handler: plugin('print') }],
    },
  },
  { lifecycle: { max_duration_minutes: 60, max_steps_in_process_minutes: 20, staleness_action: 'error' } },
);

/** A registry whose resolver `plugins` finds every handler. */
function withPlugins(): HandlerRegistry {
  const registry = new HandlerRegistry();
  registry.register(ok('book'));
  void registry.addResolver({
    name: 'plugins',
    priority: 20,
    canResolve: () => false,
    resolve: ({ callable }) => ok(callable),
  });
  return registry;
}

const lacking = (more: CreateTaskerOptions = {}) =>
  setup({ templates: NAMED, handlers: [ok('book')], worker: true, handlerMissingGraceMs: 300, ...more });

const NEW = { ...DEMO, context: { list: [1, 2] } };

it('steps of elements and of an undo wait for a worker with the resolver that they name', async () => {
  const { tasker, sql, another } = await lacking();
  const withheld = (count: number) =>
    until(
      () =>
        sql<{ n: number }>(
          `select count(*)::int n from tasker.queue q join tasker.step s using (task_uuid, idx)
            where -q.namespace_id % 1073741824 >= 536870912 and s.state = 'enqueued'`,
        ),
      ([row]) => row!.n === count,
    );
  const [first, second] = await tasker.createTasks([NEW, NEW]);
  await withheld(4);
  await tasker.undoTask(first!.taskUuid);
  await withheld(3);
  expect(await states(tasker, first!.taskUuid)).toMatchObject({ 'undo:book': 'enqueued' });
  await another({ handlers: withPlugins(), name: 'able' });
  expect((await tasker.waitForTask(first!.taskUuid, { timeoutMs: 20_000 })).status).toBe('undone');
  expect((await tasker.waitForTask(second!.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
});

it('a worker that announces the resolver serves steps of elements and of an undo', async () => {
  const { tasker, sql, another } = await lacking({ handlerMissingGraceMs: 60_000 });
  const reader = await another({ worker: false });
  const { taskUuid } = await tasker.createTask(NEW);
  await until(
    () => states(tasker, taskUuid),
    (seen) => seen['label[1]'] === 'in_progress',
  );
  await tasker.undoTask(taskUuid);
  const other = await tasker.createTask(NEW);
  await until(
    () => states(tasker, other.taskUuid),
    (seen) => seen['label[1]'] === 'in_progress',
  );
  await tasker.stop();
  const unserved = async () => (await reader.queues({ namespace: 'test' }))[0]!.unserved;
  await until(unserved, (found) => found.length === 2);
  expect((await unserved()).map(({ handler }) => handler).sort()).toEqual(['cancel', 'print']);
  await sql(
    `insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, lease_until)
     values ('able', 'h', 1, array['test'], array['~@plugins'], 3, now() + interval '1 minute')`,
  );
  expect(await unserved()).toEqual([]);
});
