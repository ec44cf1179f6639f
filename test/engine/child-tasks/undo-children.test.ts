import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { untilTasksEnd } from '../../../src/handlers/later.ts';
import { invariants, states, template, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const OPERATOR = { actor: 'ana', reason: 'by hand' };
const ONCE = { retry: { max_attempts: 1 } };

const child = (name: string, more: object = {}) => ({ type: 'task', handler: undefined, template: name, ...more });

/** The templates that can be children, by name. */
const CHILDREN = {
  invoice: {
    number: { undo: { handler: 'release' } },
    send: { dependencies: ['number'], undo: { handler: 'recall', ...ONCE } },
  },
  harmless: { number: {} },
  half: { number: { undo: { handler: 'release' } }, broken: { dependencies: ['number'], ...ONCE } },
  endless: { number: { undo: { handler: 'release' } }, slow: { dependencies: ['number'] } },
  middle: { bill: child('invoice') },
  middle_of_nothing: { bill: child('harmless') },
} as const;

/** The ends of children whose template is `half`: the template ends the task with an error. */
const LIFECYCLES: Record<string, object> = { half: { lifecycle: { on_blocked: 'error' } } };

/** Starts a tasker whose parent template has these steps, and registers the templates of the children. */
async function bench(steps: Record<string, object>, task: Record<string, unknown> = {}) {
  const calls: string[] = [];
  const broken = new Set(['broken']);
  const names = ['number', 'send', 'release', 'recall', 'pay', 'refund', 'ship', 'unship', 'broken', 'own'];
  const handlers = [
    ...names.map((name) =>
      defineHandler(name, {}, () => {
        calls.push(name);
        if (broken.has(name)) throw new PermanentError(`${name} is down`);
        return { from: name };
      }),
    ),
    defineHandler('fan', {}, async ({ context }) =>
      untilTasksEnd([await context.startTask('endless', {}, { key: 'only' })], { onFailure: 'continue' }),
    ),
    defineHandler(
      'slow',
      {},
      ({ context }) => new Promise((resolve) => context.signal.addEventListener('abort', () => resolve({}))),
    ),
  ];
  const made = await shared.setup(steps as never, { handlers, task });
  const { tasker, demo } = made;
  const { namespace } = demo;
  await tasker.registerTemplates(
    Object.entries(CHILDREN).map(([name, inner]) => template(inner as never, { name, namespace, ...LIFECYCLES[name] })),
  );
  const ends = (id: string) => tasker.waitForTask(id, { timeoutMs: 20_000 });
  const childrenOf = async (taskUuid: string) => (await tasker.getChildTasks(taskUuid)).children;
  return {
    ...made,
    calls,
    broken,
    ends,
    childrenOf,
    start: async () => (await tasker.createTask(demo)).taskUuid,
    state: async (id: string) => (await tasker.getTask(id)).status,
    /** Returns the task that a step has started, once it is in this state. */
    childIn: async (taskUuid: string, status: string) =>
      (
        await until(
          () => childrenOf(taskUuid),
          ([first]) => first?.status === status,
        )
      )[0]!.taskUuid,
    stepIn: (taskUuid: string, step: string, state: string) =>
      until(
        () => states(tasker, taskUuid),
        (seen) => seen[step] === state,
      ),
  };
}

const ORDER = {
  pay: { undo: { handler: 'refund' } },
  bill: child('invoice', { dependencies: ['pay'] }),
  ship: { dependencies: ['bill'], undo: { handler: 'unship' } },
};

it('a child task is undone in its place in the order of its parent', async () => {
  const { tasker, start, ends, calls, childIn, stepIn } = await bench(ORDER);
  const taskUuid = await start();
  expect((await ends(taskUuid)).status).toBe('complete');
  const childUuid = await childIn(taskUuid, 'complete');
  const { steps } = await tasker.undoTask(taskUuid, { dryRun: true });
  expect(steps).toMatchObject([
    { step: 'ship', undone: true, handler: 'unship', childTaskUuid: null, after: [] },
    { step: 'bill', undone: true, childTaskUuid: childUuid, after: ['ship'], reason: null },
    { step: 'pay', undone: true, handler: 'refund', after: ['bill'] },
  ]);
  calls.length = 0;
  await tasker.undoTask(taskUuid, OPERATOR);
  expect((await ends(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['unship', 'recall', 'release', 'refund']);
  await childIn(taskUuid, 'undone');
  expect((await tasker.getStep(taskUuid, 'undo:bill')).results?.result).toEqual({
    task_uuid: childUuid,
    state: 'undone',
  });
  await stepIn(taskUuid, 'undo:bill', 'complete');
  const [act] = (await tasker.getHistory(childUuid)).filter(({ what }) => what === 'undo');
  expect(act).toMatchObject({ who: 'tasker', why: `its parent task ${taskUuid} is undone` });
  await invariants(shared.sql);
});

it('a parent waits while the undo of its child is blocked, and names the child as the reason', async () => {
  const { tasker, start, ends, broken, childIn, state, calls } = await bench(ORDER);
  broken.add('recall');
  const taskUuid = await start();
  await ends(taskUuid);
  calls.length = 0;
  await tasker.undoTask(taskUuid);
  const childUuid = await childIn(taskUuid, 'blocked_by_failures');
  expect(await state(taskUuid)).toBe('undoing');
  expect(calls).toEqual(['unship', 'recall']);
  const { steps } = await tasker.why(taskUuid);
  expect(steps.map(({ why }) => why).join()).toMatch(/the undo of child task .*undo:send failed/s);
  broken.clear();
  await tasker.retryStep(childUuid, 'undo:send', OPERATOR);
  expect((await ends(taskUuid)).status).toBe('undone');
  expect(await state(childUuid)).toBe('undone');
});

it('an undo passes through a child whose template has no undo', async () => {
  const { tasker, start, ends, childIn, childrenOf, calls } = await bench({
    pay: { undo: { handler: 'refund' } },
    bill: child('harmless', { dependencies: ['pay'] }),
    ship: { dependencies: ['bill'], undo: { handler: 'unship' } },
  });
  const taskUuid = await start();
  await ends(taskUuid);
  await childIn(taskUuid, 'complete');
  calls.length = 0;
  const { steps } = await tasker.undoTask(taskUuid);
  expect(steps).toMatchObject([
    { step: 'ship' },
    { step: 'pay', after: ['ship'] },
    { step: 'bill', reason: 'no_undo' },
  ]);
  expect((await ends(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['unship', 'refund']);
  expect(await childrenOf(taskUuid)).toMatchObject([{ status: 'complete' }]);
});

it('a task whose steps and child tasks have no undo cannot be undone', async () => {
  const { tasker, start, ends } = await bench({ bill: child('harmless') });
  const taskUuid = await start();
  await ends(taskUuid);
  await expect(tasker.undoTask(taskUuid)).rejects.toMatchObject({
    code: 'illegal_transition',
    message: expect.stringContaining('and none of its child tasks can be undone'),
  });
  const { skipped } = await tasker.bulk.undo({ ids: [taskUuid] }, OPERATOR).result();
  expect(JSON.stringify(skipped)).toContain('no step of its template has `undo`');
});

it('the children of a child are undone too', async () => {
  const { tasker, start, ends, childIn, calls } = await bench({
    one: child('middle'),
    two: child('middle_of_nothing'),
  });
  const taskUuid = await start();
  await ends(taskUuid);
  calls.length = 0;
  await tasker.undoTask(taskUuid);
  expect((await ends(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['recall', 'release']);
  await childIn(taskUuid, 'undone');
});

it('a child that failed is undone, because some of its steps may have completed', async () => {
  const { tasker, start, ends, childIn, calls } = await bench({ bill: child('half') });
  const taskUuid = await start();
  expect((await ends(taskUuid)).status).toBe('blocked_by_failures');
  await childIn(taskUuid, 'error');
  calls.length = 0;
  await tasker.undoTask(taskUuid);
  expect((await ends(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['release']);
  await childIn(taskUuid, 'undone');
});

it('a child that is running is stopped and undone', async () => {
  const { tasker, start, ends, childIn, stepIn, calls } = await bench({ bill: child('endless') });
  const taskUuid = await start();
  const childUuid = await childIn(taskUuid, 'steps_in_process');
  await stepIn(childUuid, 'slow', 'in_progress');
  await tasker.undoTask(taskUuid);
  expect((await ends(taskUuid)).status).toBe('undone');
  expect((await ends(childUuid)).status).toBe('undone');
  expect(calls).toEqual(['number', 'release']);
  expect(await states(tasker, childUuid)).toMatchObject({ slow: 'cancelled', 'undo:number': 'complete' });
  await invariants(shared.sql);
});

it('a step has not started a child: nothing is undone for it', async () => {
  const { tasker, start, ends, stepIn } = await bench({
    pay: { undo: { handler: 'refund' } },
    broken: { dependencies: ['pay'], ...ONCE },
    bill: child('invoice', { dependencies: ['broken'] }),
  });
  const taskUuid = await start();
  await stepIn(taskUuid, 'broken', 'error');
  const { steps } = await tasker.undoTask(taskUuid);
  expect(steps.find(({ step }) => step === 'bill')).toMatchObject({ undone: false, reason: 'not_started' });
  expect((await ends(taskUuid)).status).toBe('undone');
  expect(await states(tasker, taskUuid)).not.toHaveProperty('undo:bill');
});

it('a child that was abandoned blocks the undo, until an operator resolves its step', async () => {
  const { tasker, start, ends, childIn, stepIn, state, calls } = await bench({
    pay: { undo: { handler: 'refund' } },
    bill: child('endless', { dependencies: ['pay'], on_cancel: 'abandon' }),
  });
  const taskUuid = await start();
  const childUuid = await childIn(taskUuid, 'steps_in_process');
  await stepIn(childUuid, 'slow', 'in_progress');
  const { steps } = await tasker.undoTask(taskUuid, { dryRun: true });
  expect(steps[0]).toMatchObject({
    step: 'bill',
    undone: false,
    reason: 'child_abandoned',
    childTaskUuid: childUuid,
  });
  await tasker.undoTask(taskUuid);
  expect((await ends(taskUuid)).status).toBe('blocked_by_failures');
  const { results } = await tasker.getStep(taskUuid, 'undo:bill');
  expect(results?.error).toMatchObject({
    error_type: 'child_abandoned',
    message: expect.stringContaining(`child task ${childUuid}`),
  });
  expect(await state(childUuid)).toBe('steps_in_process');
  expect(calls).not.toContain('refund');
  await tasker.undoTask(childUuid);
  expect((await ends(childUuid)).status).toBe('undone');
  await tasker.resolveStep(taskUuid, 'undo:bill', OPERATOR);
  expect((await ends(taskUuid)).status).toBe('undone');
  expect(calls.at(-1)).toBe('refund');
});

it('a child with on_cancel: abandon that its step has waited for is undone', async () => {
  const { tasker, start, ends, childIn } = await bench({ bill: child('invoice', { on_cancel: 'abandon' }) });
  const taskUuid = await start();
  await ends(taskUuid);
  await tasker.undoTask(taskUuid);
  expect((await ends(taskUuid)).status).toBe('undone');
  await childIn(taskUuid, 'undone');
});

it('a child that was deleted blocks the undo, unless its template has no undo', async () => {
  const { tasker, start, ends, childIn } = await bench({ bill: child('invoice'), other: child('harmless') });
  const taskUuid = await start();
  await ends(taskUuid);
  await childIn(taskUuid, 'complete');
  for (const { taskUuid: id } of (await tasker.getChildTasks(taskUuid)).children) {
    await until(
      () =>
        tasker.deleteTask(id).then(
          () => true,
          () => false,
        ),
      (done) => done,
    );
  }
  const { steps } = await tasker.undoTask(taskUuid);
  expect(steps).toMatchObject([
    { step: 'bill', undone: false, reason: 'child_deleted' },
    { step: 'other', undone: false, reason: 'no_undo' },
  ]);
  expect((await ends(taskUuid)).status).toBe('blocked_by_failures');
  const { results } = await tasker.getStep(taskUuid, 'undo:bill');
  expect(results?.error).toMatchObject({ error_type: 'child_deleted' });
  expect((await tasker.deadLetters.list({ task: taskUuid })).entries).toHaveLength(1);
});

it('if the undo of a child is stopped, its step fails, and continues after both are repaired', async () => {
  const { tasker, start, ends, broken, childIn, state } = await bench(ORDER);
  broken.add('recall');
  const taskUuid = await start();
  await ends(taskUuid);
  await tasker.undoTask(taskUuid);
  const childUuid = await childIn(taskUuid, 'blocked_by_failures');
  await tasker.cancelTask(childUuid, OPERATOR);
  expect((await ends(taskUuid)).status).toBe('blocked_by_failures');
  const { results } = await tasker.getStep(taskUuid, 'undo:bill');
  expect(results?.error).toMatchObject({
    error_type: 'child_not_undone',
    message: expect.stringContaining('ended in cancelled'),
  });
  broken.clear();
  await tasker.retryStep(taskUuid, 'undo:bill', OPERATOR);
  expect((await ends(taskUuid)).status).toBe('undone');
  expect(await state(childUuid)).toBe('undone');
});

it('a child that an operator has undone is not undone twice', async () => {
  const { tasker, start, ends, childIn, calls } = await bench(ORDER);
  const taskUuid = await start();
  await ends(taskUuid);
  const childUuid = await childIn(taskUuid, 'complete');
  await tasker.undoTask(childUuid, OPERATOR);
  await ends(childUuid);
  calls.length = 0;
  await tasker.undoTask(taskUuid);
  expect((await ends(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['unship', 'refund']);
});

it('a step of the type task with an undo of its own does not undo its child', async () => {
  const { tasker, start, ends, childrenOf, calls } = await bench({
    bill: child('invoice', { undo: { handler: 'own' } }),
  });
  const taskUuid = await start();
  await ends(taskUuid);
  calls.length = 0;
  await tasker.undoTask(taskUuid);
  expect((await ends(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['own']);
  expect(await childrenOf(taskUuid)).toMatchObject([{ status: 'complete' }]);
});

it('if the undo of the parent is cancelled, the child finishes its own, and a second undo continues', async () => {
  const { tasker, start, ends, broken, childIn, calls } = await bench(ORDER);
  broken.add('recall');
  const taskUuid = await start();
  await ends(taskUuid);
  await tasker.undoTask(taskUuid);
  const childUuid = await childIn(taskUuid, 'blocked_by_failures');
  await tasker.cancelTask(taskUuid, OPERATOR);
  broken.clear();
  await tasker.retryStep(childUuid, 'undo:send', OPERATOR);
  expect((await ends(childUuid)).status).toBe('undone');
  calls.length = 0;
  await tasker.undoTask(taskUuid);
  expect((await ends(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['refund']);
});

it('on_blocked: undo and on_cancel: undo also undo child tasks', async () => {
  const { tasker, start, ends, childIn, demo } = await bench(
    { bill: child('invoice'), broken: { dependencies: ['bill'], ...ONCE } },
    { lifecycle: { on_blocked: 'undo', on_cancel: 'undo' } },
  );
  const taskUuid = await start();
  expect((await ends(taskUuid)).status).toBe('undone');
  await childIn(taskUuid, 'undone');
  expect(demo).toBeDefined();
  expect((await tasker.getTask(taskUuid)).status).toBe('undone');
});

it('a poll finds the undo of a child that its process did not begin, and the end that it did not deliver', async () => {
  const { tasker, start, ends, childIn, state, stepIn } = await bench({ bill: child('invoice') });
  const taskUuid = await start();
  await ends(taskUuid);
  const childUuid = await childIn(taskUuid, 'complete');
  const { childTasks } = tasker.engine;
  const changed = childTasks.changed.bind(childTasks);
  const look = childTasks.look.bind(childTasks);
  childTasks.changed = () => {};
  childTasks.look = async () => 0;
  await tasker.undoTask(taskUuid);
  await stepIn(taskUuid, 'undo:bill', 'waiting');
  expect(await state(taskUuid)).toBe('undoing');
  expect(await state(childUuid)).toBe('complete');
  await look();
  expect((await ends(childUuid)).status).toBe('undone');
  expect(await state(taskUuid)).toBe('undoing');
  childTasks.look = look;
  await look();
  expect((await ends(taskUuid)).status).toBe('undone');
  childTasks.changed = changed;
});

it('the wait for a list of tasks ends with a task that was undone', async () => {
  const { tasker, start, ends, childIn, stepIn } = await bench({ fan: {} });
  const taskUuid = await start();
  const childUuid = await childIn(taskUuid, 'steps_in_process');
  await stepIn(childUuid, 'slow', 'in_progress');
  await stepIn(taskUuid, 'fan', 'waiting');
  await tasker.undoTask(childUuid, OPERATOR);
  expect((await ends(taskUuid)).status).toBe('complete');
  expect((await tasker.getStep(taskUuid, 'fan')).results?.result).toMatchObject({
    result: [{ task_uuid: childUuid, state: 'undone', error: { type: 'child_failed' } }],
  });
});
