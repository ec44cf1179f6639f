import { describe, expect, it } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { untilTasksEnd } from '../../../src/handlers/later.ts';
import type { StepContext } from '../../../src/handlers/step-context.ts';
import type { StepHandlerResult } from '../../../src/handlers/step-handler.ts';
import { invariants, template, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();

const twice = defineHandler('twice', { inputs: { n: 'n' } }, ({ n }) => ({ n: Number(n) * 2 }));
const fails = defineHandler('fails', {}, () => {
  throw new Error('no money');
});
const slow = defineHandler(
  'slow',
  {},
  ({ context }) => new Promise((resolve) => context.signal.addEventListener('abort', () => resolve({}))),
);

/** The templates that can be children, by name. */
const CHILDREN = {
  double: [{ work: { handler: 'twice' } }, { output: { n: 'steps.work.n' } }],
  strict: [{ work: { handler: 'twice' } }, { input_schema: { type: 'object', required: ['n'] } }],
  broken: [{ work: { handler: 'fails', retry: { max_attempts: 1 } } }, { lifecycle: { on_blocked: 'error' } }],
  endless: [{ work: { handler: 'slow' } }, {}],
} as const;

type Fan = (context: StepContext) => object | Promise<object>;

/** Starts a tasker with a template whose only step, `fan`, runs this handler. */
async function bench(fan: Fan, { step = {}, task = {} }: { step?: object; task?: Record<string, unknown> } = {}) {
  const handler = defineHandler('fan', {}, ({ context }) => fan(context));
  const steps = { fan: { handler: 'fan', retry: { max_attempts: 3, backoff_base_ms: 1 }, ...step } };
  const made = await shared.setup(steps as never, { handlers: [handler, twice, fails, slow], task });
  const { namespace } = made.demo;
  await made.tasker.registerTemplates(
    Object.entries(CHILDREN).map(([name, [inner, more]]) => template(inner as never, { name, namespace, ...more })),
  );
  const { tasker } = made;
  const start = async (context: object = {}) =>
    (await tasker.createTask({ ...made.demo, context: { ...context } })).taskUuid;
  const ends = (id: string) => tasker.waitForTask(id, { timeoutMs: 20_000 });
  return { ...made, start, ends, fan: (id: string) => tasker.getStep(id, 'fan') };
}

const reaches = (tasker: Tasker, id: string, state: string) =>
  until(
    () => tasker.getStep(id, 'fan'),
    ({ currentState }) => currentState === state,
  );

const childrenOf = async (tasker: Tasker, id: string) =>
  (await tasker.getChildTasks(id)).children.map(({ taskUuid, key, step }) => ({ taskUuid, key, step })).reverse();

describe('startTask', () => {
  it('starts a child task with the values of its parent, which continues if the step completes without waiting', async () => {
    const { tasker, demo, ends, fan } = await bench(async (context) => context.startTask('endless', {}, { key: 'a' }));
    const { taskUuid } = await tasker.createTask({ ...demo, priority: 7, initiator: 'ada' });
    expect((await ends(taskUuid)).status).toBe('complete');
    const { taskUuid: child } = (await fan(taskUuid)).results!.result as { taskUuid: string };
    expect(await childrenOf(tasker, taskUuid)).toEqual([{ taskUuid: child, key: 'a', step: 'fan' }]);
    await until(
      () => shared.sql('select settled_at from tasker.child_task where child_uuid = $1', [child]),
      ([row]) => row!.settled_at !== null,
    );
    expect(await tasker.getTask(child)).toMatchObject({
      priority: 7,
      initiator: 'ada',
      parentCorrelationId: taskUuid,
      completedAt: null,
    });
    await invariants(shared.sql);
  });

  it('returns the same child in a second attempt, also if it has ended and its context is another', async () => {
    const { tasker, start, ends, fan } = await bench(async (context) => {
      const task = await context.startTask('double', { n: context.attempt }, { key: '鍵/ü🔑' });
      await ends(task.taskUuid);
      if (context.attempt < 3) throw new Error('again');
      return task;
    });
    const taskUuid = await start();
    expect((await ends(taskUuid)).status).toBe('complete');
    const { taskUuid: child } = (await fan(taskUuid)).results!.result as { taskUuid: string };
    expect(await childrenOf(tasker, taskUuid)).toEqual([{ taskUuid: child, key: '鍵/ü🔑', step: 'fan' }]);
    expect((await tasker.getTask(child)).output).toEqual({ n: 2 });
  });

  it('returns the same child for calls with the same key at the same time', async () => {
    const { tasker, start, ends } = await bench(async (context) => {
      const keys = ['a', 'b', 'a', 'b', 'a'];
      return Promise.all(keys.map((key) => context.startTask('double', { n: 1 }, { key })));
    });
    const taskUuid = await start();
    await ends(taskUuid);
    expect((await childrenOf(tasker, taskUuid)).map(({ key }) => key)).toEqual(['a', 'b']);
  });

  it.each([
    ['nowhere', {}, 'template_not_found', /nowhere/],
    ['strict', {}, 'invalid_context', /^step fan: startTask: .*must have required property 'n'/],
  ])('refuses a child that cannot start: %s', async (name, context, type, message) => {
    const { tasker, start, fan } = await bench((step) => step.startTask(name, context, { key: 'a' }));
    const taskUuid = await start();
    await reaches(tasker, taskUuid, 'error');
    const { results, attempts } = await fan(taskUuid);
    expect(results?.error).toMatchObject({ error_type: type, message: expect.stringMatching(message) });
    expect(attempts).toBe(1);
    expect(await childrenOf(tasker, taskUuid)).toEqual([]);
  });

  it('refuses a key that belongs to a child of another template', async () => {
    const { tasker, start, fan } = await bench(async (context) => {
      await context.startTask('endless', {}, { key: 'a' });
      return context.startTask('double', { n: 1 }, { key: 'a' });
    });
    const taskUuid = await start();
    await reaches(tasker, taskUuid, 'error');
    expect((await fan(taskUuid)).results?.error).toMatchObject({
      error_type: 'key_taken',
      message: expect.stringMatching(/key "a" names the template n\d+\/double, but .* of n\d+\/endless with it; use/),
    });
    const [child] = await childrenOf(tasker, taskUuid);
    await until(
      () => tasker.getTask(child!.taskUuid),
      ({ status }) => status === 'cancelled',
    );
  });

  it('refuses the child of a task at the eighth level', async () => {
    const { start, ends } = await bench(
      async (context) => {
        return untilTasksEnd([await context.startTask('demo', {}, { key: 'next' })]);
      },
      { task: { lifecycle: { on_blocked: 'error' } } },
    );
    const taskUuid = await start();
    expect((await ends(taskUuid)).status).toBe('error');
    const [{ count }] = (await shared.sql('select count(*)::int from tasker.child_task where root_uuid = $1', [
      taskUuid,
    ])) as [{ count: number }];
    expect(count).toBe(8);
  });

  it('refuses a context that shows a sensitive value of the parent in a key that the child does not declare', async () => {
    const { tasker, start, fan } = await bench(
      (context) => context.startTask('double', { n: 1, card: `no ${context.getInput('card')}` }, { key: 'a' }),
      { task: { sensitive: ['card'] } },
    );
    const taskUuid = await start({ card: '4111-1111' });
    await reaches(tasker, taskUuid, 'error');
    expect((await fan(taskUuid)).results?.error).toMatchObject({ error_type: 'sensitive_undeclared' });
  });

  it('refuses a key that shows a sensitive value of the parent', async () => {
    const { tasker, start, fan } = await bench(
      (context) => context.startTask('double', { n: 1 }, { key: String(context.getInput('card')) }),
      { task: { sensitive: ['card'] } },
    );
    const taskUuid = await start({ card: '4111-1111' });
    await reaches(tasker, taskUuid, 'error');
    const { error } = (await fan(taskUuid)).results!;
    expect(error).toMatchObject({
      error_type: 'sensitive_undeclared',
      message: expect.stringContaining('use an id or a hash as the key'),
    });
  });

  it('refuses more than 10,000 children of one run', async () => {
    const { tasker, start, fan } = await bench(async (context) => {
      await shared.sql(
        `insert into tasker.child_task (child_uuid, parent_uuid, idx, root_uuid, level, abandoned, run, key, settled_at)
         select gen_random_uuid(), $1, 0, $1, 1, false, 0, 'k' || n, now() from generate_series(1, 10000) n`,
        [context.taskUuid],
      );
      return context.startTask('double', { n: 1 }, { key: 'one more' });
    });
    const taskUuid = await start();
    await reaches(tasker, taskUuid, 'error');
    expect((await fan(taskUuid)).results?.error).toMatchObject({
      error_type: 'too_many_children',
      message: expect.stringContaining('10,000 child tasks in this run, which is the limit; start fewer'),
    });
  });
});

describe('the children of a handler', () => {
  const waits: Fan = async (context) =>
    untilTasksEnd([
      await context.startTask('endless', {}, { key: 'a' }),
      await context.startTask('endless', {}, { key: 'b', onCancel: 'abandon' }),
    ]);
  const stop = {
    cancel: (tasker: Tasker, id: string) => tasker.cancelTask(id),
    resolve: (tasker: Tasker, id: string) => tasker.resolveStep(id, 'fan'),
    complete: (tasker: Tasker, id: string) => tasker.completeStep(id, 'fan', { result: {} }),
    rerun: (tasker: Tasker, id: string) => tasker.rerunTask(id, { from: 'fan' }),
  };

  it.each(Object.keys(stop) as (keyof typeof stop)[])(
    'are cancelled after a %s, unless they are abandoned',
    async (act) => {
      const { tasker, start, ends } = await bench(waits);
      const taskUuid = await start();
      await reaches(tasker, taskUuid, 'waiting');
      const [a, b] = await childrenOf(tasker, taskUuid);
      await stop[act](tasker, taskUuid);
      expect((await ends(a!.taskUuid)).status).toBe('cancelled');
      expect((await tasker.getTask(b!.taskUuid)).completedAt).toBeNull();
      if (act === 'rerun') {
        await until(
          () => childrenOf(tasker, taskUuid),
          (children) => children.length === 4,
        );
      }
      await invariants(shared.sql);
    },
  );

  it('are cancelled if the step fails permanently, and a reset starts others', async () => {
    const { tasker, start, ends } = await bench(async (context) => {
      await context.startTask('endless', {}, { key: 'a' });
      throw Object.assign(new Error('broken'), { retryable: false });
    });
    const taskUuid = await start();
    await reaches(tasker, taskUuid, 'error');
    const [first] = await childrenOf(tasker, taskUuid);
    expect((await ends(first!.taskUuid)).status).toBe('cancelled');
    await tasker.resetStep(taskUuid, 'fan');
    const [, second] = await until(
      () => childrenOf(tasker, taskUuid),
      (children) => children.length === 2,
    );
    expect(second).toMatchObject({ key: 'a' });
    expect(second!.taskUuid).not.toBe(first!.taskUuid);
  });

  it('are other tasks after a cancelled task was rerun', async () => {
    const { tasker, start } = await bench(waits);
    const taskUuid = await start();
    await reaches(tasker, taskUuid, 'waiting');
    await tasker.cancelTask(taskUuid);
    await tasker.rerunTask(taskUuid, { from: 'fan' });
    await until(
      () => childrenOf(tasker, taskUuid),
      (children) => children.length === 4,
    );
  });

  it('are kept while the step waits for a retry', async () => {
    const { tasker, start } = await bench(
      async (context) => {
        const task = await context.startTask('endless', {}, { key: 'a' });
        if (context.attempt === 1) throw new Error('again');
        return untilTasksEnd([task]);
      },
      { step: { retry: { max_attempts: 2, backoff_base_ms: 2_500 } } },
    );
    const taskUuid = await start();
    await reaches(tasker, taskUuid, 'waiting');
    const [child, another] = await childrenOf(tasker, taskUuid);
    expect(another).toBeUndefined();
    expect((await tasker.getTask(child!.taskUuid)).completedAt).toBeNull();
  });
});

describe('untilTasksEnd', () => {
  const starts = (context: StepContext, names: readonly string[], n = 1) =>
    Promise.all(names.map((name, i) => context.startTask(name, { n: n + i }, { key: `${name} ${i}` })));
  const fanOf =
    (names: readonly string[], options?: Parameters<typeof untilTasksEnd>[1]): Fan =>
    async (context): Promise<StepHandlerResult> =>
      untilTasksEnd(await starts(context, names), options);

  it('completes the step with the outputs in the order of the list', async () => {
    const { start, ends, fan } = await bench(fanOf(['double', 'double', 'double']));
    const taskUuid = await start();
    expect((await ends(taskUuid)).status).toBe('complete');
    const { results, attempts } = await fan(taskUuid);
    expect(results?.result).toEqual({ result: [{ n: 2 }, { n: 4 }, { n: 6 }] });
    expect(attempts).toBe(1);
    await invariants(shared.sql);
  });

  it('waits for 300 children on two workers', { timeout: 60_000 }, async () => {
    const { start, fan, tasker, another } = await bench(fanOf(Array.from({ length: 300 }, () => 'double')));
    await another();
    const taskUuid = await start();
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 50_000 })).status).toBe('complete');
    const outputs = Array.from({ length: 300 }, (_, i) => ({ n: 2 * (i + 1) }));
    expect((await fan(taskUuid)).results?.result).toEqual({ result: outputs });
    await invariants(shared.sql);
  });

  it('completes at once with an empty list, and if all tasks have already ended', async () => {
    const { start, ends, fan } = await bench(async (context) => {
      if (context.getInput('none')) return untilTasksEnd([]);
      const tasks = await starts(context, ['double', 'double']);
      for (const { taskUuid } of tasks) await ends(taskUuid);
      return untilTasksEnd(tasks.toReversed());
    });
    const [none, some] = [await start({ none: true }), await start()];
    await ends(none);
    await ends(some);
    expect((await fan(none)).results?.result).toEqual({ result: [] });
    expect((await fan(some)).results?.result).toEqual({ result: [{ n: 4 }, { n: 2 }] });
  });

  it('fails the step with the first failed task of the list, once all have ended', async () => {
    const { start, tasker, fan } = await bench(fanOf(['double', 'broken', 'broken']));
    const taskUuid = await start();
    await reaches(tasker, taskUuid, 'error');
    const [, first] = await childrenOf(tasker, taskUuid);
    expect((await fan(taskUuid)).results?.error).toMatchObject({
      error_type: 'child_failed',
      retryable: false,
      message: expect.stringContaining(`child task ${first!.taskUuid}`),
    });
  });

  it('completes with the state and the error of each task, with onFailure: continue', async () => {
    const { start, ends, fan } = await bench(fanOf(['double', 'broken'], { onFailure: 'continue' }));
    const taskUuid = await start();
    await ends(taskUuid);
    expect((await fan(taskUuid)).results?.result).toEqual({
      result: [
        { task_uuid: expect.any(String), state: 'complete', output: { n: 2 }, error: null },
        {
          task_uuid: expect.any(String),
          state: 'error',
          output: null,
          error: { type: 'child_failed', message: expect.stringContaining('ended in error') },
        },
      ],
    });
  });

  it.each(['fail', 'continue'] as const)(
    'ends at its timeout, and cancels the tasks that have not ended: %s',
    async (onFailure) => {
      const { start, tasker, fan, ends } = await bench(fanOf(['double', 'endless'], { onFailure, timeoutMs: 400 }));
      const taskUuid = await start();
      await reaches(tasker, taskUuid, onFailure === 'fail' ? 'error' : 'complete');
      const [, child] = await childrenOf(tasker, taskUuid);
      expect((await ends(child!.taskUuid)).status).toBe('cancelled');
      const { results } = await fan(taskUuid);
      if (onFailure === 'fail') expect(results?.error?.error_type).toBe('wait_timeout');
      else
        expect(results?.result).toMatchObject({ result: [{ state: 'complete' }, { error: { type: 'wait_timeout' } }] });
    },
  );

  it('refuses tasks that this run of the step has not started', async () => {
    const { start, tasker, fan } = await bench((context) => untilTasksEnd([context.taskUuid]));
    const taskUuid = await start();
    await reaches(tasker, taskUuid, 'error');
    expect((await fan(taskUuid)).results?.error).toMatchObject({
      error_type: 'wait_refused',
      message: expect.stringContaining(`has not started ${taskUuid}; start each task with context.startTask`),
    });
  });

  it('fails the step if the outputs have sensitive values that the step does not declare', async () => {
    const made = await bench(fanOf(['secret']));
    const { namespace } = made.demo;
    await made.tasker.registerTemplates(
      template({ work: { handler: 'twice', sensitive: ['n'] } } as never, {
        name: 'secret',
        namespace,
        output: { n: 'steps.work.n' },
      }),
    );
    const taskUuid = await made.start();
    await reaches(made.tasker, taskUuid, 'error');
    expect((await made.fan(taskUuid)).results?.error).toMatchObject({
      error_type: 'sensitive_undeclared',
      message: expect.stringContaining('add `sensitive: [result.*.n]` to the step'),
    });
  });

  it('fails the step if the list does not match its result_schema', async () => {
    const { start, tasker, fan } = await bench(fanOf(['double', 'double']), {
      step: { result_schema: { properties: { result: { items: { properties: { n: { maximum: 3 } } } } } } },
    });
    const taskUuid = await start();
    await reaches(tasker, taskUuid, 'error');
    expect((await fan(taskUuid)).results?.error).toMatchObject({
      error_type: 'validation_error',
      message: expect.stringMatching(/^step fan: the result does not match the template's result_schema: .*result.*1/),
    });
  });

  it('waits again for a task that was rerun while the step waited for others', async () => {
    const { start, tasker, ends, fan } = await bench(fanOf(['endless', 'endless'], { onFailure: 'continue' }));
    const taskUuid = await start();
    await reaches(tasker, taskUuid, 'waiting');
    const [first, second] = (await childrenOf(tasker, taskUuid)).map((child) => child.taskUuid) as [string, string];
    const isSettled = async (settled: boolean) =>
      until(
        () => shared.sql('select settled_at from tasker.child_task where child_uuid = $1', [first]),
        ([row]) => (row!.settled_at !== null) === settled,
      );
    await tasker.completeStep(first, 'work', { result: { run: 1 } });
    await isSettled(true);
    await tasker.rerunTask(first, { from: 'work' });
    await tasker.cancelTask(second);
    await isSettled(false);
    expect((await fan(taskUuid)).currentState).toBe('waiting');
    await tasker.completeStep(first, 'work', { result: { run: 2 } });
    expect((await ends(taskUuid)).status).toBe('complete');
    expect((await fan(taskUuid)).results?.result).toMatchObject({
      result: [{ state: 'complete', output: { work: { run: 2 } } }, { state: 'cancelled' }],
    });
    await invariants(shared.sql);
  });

  it('is explained with the oldest task that has not ended', async () => {
    const { start, tasker } = await bench(fanOf(['double', 'endless']));
    const taskUuid = await start();
    await reaches(tasker, taskUuid, 'waiting');
    const [, child] = await childrenOf(tasker, taskUuid);
    const { steps } = await until(
      () => tasker.why(taskUuid),
      ({ steps: [step] }) => step!.why.includes('1 has not ended'),
    );
    expect(steps[0]!.why).toMatch(/^has waited .* for 2 child tasks, without a timeout; list them: /);
    expect(steps[0]!.why).toContain(`1 has not ended: child task ${child!.taskUuid} `);
  });
});
