import { describe, expect, it } from 'vitest';
import { invariants } from '../../support/setup.ts';
import { type Steps, sharedWaitingBenches, signalStep } from '../../support/waits/waiting.ts';

const waitingBench = sharedWaitingBenches();

const PAYMENT = { type: 'object', required: ['amount'], properties: { amount: { type: 'number', minimum: 1 } } };
const ONE: Steps = { pay: signalStep('paid', { schema: PAYMENT }), ship: ['pay'] };

const code = (call: Promise<unknown>) =>
  call.then(
    () => 'no error',
    (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
  );

describe('a signal', () => {
  it('completes the step that waits for it, and the task continues', async () => {
    const { tasker, create, work, resultOf, sql } = await waitingBench(ONE);
    const task = await create();
    await work();
    expect((await tasker.getStep(task, 'pay')).currentState).toBe('waiting');
    const sent = await tasker.signal(task, 'paid', { amount: 12 }, { by: 'bank' });
    expect(sent).toEqual({
      signalId: sent.signalId,
      status: 'received',
      tasks: [{ taskUuid: task, status: 'used', step: 'pay', duplicate: false }],
    });
    expect(await resultOf(task, 'pay')).toEqual({ amount: 12 });
    expect((await tasker.getStep(task, 'ship')).currentState).toBe('enqueued');
    await work();
    expect((await tasker.getTask(task)).status).toBe('complete');
    await invariants(sql);
  });

  it('is kept if it arrives before its step waits, and used as soon as the step waits', async () => {
    const { tasker, create, work, resultOf } = await waitingBench(ONE);
    const task = await create();
    const sent = await tasker.signal(task, 'paid', { amount: 1 });
    expect(sent.tasks).toEqual([{ taskUuid: task, status: 'kept', step: null, duplicate: false }]);
    await work();
    expect(await resultOf(task, 'pay')).toEqual({ amount: 1 });
    expect((await tasker.getSignal(sent.signalId))!.tasks[0]).toMatchObject({ status: 'used', step: 'pay' });
  });

  it('is used by only one step, and several signals are used in order of arrival', async () => {
    const { tasker, create, work, resultOf } = await waitingBench({
      first: signalStep('tick'),
      second: signalStep('tick', {}, ['first']),
      third: signalStep('tick', {}, ['second']),
    });
    const task = await create();
    for (const number of [1, 2, 3]) await tasker.signal(task, 'tick', number);
    await work();
    expect(await Promise.all(['first', 'second', 'third'].map((step) => resultOf(task, step)))).toEqual([1, 2, 3]);
  });

  it('is a duplicate of an earlier signal with the same key whatever its payload', async () => {
    const { tasker, create, work, resultOf, sql } = await waitingBench(ONE);
    const task = await create();
    const first = await tasker.signal(task, 'paid', { amount: 1 }, { idempotencyKey: 'e-1' });
    const second = await tasker.signal(task, 'paid', { amount: 2 }, { idempotencyKey: 'e-1' });
    expect(second).toEqual({ ...first, tasks: [{ ...first.tasks[0], duplicate: true }] });
    await work();
    const third = await tasker.signal(task, 'paid', { amount: 3 }, { idempotencyKey: 'e-1' });
    expect(third.tasks).toEqual([{ taskUuid: task, status: 'used', step: 'pay', duplicate: true }]);
    expect(await resultOf(task, 'pay')).toEqual({ amount: 1 });
    expect(await sql('select 1 from tasker.signal')).toHaveLength(1);
  });

  it('is rejected with the path if it violates the schema, whether or not its step is already waiting', async () => {
    const { tasker, create, work, sql } = await waitingBench(ONE);
    const task = await create();
    const refused = `signal_refused: the payload of signal paid does not match the schema of step pay of task ${task}: /amount must be >= 1`;
    expect(await code(tasker.signal(task, 'paid', { amount: 0 }))).toBe(refused);
    await work();
    expect(await code(tasker.signal(task, 'paid', { amount: 0 }))).toBe(refused);
    expect((await tasker.getStep(task, 'pay')).currentState).toBe('waiting');
    expect(await sql('select 1 from tasker.signal')).toHaveLength(0);
  });

  it('is rejected if no step waits for its name, and the error suggests a similar name', async () => {
    const { tasker, create } = await waitingBench(ONE);
    const task = await create();
    expect(await code(tasker.signal(task, 'piad', 1))).toMatch(
      /^signal_refused: no step of task .* waits for signal piad; did you mean paid\?$/,
    );
  });

  it('is rejected if its task has ended or was cancelled', async () => {
    const { tasker, create, work } = await waitingBench(ONE);
    const [done, cancelled] = [await create(), await create()];
    await work();
    await tasker.signal(done, 'paid', { amount: 1 });
    await work();
    await tasker.cancelTask(cancelled);
    expect(await code(tasker.signal(done, 'paid', { amount: 1 }))).toMatch(
      /^signal_refused: no step of task .* any more: step pay received it at 20/,
    );
    expect(await code(tasker.signal(cancelled, 'paid', { amount: 1 }))).toMatch(
      /^wait_over: step pay of task .* no longer waits: its task was cancelled at 20|^wait_over: task .* was cancelled at 20/,
    );
  });

  it('is kept with on_unknown: keep if no step can use it, and used when the step waits again', async () => {
    const steps = { pay: signalStep('paid', { timeout: '1h', on_unknown: 'keep' }), ship: ['pay'] };
    const { tasker, create, work, age, engine, resultOf } = await waitingBench(steps);
    const task = await create();
    await work();
    await age('2 hours');
    await engine.endDueWaits();
    expect((await tasker.getStep(task, 'pay')).currentState).toBe('error');
    const sent = await tasker.signal(task, 'paid', 5);
    expect(sent.tasks[0]!.status).toBe('kept');
    await tasker.resetStep(task, 'pay');
    await work();
    expect(await resultOf(task, 'pay')).toBe(5);
  });

  it('is late after the timeout, even if no process has handled the timeout', async () => {
    const { tasker, create, work, age, engine } = await waitingBench({ pay: signalStep('paid', { timeout: '1h' }) });
    const task = await create();
    await work();
    await age('2 hours');
    const late = await code(tasker.signal(task, 'paid', 5));
    expect(late).toMatch(/^wait_over: step pay of task .* no longer waits: it timed out at 20/);
    await engine.endDueWaits();
    expect(await code(tasker.signal(task, 'paid', 5))).toBe(late);
    expect((await tasker.getStep(task, 'pay')).currentState).toBe('error');
    await tasker.resetStep(task, 'pay');
    await work();
    expect((await tasker.signal(task, 'paid', 6)).tasks[0]!.status).toBe('used');
  });

  it('is replaced by the default if it does not arrive in time', async () => {
    const steps = { pay: signalStep('paid', { timeout: '1h', on_timeout: 'complete', default: { amount: 0 } }) };
    const { create, work, age, engine, resultOf, tasker, sql } = await waitingBench(steps);
    const task = await create();
    await work();
    await age('2 hours');
    expect(await engine.endDueWaits()).toBe(1);
    expect(await resultOf(task, 'pay')).toEqual({ amount: 0 });
    expect((await tasker.getTask(task)).status).toBe('complete');
    await invariants(sql);
  });

  it('is held until all signals that its step waits for have arrived', async () => {
    const { tasker, create, work, resultOf } = await waitingBench({
      all: signalStep('reply', { count: 3 }),
      end: ['all'],
    });
    const task = await create();
    await tasker.signal(task, 'reply', 'early');
    await work();
    expect((await tasker.signal(task, 'reply', 'second')).tasks[0]).toMatchObject({ status: 'held', step: 'all' });
    expect((await tasker.listSignals(task)).signals.map(({ status }) => status)).toEqual(['held', 'held']);
    expect((await tasker.signal(task, 'reply', 'third')).tasks[0]!.status).toBe('used');
    expect(await resultOf(task, 'all')).toEqual(['early', 'second', 'third']);
  });

  it('is available to the next wait if a step held it until its timeout', async () => {
    const { tasker, create, work, age, engine, resultOf } = await waitingBench({
      all: signalStep('reply', { count: 2, timeout: '1h' }),
    });
    const task = await create();
    await work();
    await tasker.signal(task, 'reply', 1);
    await age('2 hours');
    await engine.endDueWaits();
    expect((await tasker.getStep(task, 'all')).results?.error).toMatchObject({ error_type: 'wait_timeout' });
    await tasker.resetStep(task, 'all');
    await work();
    await tasker.signal(task, 'reply', 2);
    expect(await resultOf(task, 'all')).toEqual([1, 2]);
  });

  it('goes to a step that a decision may still create, and is rejected once the decision has chosen another step', async () => {
    const steps: Steps = {
      load: [],
      choose: { type: 'decision', dependencies: ['load'] },
      pay: signalStep('paid', {}, ['choose']),
      skip: ['choose'],
    };
    const { tasker, create, work, resultOf } = await waitingBench(steps);
    const [chosen, other] = [await create(), await create()];
    for (const task of [chosen, other]) expect((await tasker.signal(task, 'paid', 1)).tasks[0]!.status).toBe('kept');
    await work({ choose: { decision_point_outcome: { type: 'create_steps', step_names: ['pay'] } } });
    expect(await resultOf(chosen, 'pay')).toBe(1);
    const third = await create();
    await work({ choose: { decision_point_outcome: { type: 'create_steps', step_names: ['skip'] } } });
    expect(await code(tasker.signal(third, 'paid', 1))).toMatch(/^signal_refused: .* any more/);
  });

  it('reaches all open tasks with its correlation id that have a step for it, and the result lists these tasks', async () => {
    const { tasker, namespace, create, work } = await waitingBench(ONE);
    await tasker.registerTemplates({
      name: 'other',
      namespace,
      version: '1.0.0',
      identity_strategy: 'always_unique',
      steps: [{ name: 'a', handler: 'a' }],
    });
    const correlationId = '0199aaaa-0000-7000-8000-00000000aaaa';
    const tasks = [await create({ correlationId }), await create({ correlationId }), await create({ correlationId })];
    await create({ correlationId, name: 'other' });
    await create();
    await work();
    await tasker.cancelTask(tasks[2]!);
    const sent = await tasker.signal({ correlationId }, 'paid', { amount: 3 }, { idempotencyKey: 'k' });
    expect(sent.tasks.map(({ taskUuid }) => taskUuid)).toEqual(tasks.slice(0, 2));
    const again = await tasker.signal({ correlationId }, 'paid', { amount: 3 }, { idempotencyKey: 'k' });
    expect(again.signalId).toBe(sent.signalId);
    expect(again.tasks.map(({ duplicate }) => duplicate)).toEqual([true, true]);
  });

  it('is rejected if no open task has its correlation id; a task without a correlation id uses its own id', async () => {
    const { tasker, create } = await waitingBench(ONE);
    const task = await create();
    expect((await tasker.signal({ correlationId: task }, 'paid', { amount: 1 })).tasks[0]!.status).toBe('kept');
    expect(await code(tasker.signal({ correlationId: '0199aaaa-0000-7000-8000-00000000aaaa' }, 'paid'))).toMatch(
      /^signal_refused: no open task with the correlation id/,
    );
  });

  it('reaches the task that was created with its idempotency key, in any version', async () => {
    const { tasker, namespace, create } = await waitingBench(ONE);
    const task = await create({ idempotencyKey: 'O-7' });
    const target = { namespace, name: 'demo', idempotencyKey: 'O-7' };
    expect((await tasker.signal(target, 'paid', { amount: 1 })).tasks[0]!.taskUuid).toBe(task);
    expect(await code(tasker.signal({ ...target, idempotencyKey: 'O-8' }, 'paid'))).toBe(
      `task_not_found: no task of ${namespace}/demo with the idempotency key O-8 exists`,
    );
    expect(await code(tasker.signal({ ...target, version: '2.0.0' }, 'paid'))).toMatch(/^task_not_found/);
  });

  it('completes its step while the task is paused, but later steps do not start', async () => {
    const { tasker, create, work, claim } = await waitingBench(ONE);
    const task = await create();
    await work();
    await tasker.pause({ task });
    expect((await tasker.signal(task, 'paid', { amount: 1 })).tasks[0]!.status).toBe('used');
    expect(await claim()).toEqual([]);
    await tasker.resume({ task });
    await work();
    expect((await tasker.getTask(task)).status).toBe('complete');
  });

  it('is deleted with its task', async () => {
    const { tasker, create, sql } = await waitingBench(ONE);
    const task = await create();
    const { signalId } = await tasker.signal(task, 'paid', { amount: 1 });
    await tasker.cancelTask(task);
    await tasker.deleteTask(task);
    expect(await sql('select 1 from tasker.signal')).toEqual([]);
    expect(await tasker.getSignal(signalId)).toBeUndefined();
  });
});

describe('the arguments of a signal', () => {
  it.each([
    ['a name that is empty', ['', 1], /^bad_request: the name of a signal must be a string/],
    ['a name with U+0000', ['a\0', 1], /^bad_request/],
    [
      'a payload with a function',
      ['paid', { f: () => 1 }],
      /^signal_refused: the payload of signal paid cannot be stored: payload\.f/,
    ],
    ['a payload with U+0000', ['paid', { a: ['x', '\0'] }], /payload\.a\[1\]: PostgreSQL cannot store U\+0000/],
    ['a payload of more than 1 MB', ['paid', 'x'.repeat(1_048_577)], /it is larger than 1048576 bytes/],
  ])('are rejected: %s', async (_, [name, payload], message) => {
    const { tasker, create } = await waitingBench(ONE);
    const task = await create();
    expect(await code(tasker.signal(task, name as string, payload))).toMatch(message);
  });

  it('are rejected if the task, the key or the sender is invalid', async () => {
    const { tasker, create } = await waitingBench(ONE);
    const task = await create();
    const to = (target: unknown, options = {}) => code(tasker.signal(target as string, 'paid', { amount: 1 }, options));
    expect(await to('x')).toMatch(/^invalid_uuid/);
    expect(await to(7)).toMatch(/^bad_request: the target of a signal must be a task id/);
    expect(await to({ correlationId: 'x' })).toMatch(/^invalid_uuid: correlationId/);
    expect(await to({ idempotencyKey: 'x' })).toMatch(/^bad_request: name must be/);
    expect(await to('0199aaaa-0000-7000-8000-00000000aaaa')).toMatch(/^task_not_found/);
    expect(await to(task, { idempotencyKey: 'k'.repeat(257) })).toMatch(/^bad_request: idempotencyKey/);
    expect(await to(task, { by: 7 })).toMatch(/^bad_request: by/);
  });

  it('can have any Unicode, and a payload of 1 MB', async () => {
    const { tasker, create, work, resultOf } = await waitingBench({ a: signalStep('bezahlt 💶 до') });
    const [one, two] = [await create(), await create()];
    await work();
    const value = { 'ключ 🔑': '値\u2028', text: 'x'.repeat(1_048_000) };
    await tasker.signal(one, 'bezahlt 💶 до', value, { by: 'Zoë', idempotencyKey: '🔑' });
    expect(await resultOf(one, 'a')).toEqual(value);
    expect((await tasker.signal(two, 'bezahlt 💶 до')).tasks[0]!.status).toBe('used');
    expect(await resultOf(two, 'a')).toBeNull();
  });

  it('are rejected once the task keeps 1,000 unused signals', async () => {
    const { tasker, create, sql } = await waitingBench(ONE);
    const task = await create();
    await sql(
      `insert into tasker.signal (task_uuid, signal_id, name, payload, size)
       select $1, gen_random_uuid(), 'paid', '{"amount": 1}', 13 from generate_series(1, 999)`,
      [task],
    );
    await tasker.signal(task, 'paid', { amount: 1 });
    expect(await code(tasker.signal(task, 'paid', { amount: 1 }))).toMatch(
      /^signal_refused: task .* cannot keep more signals: it has 1000 signals that no step has used/,
    );
    const { signals, nextCursor } = await tasker.listSignals(task, { kept: true, limit: 900 });
    expect(signals).toHaveLength(900);
    expect((await tasker.listSignals(task, { cursor: nextCursor! })).signals).toHaveLength(100);
  });
});
