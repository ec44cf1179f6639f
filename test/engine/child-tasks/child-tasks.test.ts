import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { invariants, template, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();

const price = defineHandler('price', { inputs: { cents: 'cents' } }, ({ cents }) => ({ cents: Number(cents) + 1 }));
const fails = defineHandler('fails', {}, () => {
  throw new Error('no money');
});
const slow = defineHandler(
  'slow',
  {},
  ({ context }) => new Promise((resolve) => context.signal.addEventListener('abort', () => resolve({}))),
);
const handlers = [price, fails, slow];

/** The templates that can be children, by name. */
const CHILDREN = {
  invoice: [{ sum: { handler: 'price' } }, { output: { cents: 'steps.sum.cents' } }],
  plain: [{ sum: { handler: 'price' }, other: { handler: 'price', dependencies: ['sum'] } }, {}],
  broken: [{ work: { handler: 'fails', retry: { max_attempts: 1 } } }, { lifecycle: { on_blocked: 'error' } }],
  stuck: [{ work: { handler: 'fails', retry: { max_attempts: 1 } } }, {}],
  endless: [{ work: { handler: 'slow' } }, {}],
} as const;

/** Starts a tasker whose parent template has these steps, and registers the templates of the children. */
async function bench(steps: Record<string, object>, task: Record<string, unknown> = {}) {
  const made = await shared.setup(steps as never, { handlers, task });
  const { namespace } = made.demo;
  await made.tasker.registerTemplates(
    Object.entries(CHILDREN).map(([name, [inner, more]]) => template(inner as never, { name, namespace, ...more })),
  );
  const start = async (context: object = {}) =>
    (await made.tasker.createTask({ ...made.demo, context: { ...context } })).taskUuid;
  const states = async (taskUuid: string) =>
    Object.fromEntries((await made.tasker.getSteps(taskUuid)).map((step) => [step.name, step.currentState]));
  const resultOf = async (taskUuid: string, step: string) =>
    (await made.tasker.getStep(taskUuid, step)).results?.result;
  /** Returns the task that a step waits for. */
  const childOf = async (taskUuid: string, step: string) => {
    const { wait } = await until(
      () => made.tasker.getStep(taskUuid, step),
      (one) => one.wait !== null,
    );
    return String(wait!.settings.task_uuid);
  };
  return {
    ...made,
    start,
    states,
    resultOf,
    childOf,
    ends: (id: string) => made.tasker.waitForTask(id, { timeoutMs: 20_000 }),
  };
}

const child = (name: string, more: object = {}) => ({ type: 'task', handler: undefined, template: name, ...more });

describe('a step of the type task', () => {
  it('starts a child task, and completes with its output', async () => {
    const { start, ends, resultOf, tasker } = await bench({
      first: { handler: 'price' },
      bill: child('invoice', { dependencies: ['first'], context: { cents: 'steps.first.cents + context.extra' } }),
      after: { handler: 'price', dependencies: ['bill'], inputs: { cents: 'steps.bill.cents' } },
    });
    const taskUuid = await start({ cents: 1, extra: 10 });
    expect((await ends(taskUuid)).status).toBe('complete');
    expect(await resultOf(taskUuid, 'bill')).toEqual({ cents: 13 });
    expect(await resultOf(taskUuid, 'after')).toEqual({ cents: 14 });
    const { wait, attempts } = await tasker.getStep(taskUuid, 'bill');
    expect({ wait, attempts }).toEqual({ wait: null, attempts: 1 });
    await invariants(shared.sql);
  });

  it('completes with the results by step, if the template of the child has no output', async () => {
    const { start, ends, resultOf } = await bench({ bill: child('plain', { context: { cents: 5 } }) });
    const taskUuid = await start();
    await ends(taskUuid);
    expect(await resultOf(taskUuid, 'bill')).toEqual({ sum: { cents: 6 }, other: { cents: 6 } });
  });

  it('gives its child the priority and the initiator of its task, and a correlation id of its own', async () => {
    const { tasker, demo, childOf } = await bench({ bill: child('endless') });
    const { taskUuid } = await tasker.createTask({ ...demo, priority: 7, initiator: 'ada' });
    const one = await tasker.getTask(await childOf(taskUuid, 'bill'));
    expect(one).toMatchObject({ priority: 7, initiator: 'ada', parentCorrelationId: taskUuid });
    expect(one.correlationId).toBe(one.taskUuid);
  });

  it('fails if its child ends in error, and a step with run_if: failed handles it', async () => {
    const { start, ends, states, tasker } = await bench({
      bill: child('broken'),
      tell: { handler: 'price', dependencies: ['bill'], run_if: 'failed', inputs: { cents: '1' } },
    });
    const taskUuid = await start();
    expect((await ends(taskUuid)).status).toBe('complete');
    expect(await states(taskUuid)).toEqual({ bill: 'error', tell: 'complete' });
    const { results } = await tasker.getStep(taskUuid, 'bill');
    expect(results?.error).toMatchObject({ error_type: 'child_failed', retryable: false });
    expect(results?.error?.message).toMatch(/^child task \S+ \(n\d+\/broken\) ended in error: /);
  });

  it('completes with the state of its child, with on_failure: continue', async () => {
    const { start, ends, resultOf } = await bench({ bill: child('broken', { on_failure: 'continue' }) });
    const taskUuid = await start();
    expect((await ends(taskUuid)).status).toBe('complete');
    expect(await resultOf(taskUuid, 'bill')).toEqual({
      task_uuid: expect.any(String),
      state: 'error',
      output: null,
      error: { type: 'child_failed', message: expect.stringContaining('ended in error') },
    });
  });

  it.each([
    ['nowhere', 'template_not_found', /nowhere/],
    ['invoice@9.9.9', 'template_not_found', /9\.9\.9/],
  ])('fails permanently if its template does not exist: %s', async (name, type, message) => {
    const { start, ends, tasker } = await bench({ bill: child(name) }, { lifecycle: { on_blocked: 'error' } });
    const taskUuid = await start();
    await ends(taskUuid);
    const { results, attempts } = await tasker.getStep(taskUuid, 'bill');
    expect(results?.error).toMatchObject({
      error_type: type,
      message: expect.stringMatching(message),
      retryable: false,
    });
    expect(attempts).toBe(1);
  });

  it('names its context if that does not match the input_schema of its child', async () => {
    const { start, tasker, demo } = await bench({ bill: child('strict', { context: { cent: 5 } }) });
    const { namespace } = demo;
    const input_schema = { type: 'object', required: ['cents'] };
    await tasker.registerTemplates(
      template({ sum: { handler: 'price' } }, { name: 'strict', namespace, input_schema }),
    );
    const taskUuid = await start();
    const { results } = await until(
      () => tasker.getStep(taskUuid, 'bill'),
      ({ currentState }) => currentState === 'error',
    );
    expect(results?.error).toMatchObject({
      error_type: 'invalid_context',
      message: expect.stringMatching(/^`context` of step bill: .*strict@1\.0\.0.*must have required property 'cents'/),
    });
    const [step] = (await tasker.why(taskUuid)).steps;
    expect(step!.why).toMatch(/^failed permanently in attempt 1: /);
  });

  it('waits for a blocked child until an operator acts on it', async () => {
    const { start, ends, states, childOf, tasker } = await bench({ bill: child('stuck') });
    const taskUuid = await start();
    const inner = await childOf(taskUuid, 'bill');
    await until(
      () => tasker.getTask(inner),
      ({ status }) => status === 'blocked_by_failures',
    );
    expect(await states(taskUuid)).toEqual({ bill: 'waiting' });
    await tasker.completeStep(inner, 'work', { result: { done: true } });
    expect((await ends(taskUuid)).status).toBe('complete');
  });

  it('fails if its child is cancelled', async () => {
    const { start, ends, childOf, tasker } = await bench(
      { bill: child('endless') },
      { lifecycle: { on_blocked: 'error' } },
    );
    const taskUuid = await start();
    await tasker.cancelTask(await childOf(taskUuid, 'bill'));
    expect((await ends(taskUuid)).status).toBe('error');
  });
});

describe('a step that no longer waits for its child', () => {
  const stop = {
    cancel: ({ tasker }: Bench, taskUuid: string) => tasker.cancelTask(taskUuid),
    resolve: ({ tasker }: Bench, taskUuid: string) => tasker.resolveStep(taskUuid, 'bill'),
    rerun: ({ tasker }: Bench, taskUuid: string) => tasker.rerunTask(taskUuid, { from: 'bill' }),
  };
  type Bench = Awaited<ReturnType<typeof bench>>;

  it.each(Object.keys(stop) as (keyof typeof stop)[])('cancels the child after a %s', async (act) => {
    const made = await bench({ bill: child('endless') });
    const taskUuid = await made.start();
    const inner = await made.childOf(taskUuid, 'bill');
    await stop[act](made, taskUuid);
    expect((await made.ends(inner)).status).toBe('cancelled');
    if (act === 'rerun') {
      const next = await until(
        () => made.childOf(taskUuid, 'bill'),
        (one) => one !== inner,
      );
      expect((await made.tasker.getTask(next)).completedAt).toBeNull();
    }
    await invariants(shared.sql);
  });

  it('lets the child continue, with on_cancel: abandon', async () => {
    const made = await bench({ bill: child('endless', { on_cancel: 'abandon' }) });
    const taskUuid = await made.start();
    const inner = await made.childOf(taskUuid, 'bill');
    await made.tasker.cancelTask(taskUuid);
    await until(
      () => shared.sql('select settled_at from tasker.child_task where child_uuid = $1', [inner]),
      ([row]) => row!.settled_at !== null,
    );
    expect((await made.tasker.getTask(inner)).completedAt).toBeNull();
  });

  it('fails at its timeout, and cancels the child', async () => {
    const made = await bench({ bill: child('endless', { timeout: 0.2 }) }, { lifecycle: { on_blocked: 'error' } });
    const taskUuid = await made.start();
    const inner = await made.childOf(taskUuid, 'bill');
    await made.ends(taskUuid);
    const { results } = await made.tasker.getStep(taskUuid, 'bill');
    expect(results?.error?.error_type).toBe('wait_timeout');
    expect((await made.ends(inner)).status).toBe('cancelled');
  });

  it('cancels the children of children, too', async () => {
    const made = await bench({ bill: child('middle') });
    const { namespace } = made.demo;
    await made.tasker.registerTemplates(template({ inner: child('endless') }, { name: 'middle', namespace }));
    const taskUuid = await made.start();
    const middle = await made.childOf(taskUuid, 'bill');
    const inner = await made.childOf(middle, 'inner');
    await made.tasker.cancelTask(taskUuid);
    expect((await made.ends(inner)).status).toBe('cancelled');
  });
});

describe('nested child tasks', () => {
  it('stop at the eighth level', async () => {
    const made = await bench({ again: child('demo') }, { lifecycle: { on_blocked: 'error' } });
    const taskUuid = await made.start();
    expect((await made.ends(taskUuid)).status).toBe('error');
    const [{ count, level }] = (await shared.sql(
      'select count(*)::int, max(level) as level from tasker.child_task where root_uuid = $1',
      [taskUuid],
    )) as [{ count: number; level: number }];
    expect({ count, level }).toEqual({ count: 8, level: 8 });
    await invariants(shared.sql);
  });
});
