import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { statusText } from '../../src/cli/project/status.ts';
import { unservedTable } from '../../src/cli/queue/queue.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import type { BaseResolver } from '../../src/registry/base-resolver.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import type { Sql } from '../support/database.ts';
import { age, checkForStale, firstCheck } from '../support/lifecycle.ts';
import { DEMO, endStates, invariants, setup, states, template, until } from '../support/setup.ts';

const ok = (name: string) => defineHandler(name, {}, () => ({ by: name }));
const GRACE = { handlerMissingGraceMs: 300 };

/** Returns the numbers of rows in the parts of the queue. */
async function parts(sql: Sql): Promise<{ ready: number; paused: number; withheld: number }> {
  const [row] = await sql<{ ready: number; paused: number; withheld: number }>(
    `select (count(*) filter (where namespace_id > 0))::int ready,
            (count(*) filter (where namespace_id < 0 and -namespace_id % 1073741824 < 536870912))::int paused,
            (count(*) filter (where namespace_id < 0 and -namespace_id % 1073741824 >= 536870912))::int withheld
       from tasker.queue`,
  );
  return row!;
}

const withheld = (sql: Sql, count: number) =>
  until(
    () => parts(sql),
    (found) => found.withheld === count,
  );

/** A worker that serves the namespace and lacks the handler `new`. */
async function lacking(more: Parameters<typeof setup>[0] = {}, steps: Parameters<typeof template>[0] = { new: [] }) {
  const { logger, lines } = collectingLogger();
  const made = await setup({
    templates: template(steps),
    handlers: [ok('old')],
    logger,
    name: 'lacking',
    worker: true,
    ...GRACE,
    ...more,
  });
  return { ...made, lines };
}

describe('a step whose handler no live worker has', () => {
  it('waits after the grace period, spends no attempt, and runs when a worker with the handler starts', async () => {
    const { tasker, sql, another, lines } = await lacking();
    const { taskUuid } = await tasker.createTask(DEMO);
    await withheld(sql, 1);
    expect(await tasker.getStep(taskUuid, 'new')).toMatchObject({ currentState: 'enqueued', attempts: 0 });
    expect((await tasker.getTask(taskUuid)).status).not.toBe('blocked_by_failures');
    await invariants(sql);
    expect(lines.filter(({ message }) => message === 'no worker has the handler; its steps wait')).toMatchObject([
      { level: 'warn', fields: { handler: 'new', namespace: 'test' } },
    ]);
    await another({ handlers: [ok('new')], name: 'able' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await tasker.getStep(taskUuid, 'new')).toMatchObject({ attempts: 1, worker: 'able' });
    await until(
      () => sql('select 1 from tasker.missing_handler'),
      (rows) => rows.length === 0,
    );
    await invariants(sql);
  });

  it('runs when its handler is registered in a worker that had missed it', async () => {
    const registry = new HandlerRegistry();
    registry.register(ok('old'));
    const { tasker, sql } = await lacking({ handlers: registry });
    const { taskUuid } = await tasker.createTask(DEMO);
    await withheld(sql, 1);
    registry.register(ok('new'));
    await tasker.refresh();
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  });

  it('waits if it is not retryable, because its handler never started', async () => {
    const { tasker, sql, another } = await lacking({}, { new: { retry: { retryable: false } } });
    const { taskUuid } = await tasker.createTask(DEMO);
    await withheld(sql, 1);
    await another({ handlers: [ok('new')], name: 'able' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect((await tasker.getStep(taskUuid, 'new')).attempts).toBe(1);
  });

  it('keeps its priority, and steps of the same priority keep their order', async () => {
    const { tasker, sql, another } = await lacking({ worker: false });
    const tasks: { taskUuid: string }[] = [];
    for (const priority of [0, 5, 0, 9, 5]) tasks.push(await tasker.createTask({ ...DEMO, priority }));
    const lacker = await another({ worker: true });
    await withheld(sql, 5);
    await lacker.stop();
    const started: string[] = [];
    const able = defineHandler('new', {}, ({ context }) => {
      started.push(context.taskUuid);
      return {};
    });
    await another({ handlers: [able], worker: true, concurrency: 1 });
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
    const order = [3, 1, 4, 0, 2].map((i) => tasks[i]!.taskUuid);
    expect(started).toEqual(order);
  });

  it('is moved with the whole backlog of its handler, and only a part of the backlog is claimed', async () => {
    const { tasker, sql, another } = await lacking(
      { concurrency: 50, handlerMissingGraceMs: 1_000 },
      { new: [], old: [] },
    );
    const tasks = await tasker.createTasks(Array.from({ length: 1_500 }, () => DEMO));
    await withheld(sql, 1_500);
    const [released] = await sql(`select count(*)::int n from tasker.history where outcome = 'released'`);
    expect(released!.n).toBeLessThan(400);
    await another({ handlers: [ok('new')], name: 'able' });
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
    expect(await parts(sql)).toEqual({ ready: 0, paused: 0, withheld: 0 });
    await invariants(sql);
  });
});

describe('a worker that only announces a resolver', () => {
  const resolving = (found: () => boolean) => {
    const asked: string[] = [];
    const resolver: BaseResolver = {
      name: 'tenants',
      priority: 20,
      pattern: /^new$/,
      canResolve: ({ callable }) => callable === 'new',
      resolve: ({ callable }) => {
        asked.push(callable);
        return found() ? ok('new') : null;
      },
    };
    const registry = new HandlerRegistry();
    void registry.addResolver(resolver);
    return { registry, asked };
  };

  const isWithheld = (sql: Sql, tried: number) =>
    until(
      () => sql<{ state: string; tried: number }>('select state, cardinality(tried) tried from tasker.missing_handler'),
      ([row]) => row?.state === 'withheld' && row.tried === tried,
    );

  it('is offered the step once for each of its starts', async () => {
    const { tasker, sql, another } = await lacking();
    const { taskUuid } = await tasker.createTask(DEMO);
    await withheld(sql, 1);
    const released = async () => (await tasker.getHistory(taskUuid)).map(({ who }) => who);
    for (const starts of [1, 2]) {
      const worker = await another({ handlers: resolving(() => false).registry, name: `resolver ${starts}` });
      await isWithheld(sql, starts);
      await withheld(sql, 1);
      expect((await released()).filter((who) => who === `resolver ${starts}`)).toHaveLength(1);
      // Housekeeping does not offer it again.
      await worker.engine.offerSteps();
      await tasker.engine.offerSteps();
      expect(await parts(sql)).toMatchObject({ ready: 0, withheld: 1 });
    }
    expect((await tasker.getStep(taskUuid, 'new')).attempts).toBe(0);
    const able = resolving(() => true);
    await another({ handlers: able.registry, name: 'able' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await tasker.getStep(taskUuid, 'new')).toMatchObject({ attempts: 1, worker: 'able' });
    await invariants(sql);
  });
});

describe('operators', () => {
  it('can cancel, resolve and complete a withheld step, and its row leaves the queue', async () => {
    const { tasker, sql, another } = await lacking({}, { new: [], old: ['new'] });
    const tasks = await tasker.createTasks([DEMO, DEMO, DEMO, DEMO]);
    await withheld(sql, 4);
    await tasker.cancelTask(tasks[0]!.taskUuid);
    await tasker.resolveStep(tasks[1]!.taskUuid, 'new', { reason: 'by hand' });
    await tasker.completeStep(tasks[2]!.taskUuid, 'new', { result: { by: 'hand' } });
    expect((await tasker.waitForTask(tasks[1]!.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect((await tasker.waitForTask(tasks[2]!.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    await tasker.engine.tidyMissing();
    expect(await parts(sql)).toMatchObject({ ready: 0, withheld: 1 });
    await invariants(sql);
    await another({ handlers: [ok('new')], name: 'able' });
    expect((await tasker.waitForTask(tasks[3]!.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect((await tasker.getTask(tasks[0]!.taskUuid)).status).toBe('cancelled');
  });

  it.each([
    ['namespace', () => ({ namespace: 'test' })],
    ['template', () => ({ template: 'test/demo' })],
    ['task', (taskUuid: string) => ({ task: taskUuid })],
  ])('a pause of the %s wins over a missing handler', async (_what, target) => {
    const { tasker, sql, another } = await lacking();
    const { taskUuid } = await tasker.createTask(DEMO);
    await withheld(sql, 1);
    expect(await tasker.pause(target(taskUuid))).toMatchObject({ changed: true, steps: 1 });
    expect(await parts(sql)).toEqual({ ready: 0, paused: 1, withheld: 0 });
    // Without the handler, the step is withheld again at once.
    await tasker.resume(target(taskUuid));
    expect(await parts(sql)).toEqual({ ready: 0, paused: 0, withheld: 1 });
    await tasker.pause(target(taskUuid));
    await another({ handlers: [ok('new')], name: 'able' });
    await until(
      () => sql('select 1 from tasker.missing_handler'),
      (rows) => rows.length === 0,
    );
    expect(await parts(sql)).toEqual({ ready: 0, paused: 1, withheld: 0 });
    await invariants(sql);
    await tasker.resume(target(taskUuid));
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  });

  it('a step that was held when its task was paused goes to the paused part', async () => {
    const { tasker, sql } = await lacking({ handlerMissingGraceMs: 1_500 });
    const { taskUuid } = await tasker.createTask(DEMO);
    await until(
      () => states(tasker, taskUuid),
      (found) => found.new === 'in_progress',
    );
    await tasker.pause({ task: taskUuid });
    await until(
      () => parts(sql),
      (found) => found.paused === 1,
    );
    expect(await parts(sql)).toEqual({ ready: 0, paused: 1, withheld: 0 });
    await tasker.resume({ task: taskUuid });
    expect(await parts(sql)).toEqual({ ready: 0, paused: 0, withheld: 1 });
    await invariants(sql);
  });
});

describe('the limits of a lifecycle', () => {
  const limited = (action: string) =>
    template(
      { new: [] },
      { lifecycle: { max_duration_minutes: 60, max_steps_in_process_minutes: 20, staleness_action: action } },
    );

  it.each(['error', 'dlq'])('continue to count, and name the missing handler as the reason (%s)', async (action) => {
    const { tasker, sql } = await lacking({ templates: limited(action), pollMs: 600_000 });
    await firstCheck(tasker);
    const { taskUuid } = await tasker.createTask(DEMO);
    await withheld(sql, 1);
    await age(sql, 30, taskUuid);
    const { ended, noted } = await checkForStale(tasker);
    expect([...ended, ...noted]).toMatchObject([
      {
        taskUuid,
        reason: expect.stringMatching(/for 30 minutes, .*; no live worker that takes steps has handler new$/),
      },
    ]);
    expect((await tasker.getTask(taskUuid)).status === 'error').toBe(action === 'error');
  });
});

describe('operators see the missing handler', () => {
  it('since when, and for how many steps', async () => {
    const { tasker, sql } = await lacking({}, { new: [], old: [] });
    const tasks = await tasker.createTasks([DEMO, DEMO, DEMO]);
    await withheld(sql, 3);
    const [row] = await sql<{ since: string }>('select tasker.iso(since) since from tasker.missing_handler');
    const { unservedHandlers, attention, unserved } = await tasker.status();
    expect(unservedHandlers).toEqual([{ namespace: 'test', handler: 'new', since: row!.since, steps: 3 }]);
    expect(attention.unserved).toBe(3);
    expect(unserved).toMatchObject([{ namespace: 'test', handler: 'new', reason: 'no_handler', steps: 3 }]);
    expect(await tasker.queues()).toMatchObject([{ ready: 3, unservedSteps: 3, paused: 0 }]);
    const { steps } = await tasker.why(tasks[0]!.taskUuid);
    expect(steps.find(({ step }) => step === 'new')!.why).toBe(
      `is ready; no running worker has handler new, since ${row!.since}; export it in a handler file of a worker, or correct the name in the template`,
    );
    await until(
      async () => (await tasker.summarizeTasks()).unserved,
      (found) => found.steps === 3 && found.groups[0]!.handlers.join() === 'new',
    );
    // The gauges of the whole database are read at most every five seconds.
    await until(
      () => tasker.metrics.text(),
      (text) =>
        /^tasker_unserved_handler_steps\{namespace="test",handler="new"\} 3$/m.test(text) &&
        /^tasker_unserved_handler_since_seconds\{namespace="test",handler="new"\} \d{10}/m.test(text),
    );
    const plain = (lines: string[]) => stripVTControlCharacters(lines.join('\n'));
    expect(plain([unservedTable(await tasker.queues())!])).toContain(
      `no live worker has the handler, since ${row!.since.slice(0, 19)}Z`,
    );
    expect(plain(statusText(await tasker.status()))).toMatch(/no worker has new, for .* npx tasker queue/);
    // A cancelled step no longer waits for it.
    await tasker.cancelTask(tasks[0]!.taskUuid);
    expect((await tasker.status()).unservedHandlers).toMatchObject([{ steps: 2 }]);
  });
});

describe('if a process dies', () => {
  /** Claims every ready step for a worker with these handlers, whose lease then expires. */
  async function lostWith(tasker: Tasker, sql: Sql, callables: string[]): Promise<void> {
    const about = { name: 'lost', host: 'h', pid: 1, namespaces: ['test'], callables, concurrency: 10 };
    const workerId = await tasker.engine.registerWorker({ ...about, leaseMs: 600_000, announcesAll: true });
    const namespaceIds = await tasker.engine.namespaceIds(['test']);
    const claim = { limit: 10, token: workerId * 2 ** 24 + 1, workerId, namespaceIds, excluded: [] };
    expect((await tasker.engine.claim(claim)).steps).toHaveLength(1);
    await sql(`update tasker.worker set lease_until = now() - interval '1 minute' where id = $1`, [workerId]);
  }

  it('a step that its worker could not start is not counted as started, even if it is not retryable', async () => {
    const { tasker, sql } = await lacking({ worker: false }, { new: { retry: { retryable: false } } });
    const { taskUuid } = await tasker.createTask(DEMO);
    await lostWith(tasker, sql, ['old']);
    await tasker.engine.sweep(0);
    expect(await tasker.getStep(taskUuid, 'new')).toMatchObject({ currentState: 'enqueued', attempts: 0 });
    await lostWith(tasker, sql, ['old', 'new']);
    await tasker.engine.sweep(0);
    expect(await tasker.getStep(taskUuid, 'new')).toMatchObject({
      currentState: 'error',
      results: { error: { error_type: 'worker_lost' } },
    });
    await invariants(sql);
  });

  it('any worker moves back the steps that a worker with the handler has not moved', async () => {
    const { tasker, sql, another } = await lacking({ worker: false });
    const tasks = await tasker.createTasks([DEMO, DEMO, DEMO]);
    const lacker = await another({ worker: true });
    await withheld(sql, 3);
    await lacker.stop();
    const about = { name: 'able', host: 'h', pid: 1, namespaces: ['test'], callables: ['new'], concurrency: 1 };
    await tasker.engine.registerWorker({ ...about, leaseMs: 600_000 });
    await tasker.engine.offerSteps();
    expect(await parts(sql)).toEqual({ ready: 3, paused: 0, withheld: 0 });
    // The next worker continues if the process died after the change of the state and before the move.
    await sql(`
      insert into tasker.missing_handler (namespace_id, callable, since, state)
      select id, 'new', now(), 'served' from tasker.namespace where name = 'test';
      with gone as (delete from tasker.queue returning *)
      insert into tasker.queue overriding system value
      select -namespace_id - 536870912, rank, id, task_uuid, idx, template_id from gone`);
    await another({ handlers: [], namespaces: ['nothing'], worker: true });
    await until(
      () => sql('select 1 from tasker.missing_handler'),
      (rows) => rows.length === 0,
    );
    expect(await parts(sql)).toEqual({ ready: 3, paused: 0, withheld: 0 });
    await sql(`update tasker.worker set state = 'stopped' where name = 'able'`);
    await another({ handlers: [ok('new')], name: 'really able', worker: true });
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
  });
});
