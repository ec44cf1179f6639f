import { describe, expect, it } from 'vitest';
import { choosing, sharedHandWorkers } from '../../support/hand-worker.ts';
import { invariants } from '../../support/setup.ts';

const handWorker = sharedHandWorkers();

/** The steps that a rerun covers, as `name change`. */
const changes = (steps: readonly { step: string; change: string }[]) =>
  steps.map(({ step, change }) => (change === 'again' ? step : `${step} ${change}`));

describe('a rerun of a task without dynamic steps', () => {
  it('a complete task runs again from a step, keeps the results before this step, and ends again', async () => {
    const hand = await handWorker({ a: [], b: ['a'], c: ['b'] });
    for (const name of ['a', 'b', 'c']) {
      expect(await hand.claim()).toEqual([name]);
      await hand.record(hand.completed(name, { by: name, run: 1 }));
    }
    const before = await hand.tasker.waitForTask(hand.taskUuid);
    expect(before.status).toBe('complete');

    const rerun = await hand.tasker.rerunTask(hand.taskUuid, { from: 'b', actor: 'ana', reason: 'wrong price' });
    expect(rerun).toMatchObject({ from: 'b', rerun: 1, dryRun: false, statusBefore: 'complete' });
    expect(rerun.status).toBe('steps_in_process');
    expect(changes(rerun.steps)).toEqual(['b', 'c']);
    await invariants(hand.sql);
    const task = await hand.tasker.getTask(hand.taskUuid);
    expect(task).toMatchObject({ status: 'steps_in_process', completedAt: null, reruns: 1, completedSteps: 1 });
    expect(await hand.states()).toEqual({ a: 'complete', b: 'enqueued', c: 'pending' });
    const step = await hand.tasker.getStep(hand.taskUuid, 'b');
    expect(step).toMatchObject({ attempts: 0, rerun: 1, results: null, worker: null, completedAt: null });

    const waiting = hand.tasker.waitForTask(hand.taskUuid, { timeoutMs: 20_000 });
    expect(await hand.claim()).toEqual(['b']);
    expect(hand.held.get('b')!.row).toMatchObject({ attempts: 2, spared: 1, rerun: 1 });
    await hand.record(hand.completed('b', { by: 'b', run: 2 }));
    expect(await hand.claim()).toEqual(['c']);
    await hand.record(hand.completed('c', { by: 'c', run: 2 }));
    const after = await waiting;
    expect(after.status).toBe('complete');
    expect(after.completedAt! > before.completedAt!).toBe(true);
    await invariants(hand.sql);

    const runs = await hand.tasker.getEarlierRuns(hand.taskUuid);
    expect(runs.map(({ step, rerun, endedByRerun, result }) => ({ step, rerun, endedByRerun, result }))).toEqual([
      { step: 'b', rerun: 0, endedByRerun: 1, result: { by: 'b', run: 1 } },
      { step: 'c', rerun: 0, endedByRerun: 1, result: { by: 'c', run: 1 } },
    ]);
    const history = await hand.tasker.getHistory(hand.taskUuid);
    expect(
      history.map(({ step, what, attempt, rerun, droppedResult }) => [step, what, attempt, rerun, droppedResult]),
    ).toEqual([
      ['a', 'completed', 1, 0, null],
      ['b', 'completed', 1, 0, { by: 'b', run: 1 }],
      ['c', 'completed', 1, 0, { by: 'c', run: 1 }],
      ['b', 'rerun', null, null, null],
      ['b', 'completed', 1, 1, null],
      ['c', 'completed', 1, 1, null],
    ]);
    expect(history[3]).toMatchObject({ who: 'ana', why: 'wrong price', toState: 'steps_in_process' });
    const [act] = await hand.sql(
      `select from_state, to_state, details from tasker.operator_action where action = 'rerun'`,
    );
    expect(act).toEqual({
      from_state: 'complete',
      to_state: 'steps_in_process',
      details: { from: 'b', rerun: 1, again: 2, removed: 0, returned: 0 },
    });
  });

  it('in a diamond, a rerun from one side keeps the other side', async () => {
    const hand = await handWorker({ a: [], left: ['a'], right: ['a'], end: ['left', 'right'] });
    await hand.claim();
    await hand.record(hand.completed('a'));
    await hand.claim();
    await hand.record(hand.completed('left'), hand.completed('right', { kept: true }));
    await hand.claim();
    await hand.record(hand.completed('end'));
    const { steps } = await hand.tasker.rerunTask(hand.taskUuid, { from: 'left' });
    expect(changes(steps)).toEqual(['left', 'end']);
    expect(await hand.states()).toEqual({ a: 'complete', left: 'enqueued', right: 'complete', end: 'pending' });
    expect(await hand.claim()).toEqual(['left']);
    await hand.record(hand.completed('left'));
    expect(await hand.claim()).toEqual(['end']);
    await hand.record(hand.completed('end'));
    expect((await hand.tasker.getStep(hand.taskUuid, 'right')).results!.result).toEqual({ kept: true });
    expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('complete');
    await invariants(hand.sql);
  });

  it('a rerun takes back running, waiting and queued steps after its first step, and late results are rejected', async () => {
    const hand = await handWorker({
      a: [],
      run: ['a'],
      retry: ['a'],
      ready: ['a'],
      other: [],
      end: ['run', 'retry', 'ready'],
    });
    await hand.claim();
    await hand.record(hand.completed('a'));
    await hand.claim();
    await hand.record({ ...hand.ended('retry', 'retryable'), delayMs: 3_600_000 }, hand.ended('ready', 'released'));
    expect(await hand.states()).toMatchObject({ run: 'in_progress', retry: 'waiting_for_retry', ready: 'enqueued' });
    const late = hand.completed('run', { late: true });
    const other = hand.completed('other');
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'a', actor: 'ana' });
    await invariants(hand.sql);
    expect(await hand.states()).toEqual({
      a: 'enqueued',
      run: 'pending',
      retry: 'pending',
      ready: 'pending',
      other: 'in_progress',
      end: 'pending',
    });
    expect((await hand.sql(`select count(*)::int n from tasker.timer`))[0]).toEqual({ n: 0 });
    expect((await hand.sql(`select count(*)::int n from tasker.queue`))[0]).toEqual({ n: 1 });
    const answer = await hand.record(late, other);
    expect(answer.refused).toEqual([0]);
    expect((await hand.tasker.getHistory(hand.taskUuid)).filter(({ step }) => step === 'run')).toMatchObject([
      { what: 'cancelled', attempt: 1, rerun: 0, toState: 'cancelled' },
    ]);
    expect(await hand.claim()).toEqual(['a']);
    await hand.record(hand.completed('a'));
    expect(await hand.claim()).toEqual(['ready', 'retry', 'run']);
    // Late results are also rejected when the step runs again under another fence.
    expect((await hand.record(late)).refused).toEqual([0]);
    await hand.record(hand.completed('run'), hand.completed('retry'), hand.completed('ready'));
    await hand.claim();
    await hand.record(hand.completed('end'));
    expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('complete');
    await invariants(hand.sql);
  });

  it('a rerun is rejected while a step before it is not done, and for unknown tasks and steps', async () => {
    const hand = await handWorker({ a: [], b: ['a'], c: ['b'] });
    const rerun = (from: string, taskUuid = hand.taskUuid) => hand.tasker.rerunTask(taskUuid, { from });
    await expect(rerun('b')).rejects.toMatchObject({
      code: 'illegal_transition',
      message: `task ${hand.taskUuid} cannot run again from b: a, which must be done first, is in enqueued; run the task again from a, or complete that step first`,
    });
    await expect(rerun('bb')).rejects.toMatchObject({ code: 'step_not_found' });
    await expect(rerun('a', '00000000-0000-7000-8000-000000000000')).rejects.toMatchObject({ code: 'task_not_found' });
    await expect(rerun('a', 'x')).rejects.toMatchObject({ code: 'invalid_uuid' });
    for (const from of [undefined, 7, 'a\0'] as unknown as string[]) {
      await expect(rerun(from)).rejects.toMatchObject({ code: 'bad_request' });
    }
    expect((await hand.tasker.getTask(hand.taskUuid)).reruns).toBe(0);
    expect((await hand.sql(`select * from tasker.operator_action where task_uuid = '${hand.taskUuid}'`)).length).toBe(
      0,
    );
  });

  it('a dry run lists what would run again, marks steps that are not retryable, and changes nothing', async () => {
    const hand = await handWorker({ a: [], pay: { dependencies: ['a'], retry: { retryable: false } } });
    await hand.claim();
    await hand.record(hand.completed('a'));
    await hand.claim();
    await hand.record(hand.completed('pay'));
    const dump = () =>
      hand.sql(
        `select t::text, (select json_agg(s order by s.idx)::text from tasker.step s where s.task_uuid = t.task_uuid) from tasker.task t`,
      );
    const before = await dump();
    const dry = await hand.tasker.rerunTask(hand.taskUuid, { from: 'a', dryRun: true });
    expect(dry).toMatchObject({ dryRun: true, rerun: 1, status: 'complete' });
    expect(dry.steps).toEqual([
      { step: 'a', templateStepName: 'a', state: 'complete', attempts: 1, retryable: true, change: 'again' },
      { step: 'pay', templateStepName: 'pay', state: 'complete', attempts: 1, retryable: false, change: 'again' },
    ]);
    expect(await dump()).toEqual(before);
  });

  it('two concurrent reruns run one after the other', async () => {
    const hand = await handWorker({ a: [], b: ['a'] });
    await hand.claim();
    await hand.record(hand.completed('a'));
    await hand.claim();
    const reruns = await Promise.all([1, 2].map(() => hand.tasker.rerunTask(hand.taskUuid, { from: 'a' })));
    expect(reruns.map(({ rerun }) => rerun).sort()).toEqual([1, 2]);
    await invariants(hand.sql);
    expect((await hand.sql(`select count(*)::int n from tasker.queue`))[0]).toEqual({ n: 1 });
    expect(await hand.claim()).toEqual(['a']);
    expect(hand.held.get('a')!.row).toMatchObject({ attempts: 2, spared: 1, rerun: 2 });
  });

  it('after two reruns from different steps, each step has the number of the last rerun that covered it', async () => {
    const hand = await handWorker({ a: [], b: ['a'] });
    const run = async (...names: string[]) => {
      for (const name of names) {
        await hand.claim();
        await hand.record(hand.completed(name, { n: hand.held.get(name)!.row.rerun }));
      }
    };
    await run('a', 'b');
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'a' });
    await run('a', 'b');
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'b' });
    await run('b');
    const steps = await hand.tasker.getSteps(hand.taskUuid);
    expect(steps.map(({ name, rerun, attempts }) => [name, rerun, attempts])).toEqual([
      ['a', 1, 1],
      ['b', 2, 1],
    ]);
    const runs = await hand.tasker.getEarlierRuns(hand.taskUuid);
    expect(
      runs.map(({ step, rerun, endedByRerun, lastAttempt, result }) => [
        step,
        rerun,
        endedByRerun,
        lastAttempt,
        result,
      ]),
    ).toEqual([
      ['a', 0, 1, 1, { n: null }],
      ['b', 0, 1, 1, { n: null }],
      ['b', 1, 2, 1, { n: 1 }],
    ]);
  });

  it('in a cancelled task, all cancelled steps return to the state that follows from their parents', async () => {
    const hand = await handWorker({ a: [], b: ['a'], c: ['b'], x: [], failed: [], y: ['x'] });
    await hand.claim();
    await hand.record(hand.completed('a'), hand.failed('failed'));
    await hand.claim();
    await hand.record(hand.completed('b'));
    await hand.tasker.cancelTask(hand.taskUuid);
    expect(await hand.states()).toEqual({
      a: 'complete',
      b: 'complete',
      c: 'cancelled',
      x: 'cancelled',
      failed: 'cancelled',
      y: 'cancelled',
    });
    const late = hand.completed('x');
    const { steps } = await hand.tasker.rerunTask(hand.taskUuid, { from: 'b' });
    expect(changes(steps)).toEqual(['b', 'c', 'x returned', 'failed returned', 'y returned']);
    expect(await hand.states()).toEqual({
      a: 'complete',
      b: 'enqueued',
      c: 'pending',
      x: 'enqueued',
      failed: 'enqueued',
      y: 'pending',
    });
    await invariants(hand.sql);
    expect((await hand.record(late)).refused).toEqual([0]);
    expect(await hand.claim()).toEqual(['b', 'failed', 'x']);
    expect(hand.held.get('failed')!.row).toMatchObject({ attempts: 2, spared: 1, rerun: null });
    await hand.record(hand.completed('b'), hand.completed('failed'), hand.completed('x'));
    expect(await hand.claim()).toEqual(['c', 'y']);
    await hand.record(hand.completed('c'), hand.completed('y'));
    expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('complete');
    await invariants(hand.sql);
  });

  it('a blocked task runs again from its failed step or from a step before it', async () => {
    const hand = await handWorker({ a: [], b: ['a'] });
    await hand.claim();
    await hand.record(hand.completed('a'));
    await hand.claim();
    await hand.record(hand.failed('b'));
    expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('blocked_by_failures');
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'b' });
    await invariants(hand.sql);
    await hand.claim();
    await hand.record(hand.failed('b'));
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'a' });
    expect(await hand.states()).toEqual({ a: 'enqueued', b: 'pending' });
    await invariants(hand.sql);
  });

  it('a step that was resolved by hand without a run keeps its result among the earlier runs', async () => {
    const hand = await handWorker({ a: [], b: ['a'] });
    await hand.tasker.resolveStep(hand.taskUuid, 'a', { result: { by: 'hand' } });
    await hand.tasker.resolveStep(hand.taskUuid, 'b');
    for (const n of [1, 2]) {
      await hand.tasker.rerunTask(hand.taskUuid, { from: 'a' });
      await invariants(hand.sql);
      await hand.tasker.resolveStep(hand.taskUuid, 'a', { result: { by: n } });
    }
    const runs = await hand.tasker.getEarlierRuns(hand.taskUuid);
    expect(runs.map(({ step, state, result, lastAttempt }) => [step, state, result, lastAttempt])).toEqual([
      ['a', 'resolved_manually', { by: 'hand' }, 0],
      ['a', 'resolved_manually', { by: 1 }, 0],
      ['b', 'resolved_manually', null, 0],
    ]);
  });
});

describe('a recording whose response was lost', () => {
  it('a recording from before a rerun is found, even if the step runs again or was removed', async () => {
    const hand = await handWorker({ a: [], d: { type: 'decision', dependencies: ['a'] }, e: ['d'] });
    await hand.claim();
    const ended: { name: string; row: ReturnType<typeof hand.completed> & { attempt: number } }[] = [];
    for (const [name, result] of [
      ['a', {}],
      ['d', choosing('e')],
      ['e', {}],
    ] as const) {
      const row = { ...hand.completed(name, result), attempt: hand.held.get(name)!.row.attempts };
      ended.push({ name, row });
      await hand.record(row);
      await hand.claim();
    }
    const find = async () => [...(await hand.engine.findRecorded(ended.map(({ row }) => row)))];
    const before = await find();
    expect(before.map(([at]) => at)).toEqual([0, 1, 2]);
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'a' });
    expect(Object.keys(await hand.states())).toEqual(['a', 'd']);
    expect(await find()).toEqual(before);
    await hand.claim();
    expect(await find()).toEqual(before);
  });

  it('a result that was not recorded before a rerun is never found, although the step completes again', async () => {
    const hand = await handWorker({ a: [], b: ['a'] });
    await hand.claim();
    const early = { ...hand.completed('a', { run: 1 }), attempt: 1 };
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'a' });
    const found = () => hand.engine.findRecorded([early, { ...early, attempt: 2 }]);
    expect((await found()).size).toBe(0);
    expect(await hand.engine.adopt([early.claim])).toEqual([]);
    await hand.claim();
    await hand.record(hand.completed('a', { run: 2 }));
    expect((await found()).size).toBe(0);
    expect((await hand.record(early)).refused).toEqual([0]);
  });
});

const DECISION = {
  a: [],
  d: { type: 'decision', dependencies: ['a'] },
  left: ['d'],
  right: ['d'],
  end: { type: 'deferred_convergence', dependencies: ['left', 'right'] },
};

describe('a rerun of a task with decisions', () => {
  it('a decision that runs again may choose another branch; a step that is created again counts its attempts from 1', async () => {
    const hand = await handWorker(DECISION);
    const round = async (choice: string) => {
      await hand.claim();
      await hand.record(hand.completed('d', choosing(choice)));
      expect(await hand.claim()).toEqual([choice]);
      await hand.record(hand.completed(choice, { choice }));
      expect(await hand.claim()).toEqual(['end']);
      await hand.record(hand.completed('end'));
      await invariants(hand.sql);
      return (await hand.tasker.getTask(hand.taskUuid)).status;
    };
    await hand.claim();
    await hand.record(hand.completed('a'));
    expect(await round('left')).toBe('complete');
    const { steps } = await hand.tasker.rerunTask(hand.taskUuid, { from: 'd' });
    expect(changes(steps)).toEqual(['d', 'left removed', 'end removed']);
    await invariants(hand.sql);
    expect(await hand.states()).toEqual({ a: 'complete', d: 'enqueued' });
    expect(await round('right')).toBe('complete');
    expect(await hand.states()).toEqual({ a: 'complete', d: 'complete', right: 'complete', end: 'complete' });
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'd' });
    expect(await round('left')).toBe('complete');
    const history = await hand.tasker.getHistory(hand.taskUuid);
    const ran = (name: string) =>
      history
        .filter(({ step, kind }) => step === name && kind === 'attempt')
        .map(({ attempt, rerun }) => [attempt, rerun]);
    expect(ran('left')).toEqual([
      [1, 0],
      [1, 2],
    ]);
    expect(ran('right')).toEqual([[1, 1]]);
    expect(ran('end')).toEqual([
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
    expect((await hand.tasker.getStep(hand.taskUuid, 'left')).attempts).toBe(1);
  });

  it('a rerun from a branch keeps the branch, although a decision created it', async () => {
    const hand = await handWorker(DECISION);
    for (const [name, result] of [
      ['a', {}],
      ['d', choosing('left', 'right')],
      ['left', {}],
      ['right', {}],
      ['end', {}],
    ] as const) {
      await hand.claim();
      await hand.record(hand.completed(name, result));
    }
    const { steps } = await hand.tasker.rerunTask(hand.taskUuid, { from: 'left' });
    expect(changes(steps)).toEqual(['left', 'end']);
    await hand.claim();
    await hand.record(hand.completed('left'));
    await hand.claim();
    await hand.record(hand.completed('end'));
    expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('complete');
    await invariants(hand.sql);
  });

  it('a convergence that also depends on a decision before the rerun stays, and waits for the decision that runs again', async () => {
    const decision = (...dependencies: string[]) => ({ type: 'decision', dependencies });
    const hand = await handWorker({
      r: [],
      d1: decision('r'),
      d2: decision('r'),
      x: ['d1'],
      y: ['d2'],
      end: { type: 'deferred_convergence', dependencies: ['x', 'y'] },
    });
    await hand.claim();
    await hand.record(hand.completed('r'));
    await hand.claim();
    await hand.record(hand.completed('d1', choosing('x')), hand.completed('d2', choosing('y')));
    await hand.claim();
    await hand.record(hand.completed('x'), hand.completed('y'));
    await hand.claim();
    await hand.record(hand.completed('end'));
    const { steps } = await hand.tasker.rerunTask(hand.taskUuid, { from: 'd2' });
    expect(changes(steps)).toEqual(['d2', 'y removed', 'end']);
    await invariants(hand.sql);
    expect(await hand.claim()).toEqual(['d2']);
    await hand.record(hand.completed('d2', choosing()));
    expect(await hand.claim()).toEqual(['end']);
    await hand.record(hand.completed('end'));
    expect(await hand.states()).toEqual({
      r: 'complete',
      d1: 'complete',
      d2: 'complete',
      x: 'complete',
      end: 'complete',
    });
    await invariants(hand.sql);
  });

  it('a step that two decisions named stays if only one of them runs again', async () => {
    const hand = await handWorker({
      r: [],
      d1: { type: 'decision', dependencies: ['r'] },
      d2: { type: 'decision', dependencies: ['r'] },
      both: ['d1', 'd2'],
      after: ['both'],
    });
    await hand.claim();
    await hand.record(hand.completed('r'));
    await hand.claim();
    await hand.record(hand.completed('d1', choosing('both')), hand.completed('d2', choosing('both')));
    await hand.claim();
    await hand.record(hand.completed('both'));
    await hand.claim();
    await hand.record(hand.completed('after'));
    const { steps } = await hand.tasker.rerunTask(hand.taskUuid, { from: 'd2', dryRun: true });
    expect(changes(steps)).toEqual(['d2', 'both', 'after']);
  });

  it('a step after a branch that was not chosen keeps its result, because the step did not wait for the branch', async () => {
    const hand = await handWorker({
      r: [],
      d: { type: 'decision', dependencies: ['r'] },
      s: ['r'],
      skipped: ['d', 's'],
      chosen: ['d'],
      end: { type: 'deferred_convergence', dependencies: ['skipped', 'chosen'] },
    });
    await hand.claim();
    await hand.record(hand.completed('r'));
    await hand.claim();
    await hand.record(hand.completed('d', choosing('chosen')), hand.completed('s'));
    await hand.claim();
    await hand.record(hand.completed('chosen'));
    await hand.claim();
    await hand.record(hand.completed('end'));
    const { steps } = await hand.tasker.rerunTask(hand.taskUuid, { from: 's' });
    expect(changes(steps)).toEqual(['s']);
    await hand.claim();
    await hand.record(hand.completed('s'));
    expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('complete');
    await invariants(hand.sql);
  });
});
