import { afterEach, describe, expect, inject, it } from 'vitest';
import { completeLater, RetryableError } from '../../src/index.ts';
import { type TestTasker, type TestTaskerOptions, testTasker } from '../../src/testing/index.ts';
import { DEMO, template } from '../support/setup.ts';

const kits: TestTasker[] = [];
afterEach(() => Promise.all(kits.splice(0).map((kit) => kit.stop())));

async function kitOf(options: TestTaskerOptions): Promise<TestTasker> {
  const kit = await testTasker({ databaseUrl: inject('servers')[inject('postgres')]!, ...options });
  kits.push(kit);
  return kit;
}

/** Returns a stub that fails the first `times` times. */
const failing = (times: number, calls: string[] = [], name = 'a') => {
  let left = times;
  return () => {
    calls.push(name);
    if (left-- > 0) throw new RetryableError('busy');
    return { name };
  };
};

describe('the time of a test kit', () => {
  it('makes retries due without waiting for them', async () => {
    const kit = await kitOf({
      templates: template({
        a: { retry: { backoff: 'linear', backoff_base_ms: 3_600_000, max_backoff_ms: 3_600_000 } },
      }),
      stubs: { a: failing(2) },
      keepBackoff: true,
    });
    const { taskUuid } = await kit.tasker.createTask(DEMO);
    await kit.advanceTime(0);
    expect((await kit.getRun(taskUuid)).task.status).toBe('waiting_for_retry');
    await kit.advanceTime('30 minutes');
    expect((await kit.getRun(taskUuid)).steps.a!.attempts).toBe(1);
    await kit.advanceTime('2h');
    const { task, steps, results } = await kit.getRun(taskUuid);
    expect([task.status, steps.a!.attempts, results.a]).toEqual(['complete', 3, { name: 'a' }]);
  });

  it('continues the parent task when its child task ends', async () => {
    const kit = await kitOf({
      templates: [
        template({ bill: { handler: null, type: 'task', template: 'inner' }, after: ['bill'] }),
        template(
          { nap: { handler: null, type: 'timer', timer: { for: '3d' } }, sum: ['nap'] },
          { name: 'inner', output: { cents: 'steps.sum.cents' } },
        ),
      ],
      stubs: { sum: () => ({ cents: 5 }), after: () => ({}) },
    });
    const { taskUuid } = await kit.tasker.createTask(DEMO);
    await kit.advanceTime('2d');
    expect((await kit.getRun(taskUuid)).steps.bill!.currentState).toBe('waiting');
    await kit.advanceTime('2d');
    const { task, results } = await kit.getRun(taskUuid);
    expect([task.status, results.bill]).toEqual(['complete', { cents: 5 }]);
  });

  it('makes timers due in order, and runs the steps that become ready after each', async () => {
    const calls: [string, number][] = [];
    const kit = await kitOf({
      templates: template({
        late: { handler: null, type: 'timer', timer: { for: '3d' } },
        early: { handler: null, type: 'timer', timer: { for: '1h' } },
        after_late: ['late'],
        after_early: ['early'],
        again: { handler: null, type: 'timer', timer: { for: 'P1D' }, dependencies: ['after_early'] },
        last: ['again'],
        never: { handler: null, type: 'timer', timer: { for: '4d' } },
      }),
      stubs: Object.fromEntries(
        ['after_late', 'after_early', 'last'].map((name) => [
          name,
          () => {
            calls.push([name, Math.round((kit.now().getTime() - begun) / 3_600_000)]);
            return {};
          },
        ]),
      ),
    });
    const begun = Date.now();
    const { task, steps } = await kit.run(); // returns, because every step waits for a timer
    expect([steps.late!.currentState, calls]).toEqual(['waiting', []]);
    await kit.advanceTime('3 days');
    expect(calls).toEqual([
      ['after_early', 1],
      ['last', 25],
      ['after_late', 72],
    ]);
    const after = await kit.getRun(task.taskUuid);
    expect(after.steps.never!.currentState).toBe('waiting');
    expect(after.results.late).toEqual({ due_at: expect.any(String), fired_at: expect.any(String) });
    await kit.advanceTime('1d');
    expect((await kit.getRun(task.taskUuid)).task.status).toBe('complete');
  });

  it('applies to timers that read their time from the context or from a result', async () => {
    const until = (place: object, dependencies: string[] = []) => ({
      handler: null,
      type: 'timer',
      timer: { until: place },
      dependencies,
    });
    const kit = await kitOf({
      templates: template({
        at: until({ context: 'at' }),
        plan: ['at'],
        planned: until({ step: 'plan', field: 'at' }, ['plan']),
      }),
      stubs: { plan: () => ({ at: new Date(kit.now().getTime() + 2 * 86_400_000).toISOString() }) },
    });
    await kit.advanceTime('100 days');
    const at = new Date(kit.now().getTime() + 86_400_000).toISOString();
    const { task } = await kit.run({ context: { at } });
    await kit.advanceTime('23h');
    expect((await kit.getRun(task.taskUuid)).steps.at!.currentState).toBe('waiting');
    await kit.advanceTime('2h');
    expect((await kit.getRun(task.taskUuid)).steps).toMatchObject({
      at: { currentState: 'complete' },
      planned: { currentState: 'waiting' },
    });
    await kit.advanceTime('2 days');
    expect((await kit.getRun(task.taskUuid)).task.status).toBe('complete');
  });

  it('advances twelve months of timers with fewer than 1,000 statements', async () => {
    const months = Array.from({ length: 12 }, (_, month) => [
      [
        `month_${month}`,
        { handler: null, type: 'timer', timer: { for: '30d' }, dependencies: month ? [`bill_${month - 1}`] : [] },
      ],
      [`bill_${month}`, { handler: 'bill', dependencies: [`month_${month}`] }],
    ]).flat();
    let bills = 0;
    const kit = await kitOf({
      templates: template(Object.fromEntries(months) as never),
      stubs: { bill: () => ({ bills: ++bills }) },
    });
    const { task } = await kit.run();
    const before = kit.tasker.statements;
    await kit.advanceTime('365 days');
    const sent = kit.tasker.statements - before;
    expect([bills, (await kit.getRun(task.taskUuid)).task.status]).toEqual([12, 'complete']);
    expect(sent).toBeLessThan(1000);
  });

  it('ends a wait for a signal at its timeout, after other waits ended by a signal, an approval and a token', async () => {
    let token = '';
    const kit = await kitOf({
      templates: template({
        paid: {
          handler: null,
          type: 'signal',
          signal: { name: 'payment', timeout: '7d', on_timeout: 'complete', default: 0 },
        },
        late: {
          handler: null,
          type: 'signal',
          signal: { name: 'never', timeout: '7d', on_timeout: 'complete', default: 0 },
        },
        ask: { handler: null, type: 'approval', approval: { title: 'Ship?', assignees: ['boss', 'ann'], quorum: 2 } },
        call: ['paid', 'ask'],
        end: ['call'],
      }),
      stubs: {
        call: async (context) => {
          token = await context.completionToken();
          return completeLater();
        },
        end: (context) => ({ all: ['paid', 'late', 'ask', 'call'].map((name) => context.getDependencyResult(name)) }),
      },
    });
    const { task } = await kit.run();
    expect((await kit.signal(task.taskUuid, 'payment', 12)).tasks).toMatchObject([{ status: 'used' }]);
    await kit.approve(task.taskUuid, 'ask');
    expect(await kit.approve(task.taskUuid, 'ask', { by: 'ann', comment: 'fine' })).toMatchObject({
      status: 'approved',
    });
    await kit.completeByToken(token, { receipt: 'R-7' });
    await kit.advanceTime('8 days');
    const { results, task: ended } = await kit.getRun(task.taskUuid);
    expect(ended.status).toBe('complete');
    expect(results).toMatchObject({
      paid: 12,
      late: 0,
      ask: { decision: 'approved', by: 'ann' },
      call: { receipt: 'R-7' },
    });
  });

  it('reports steps that are still running at the timeout', async () => {
    const kit = await kitOf({
      templates: template({ a: [] }),
      stubs: { a: () => new Promise(() => undefined) },
    });
    const { taskUuid } = await kit.tasker.createTask(DEMO);
    await expect(kit.advanceTime('1d', { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringMatching(new RegExp(`^the test kit was still busy after 200 ms: a of task ${taskUuid}: `)),
    });
  });

  it.each([['soon'], [-1], [Number.NaN], ['-3 days'], [''], ['1 month']])('rejects %j', async (given) => {
    const kit = await kitOf({ templates: template({ a: [] }), stubs: { a: () => ({}) } });
    await expect(kit.advanceTime(given)).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringMatching(
        /^advanceTime: .* is not a duration; pass words such as '3 days', seconds as a number/,
      ),
    });
  });
});
