import { describe, expect, it } from 'vitest';
import { messageOf } from '../../src/errors.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { deferred, invariants } from '../support/setup.ts';
import { type Shared, sharedDatabase } from '../support/shared-database.ts';
import { leastOf } from '../support/suite/measure.ts';
import { approvalStep, signalStep } from '../support/waits/waiting.ts';

const shared = sharedDatabase();
const quick = [defineHandler('a', {}, () => ({})), defineHandler('b', {}, () => ({}))];
const UNKNOWN = '01a212f4-5a38-7090-909f-2af0a720ede0';

describe('waitForTask', () => {
  it('a wait for a task that has ended resolves immediately, in any process', async () => {
    const { tasker, demo, another } = await shared.setup({ a: [] }, { handlers: quick });
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid);
    const observer = await another({ worker: false, handlers: [] });
    expect((await observer.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  });

  it('a wait resolves when the task ends in another process', async () => {
    const { demo, another } = await shared.setup({ a: [] }, { handlers: quick });
    const observer = await another({ worker: false, handlers: [] });
    const round = async () => {
      const { taskUuid } = await observer.createTask(demo);
      const start = performance.now();
      await observer.waitForTask(taskUuid, { timeoutMs: 20_000 });
      return performance.now() - start;
    };
    // The machine may be busy. Without a notification, the waiter polls after a second, not earlier.
    let best = await round();
    for (let tries = 0; best >= 900 && tries < 10; tries++) best = Math.min(best, await round());
    expect(best).toBeLessThan(900);
  });

  it('a wait that times out suggests how to find the reason, and does not stop the task', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask(demo);
    const waiting = tasker.waitForTask(taskUuid, { timeoutMs: 30 });
    await expect(waiting).rejects.toMatchObject({ code: 'timeout' });
    await expect(waiting).rejects.toThrow(
      `did not end within 30 ms, and is still in progress; \`tasker task why ${taskUuid}\``,
    );
  });

  it('a timeout longer than the longest timer does not end the wait', async () => {
    const gate = deferred();
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: [defineHandler('a', {}, () => gate.promise)] });
    const { taskUuid } = await tasker.createTask(demo);
    const waits = [Number.POSITIVE_INFINITY, 2 ** 40].map((timeoutMs) => tasker.waitForTask(taskUuid, { timeoutMs }));
    await expect(tasker.waitForTask(taskUuid, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' });
    gate.resolve();
    for (const task of await Promise.all(waits)) expect(task.status).toBe('complete');
  });

  it.each([-1, Number.NaN, '5'])('a timeout of %s is rejected', async (timeoutMs) => {
    const { tasker } = await shared.setup({ a: [] }, { worker: false });
    await expect(tasker.waitForTask(UNKNOWN, { timeoutMs: timeoutMs as number })).rejects.toMatchObject({
      code: 'bad_request',
    });
  });

  it('the id of a task that does not exist is rejected', async () => {
    const { tasker } = await shared.setup({ a: [] }, { worker: false });
    await expect(tasker.waitForTask(UNKNOWN)).rejects.toMatchObject({ code: 'task_not_found' });
  });

  it.each(['', 'abc', '{}', `${UNKNOWN},${UNKNOWN}`, `${UNKNOWN}\n`])(
    'a wait for %j, which is not an id, is rejected and does not affect other waits',
    async (id) => {
      const { tasker, demo } = await shared.setup({ a: [] }, { handlers: quick });
      const { taskUuid } = await tasker.createTask(demo);
      const [wrong, right] = await Promise.allSettled([
        tasker.waitForTask(id, { timeoutMs: 20_000 }),
        tasker.waitForTask(taskUuid, { timeoutMs: 20_000 }),
      ]);
      expect(wrong).toMatchObject({ status: 'rejected', reason: { code: 'invalid_uuid' } });
      expect(right.status).toBe('fulfilled');
    },
  );

  it('an id in capitals identifies the same task', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: quick });
    const { taskUuid } = await tasker.createTask(demo);
    const task = await tasker.waitForTask(taskUuid.toUpperCase(), { timeoutMs: 20_000 });
    expect(task.taskUuid).toBe(taskUuid);
    const [step] = await tasker.getSteps(taskUuid.toUpperCase());
    expect(step).toMatchObject({ taskUuid, stepUuid: (await tasker.getSteps(taskUuid))[0]!.stepUuid });
  });

  it('a wait rejects with the reason of its signal, whether the signal fires during the wait or before it', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask(demo);
    const reason = new Error('client went away');
    const controller = new AbortController();
    const waiting = tasker.waitForTask(taskUuid, { signal: controller.signal });
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(tasker.waitForTask(taskUuid, { signal: controller.signal })).rejects.toBe(reason);
  });

  it('a wait rejects with `stopped`, whether its tasker stops during the wait or before it', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask(demo);
    const waiting = Promise.allSettled([tasker.waitForTask(taskUuid), tasker.waitForTask(taskUuid)]);
    await tasker.stop();
    for (const answer of await waiting) {
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'stopped' } });
    }
    await expect(tasker.waitForTask(taskUuid)).rejects.toMatchObject({ code: 'stopped' });
  });

  it('1,400 waits for 700 tasks all resolve', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: quick });
    const handles = await tasker.createTasks(Array.from({ length: 700 }, () => demo));
    const waits = handles.flatMap(({ taskUuid }) => [tasker.waitForTask(taskUuid), tasker.waitForTask(taskUuid)]);
    const tasks = await Promise.all(waits);
    expect(tasks.every((task) => task.status === 'complete')).toBe(true);
  });

  it('the first wait for a task that this tasker just created sends no query, unlike other waits', async () => {
    const { tasker, demo, another } = await shared.setup({ a: [] }, { worker: false });
    const observer = await another({ worker: false, handlers: [] });
    const created = () => tasker.createTasks(Array.from({ length: 20 }, () => demo));
    const handles = await created();
    const asked = async (who: typeof tasker, tasks = handles) => {
      const before = who.statements;
      for (const { taskUuid } of tasks) who.waitForTask(taskUuid).catch(() => undefined); // they end with `stopped`
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      return who.statements - before;
    };
    // Other statements of the process can only add to a count.
    expect(await leastOf(1, async () => asked(tasker, await created()))).toBe(0);
    expect(await asked(observer)).toBeGreaterThan(0);
    await asked(tasker);
    expect(await asked(tasker)).toBeGreaterThan(0);
  });

  it('a wait for a task that ended before the wait resolves immediately', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: quick });
    const handles = await tasker.createTasks(Array.from({ length: 5 }, () => demo));
    for (const { taskUuid } of handles) {
      await expect.poll(async () => (await tasker.getTask(taskUuid)).status, { timeout: 20_000 }).toBe('complete');
    }
    const before = tasker.statements;
    const waits = handles.map(({ taskUuid }) => tasker.waitForTask(taskUuid));
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(tasker.statements - before).toBeGreaterThan(0);
    for (const task of await Promise.all(waits)) expect(task.status).toBe('complete');
  });

  it('throwOnFailure rejects with the state of a task that did not complete', async () => {
    const fail = defineHandler('a', {}, () => {
      throw new PermanentError('no');
    });
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: [fail] });
    const { taskUuid } = await tasker.createTask(demo);
    await expect(tasker.waitForTask(taskUuid, { throwOnFailure: true })).rejects.toMatchObject({
      code: 'task_failed',
      details: { status: 'blocked_by_failures' },
    });
    await tasker.resolveStep(taskUuid, 'a');
    expect((await tasker.waitForTask(taskUuid, { throwOnFailure: true })).status).toBe('complete');
  });
});

describe('waitForTask until the task waits', () => {
  it.each([
    ['an approval', approvalStep({}, ['a'])],
    ['a signal', signalStep('paid', {}, ['a'])],
  ])('returns a task that waits for %s', async (_, gate) => {
    const { tasker, demo } = await shared.setup({ a: [], gate }, { handlers: quick });
    const { taskUuid } = await tasker.createTask(demo);
    const task = await tasker.waitForTask(taskUuid, { until: 'waiting', throwOnFailure: true, timeoutMs: 20_000 });
    expect(task).toMatchObject({ taskUuid, status: 'waiting', completedSteps: 1, waitingSteps: 1 });
    await expect(tasker.waitForTask(taskUuid, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' });
  });

  it('returns a task that has ended, or is blocked by failures', async () => {
    const a = defineHandler('a', { inputs: { fails: 'fails' } }, ({ fails }) => {
      if (fails) throw new PermanentError('no');
    });
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: [a] });
    const ends = [false, true].map(async (fails) => {
      const { taskUuid } = await tasker.createTask({ ...demo, context: { fails } });
      return (await tasker.waitForTask(taskUuid, { until: 'waiting', timeoutMs: 20_000 })).status;
    });
    expect(await Promise.all(ends)).toEqual(['complete', 'blocked_by_failures']);
  });

  it('returns a task that waits for its start', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: quick });
    const startAt = new Date(Date.now() + 3_600_000).toISOString();
    const { taskUuid } = await tasker.createTask({ ...demo, startAt });
    const task = await tasker.waitForTask(taskUuid, { until: 'waiting', timeoutMs: 20_000 });
    expect(task).toMatchObject({ status: 'pending', startsAt: expect.any(String) });
  });

  it('continues while another step of the task runs', async () => {
    const gate = deferred();
    const handlers = [defineHandler('a', {}, () => gate.promise)];
    const { tasker, demo } = await shared.setup({ a: [], paid: signalStep('paid') }, { handlers });
    const { taskUuid } = await tasker.createTask(demo);
    const wait = (timeoutMs: number) => tasker.waitForTask(taskUuid, { until: 'waiting', timeoutMs });
    await expect(wait(100)).rejects.toThrow(`task ${taskUuid} did not end or begin to wait within 100 ms`);
    gate.resolve();
    expect((await wait(20_000)).status).toBe('waiting');
  });

  it('rejects another value of `until`', async () => {
    const { tasker } = await shared.setup({ a: [] }, { worker: false });
    await expect(tasker.waitForTask(UNKNOWN, { until: 'wating' as 'waiting' })).rejects.toMatchObject({
      code: 'bad_request',
      message: 'until must be ended or waiting, got "wating"',
    });
  });
});

describe('the error of a wait that times out', () => {
  /** Returns the message once the steps wait. */
  const messageFor = async ({ tasker, demo }: Pick<Shared, 'tasker' | 'demo'>, request: object = {}) => {
    const { taskUuid } = await tasker.createTask({ ...demo, ...request });
    await tasker.waitForTask(taskUuid, { until: 'waiting', timeoutMs: 20_000 });
    const error: unknown = await tasker.waitForTask(taskUuid, { timeoutMs: 20 }).catch((thrown: unknown) => thrown);
    return messageOf(error).replaceAll(taskUuid, 'TASK');
  };

  it('names the approval that the task waits for, and how to decide it', async () => {
    const fixture = await shared.setup({ sign_off: approvalStep() }, { handlers: [] });
    expect(await messageFor(fixture)).toBe(
      'task TASK did not end within 20 ms: sign_off waits for the approval "Refund the order?", without a timeout (vote: `tasker approval approve TASK sign_off --by NAME`)',
    );
  });

  it('names at most three waits', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const steps = Object.fromEntries(names.map((name) => [name, signalStep(name, { timeout: '2d' })]));
    const message = await messageFor(await shared.setup(steps, { handlers: [] }));
    expect(message.split('; ')).toEqual([
      'task TASK did not end within 20 ms: a waits for signal a, times out in 2 d (send it: `tasker signal send TASK a`)',
      'b waits for signal b, times out in 2 d (send it: `tasker signal send TASK b`)',
      'c waits for signal c, times out in 2 d (send it: `tasker signal send TASK c`)',
      '2 more waits',
    ]);
  });

  it('reports when the task starts', async () => {
    const startAt = '2999-01-01T00:00:00Z';
    expect(await messageFor(await shared.setup({ a: [] }, { handlers: quick }), { startAt })).toMatch(
      /^task TASK did not end within 20 ms: it starts in \d+ d( \d+ h)?, at 2999-01-01T00:00:00Z; start it now: `tasker task start-now TASK`$/,
    );
  });
});

describe('watchTask', () => {
  it('a watch yields each change, and ends with the final state of the task and its steps', async () => {
    const gates = { a: deferred(), b: deferred() };
    const handlers = (['a', 'b'] as const).map((name) => defineHandler(name, {}, () => gates[name].promise));
    const { tasker, demo } = await shared.setup({ a: [], b: ['a'] }, { handlers });
    const { taskUuid } = await tasker.createTask(demo);
    const seen: string[] = [];
    for await (const { task, steps } of tasker.watchTask(taskUuid)) {
      seen.push(`${task.status}: ${steps.map((step) => step.currentState).join()}`);
      if (seen.at(-1)!.includes('in_progress,pending')) gates.a.resolve();
      if (seen.at(-1)!.includes('complete,in_progress')) gates.b.resolve();
    }
    expect(seen.some((shown) => shown.endsWith('in_progress,pending'))).toBe(true);
    expect(seen.some((shown) => shown.endsWith('complete,in_progress'))).toBe(true);
    expect(seen.at(-1)).toBe('complete: complete,complete');
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('a watch ends without an error when its signal fires', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask(demo);
    const controller = new AbortController();
    let shown = 0;
    for await (const _ of tasker.watchTask(taskUuid, { signal: controller.signal })) {
      shown++;
      setImmediate(() => controller.abort());
    }
    expect(shown).toBe(1);
  });

  it('a watch rejects if the task does not exist, and when its tasker stops', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    await expect(tasker.watchTask(UNKNOWN).next()).rejects.toMatchObject({ code: 'task_not_found' });
    await expect(tasker.watchTask('x').next()).rejects.toMatchObject({ code: 'invalid_uuid' });
    const { taskUuid } = await tasker.createTask(demo);
    const watching = tasker.watchTask(taskUuid);
    await watching.next();
    const next = expect(watching.next()).rejects.toMatchObject({ code: 'stopped' });
    await tasker.stop();
    await next;
  });
});

it('the database is consistent after these tests', () => invariants(shared.sql));
