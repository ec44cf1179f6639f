import { expect, it } from 'vitest';
import { KIND, type Recording } from '../../src/engine/engine.ts';
import type { WaitRequest } from '../../src/model/waits.ts';
import { openSession } from '../support/database.ts';
import { invariants, until } from '../support/setup.ts';
import { approvalStep, failed, type Steps, sharedWaitingBenches, signalStep } from '../support/waits/waiting.ts';

const waitingBench = sharedWaitingBenches();

type Bench = Awaited<ReturnType<typeof waitingBench>>;
/** Prepares a task, and returns an act that has to wait for the lock of this task. */
type Prepare = (bench: Bench, taskUuid: string) => Promise<() => Promise<unknown>>;

const HOUR = 3_600_000;
const FAR = new Date('2050-01-01T00:00:00Z');
const hourOf = (kind: WaitRequest['kind']): WaitRequest => ({ kind, forMs: HOUR, settings: { due: 'for 1h' } });

const missed = (step: Recording, { namespace }: Bench): Recording => ({
  ...failed(step, 0),
  kind: KIND.released,
  detail: 'null',
  missed: {
    namespace,
    callable: 'pay',
    resolver: null,
    workerId: Math.floor(step.claim / 2 ** 24),
    missedMs: 0,
    hasTried: false,
  },
});
const waits = (step: Recording, wait: WaitRequest): Recording => ({ ...step, kind: KIND.waits, result: 'null', wait });

/** Locks all tasks, sends the act, and unlocks them when it waits. Returns the times of the database. */
async function whileLocked({ url, sql }: Bench, act: () => Promise<unknown>) {
  const session = await openSession(url);
  const now = async () => (await session.query<{ at: string }>('select clock_timestamp()::text as at')).rows[0]!.at;
  await session.query('begin');
  await session.query('select 1 from tasker.task for update');
  const sent = await now();
  const acted = act();
  acted.catch(() => undefined);
  await until(
    () => sql(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
    (waiting) => waiting.length === 1,
  );
  const unlocked = await now();
  await session.query('commit');
  await acted;
  return { sent, unlocked };
}

/** Returns the columns of tasks that have a time from a period. The search tables are written later, in the background. */
async function timesBetween({ sql }: Bench, { sent, unlocked }: { sent: string; unlocked: string }): Promise<string[]> {
  const columns = await sql<{ table: string; column: string }>(
    `select c.table_name "table", c.column_name "column" from information_schema.columns c
      where c.table_schema = 'tasker' and c.data_type = 'timestamp with time zone' and c.table_name not like '%_search'
        and exists (select from information_schema.columns k
                     where k.table_schema = 'tasker' and k.table_name = c.table_name and k.column_name = 'task_uuid')`,
  );
  expect(columns.length).toBeGreaterThan(20);
  const each = columns.map(
    ({ table, column }) =>
      `select '${table}.${column}' name from tasker.${table} where ${column} >= $1 and ${column} < $2`,
  );
  const rows = await sql<{ name: string }>(`select distinct name from (${each.join(' union all ')}) x order by 1`, [
    sent,
    unlocked,
  ]);
  return rows.map(({ name }) => name);
}

const recording =
  (change: (steps: Recording[], bench: Bench) => Recording[]): Prepare =>
  async (bench) => {
    const batch = change(await bench.claim(), bench);
    return () => bench.record(batch);
  };
const waiting =
  (wait: WaitRequest, act: (bench: Bench, taskUuid: string) => Promise<unknown>): Prepare =>
  async (bench, taskUuid) => {
    await bench.record((await bench.claim()).map((step) => waits(step, wait)));
    return () => act(bench, taskUuid);
  };
const failing =
  (delayMs: number, act: (bench: Bench, taskUuid: string) => Promise<unknown>): Prepare =>
  async (bench, taskUuid) => {
    await bench.record((await bench.claim()).map((step) => failed(step, delayMs)));
    return () => act(bench, taskUuid);
  };
const worked =
  (act: (bench: Bench, taskUuid: string) => Promise<unknown>): Prepare =>
  async (bench, taskUuid) => {
    await bench.work();
    return () => act(bench, taskUuid);
  };
const later =
  (act: (bench: Bench, taskUuid: string) => Promise<unknown>): Prepare =>
  async (bench) => {
    const taskUuid = await bench.create({ startAt: FAR });
    return () => act(bench, taskUuid);
  };
const withToken =
  (wait: WaitRequest | undefined, act: (bench: Bench, token: string) => Promise<unknown>): Prepare =>
  async (bench) => {
    const [step] = await bench.claim();
    const { taskUuid, idx, claim } = step!;
    const token = (await bench.engine.saveToken({ taskUuid, idx, claim }, { timeoutMs: 5_000 }))!;
    if (wait) await bench.record([waits(step!, wait)]);
    return () => act(bench, token);
  };

const PAY: Steps = { pay: { retry: { max_attempts: 3 } }, ship: ['pay'] };
const SIGNAL: Steps = { pay: signalStep('paid'), ship: ['pay'] };
const APPROVAL: Steps = { pay: approvalStep({ remind_after: '1h' }), ship: ['pay'] };
const EVENTS = JSON.stringify({
  execution: {},
  events: [{ id: '0190f2a0-0000-7000-8000-000000000001', name: 'paid', publisher: 'x', payload: {}, metadata: {} }],
});
const ANNA = { decision: 'approve', by: 'anna' } as const;

const acts: Record<string, [steps: Steps, prepare: Prepare]> = {
  'the result of a step': [PAY, recording((steps) => steps)],
  'the last result of a task': [{ pay: [] }, recording((steps) => steps)],
  'a result with an event': [
    PAY,
    recording((steps) => steps.map((step) => ({ ...step, events: { size: 1, text: () => EVENTS } }))),
  ],
  'a result whose child the worker takes': [
    PAY,
    async (bench) => {
      const batch = await bench.claim();
      const own = { freeSlots: 9, token: batch[0]!.claim + 1, lastRank: 100 };
      return () => bench.engine.record(batch, own);
    },
  ],
  'a failure that is retried': [PAY, recording((steps) => steps.map((step) => failed(step, HOUR)))],
  'the last failure of a step': [PAY, recording((steps) => steps.map((step) => failed(step, 0)))],
  'a release of a step whose handler no worker has': [
    PAY,
    recording((steps, bench) => steps.map((step) => missed(step, bench))),
  ],
  'the begin of a timer': [PAY, recording((steps) => steps.map((step) => waits(step, hourOf('timer'))))],
  'the request for an approval': [APPROVAL, recording((steps) => steps)],
  'a signal that a step waits for': [SIGNAL, worked((b, id) => b.tasker.signal(id, 'paid'))],
  'a signal that no step waits for yet': [SIGNAL, async (b, id) => () => b.tasker.signal(id, 'paid')],
  'a wait for a signal that has arrived': [
    SIGNAL,
    async (b, id) => {
      await b.tasker.signal(id, 'paid');
      const batch = await b.claim();
      return () => b.record(batch);
    },
  ],
  'a vote': [APPROVAL, worked((b, id) => b.tasker.approvals.vote(id, 'pay', ANNA))],
  'a vote that leaves the approval open': [
    { pay: approvalStep({ quorum: 2 }) },
    worked((b, id) => b.tasker.approvals.vote(id, 'pay', ANNA)),
  ],
  'another assignee': [APPROVAL, worked((b, id) => b.tasker.approvals.reassign(id, 'pay', { to: 'bo' }))],
  'the token of a waiting step': [PAY, withToken(hourOf('completion'), (b, t) => b.tasker.completeByToken(t, {}))],
  'the token of a running step': [PAY, withToken(undefined, (b, t) => b.tasker.completeByToken(t, {}))],
  'a token that fails its step': [PAY, withToken(hourOf('completion'), (b, t) => b.tasker.failByToken(t, 'no'))],
  'a longer wait for a token': [
    PAY,
    withToken(hourOf('completion'), (b, t) => b.tasker.extendByToken(t, { timeoutMs: HOUR })),
  ],
  'a timer that is fired by hand': [PAY, waiting(hourOf('timer'), (b, id) => b.tasker.fireTimer(id, 'pay'))],
  'a timer that is moved': [PAY, waiting(hourOf('timer'), (b, id) => b.tasker.moveTimer(id, 'pay', { delayMs: HOUR }))],
  'a start by hand': [PAY, later((b, id) => b.tasker.startTaskNow(id))],
  'another time of a start': [PAY, later((b, id) => b.tasker.rescheduleTask(id, { delayMs: HOUR }))],
  'a cancellation': [PAY, recordingOf((b, id) => b.tasker.cancelTask(id))],
  'a cancellation of a wait': [PAY, waiting(hourOf('timer'), (b, id) => b.tasker.cancelTask(id))],
  'the resolution of a task': [PAY, recordingOf((b, id) => b.tasker.resolveTask(id))],
  'the resolution of a step': [PAY, failing(0, (b, id) => b.tasker.resolveStep(id, 'pay'))],
  'a step that is completed by hand': [PAY, waiting(hourOf('timer'), (b, id) => b.tasker.completeStep(id, 'pay', {}))],
  'a retry of a failed step': [PAY, failing(0, (b, id) => b.tasker.retryStep(id, 'pay'))],
  'a retry before its time': [PAY, failing(HOUR, (b, id) => b.tasker.retryStep(id, 'pay'))],
  'a reset': [PAY, failing(0, (b, id) => b.tasker.resetStep(id, 'pay'))],
  'a rerun': [PAY, worked((b, id) => b.tasker.rerunTask(id, { from: 'pay' }))],
  'a rerun of a running step': [PAY, recordingOf((b, id) => b.tasker.rerunTask(id, { from: 'pay' }))],
  'a pause': [PAY, async (b, id) => () => b.tasker.pause({ task: id })],
  'the end of a pause': [
    PAY,
    async (b, id) => {
      await b.tasker.pause({ task: id });
      return () => b.tasker.resume({ task: id });
    },
  ],
  'a deletion': [{ pay: [] }, worked((b, id) => b.tasker.deleteTask(id))],
  'a dead letter': [PAY, failing(0, (b, id) => b.tasker.deadLetters.add(id))],
  'a redrive': [
    PAY,
    async (b, id) => {
      await b.record((await b.claim()).map((step) => failed(step, 0)));
      await b.tasker.deadLetters.add(id);
      return () => b.tasker.deadLetters.redrive(id);
    },
  ],
};

function recordingOf(act: (bench: Bench, taskUuid: string) => Promise<unknown>): Prepare {
  return async (bench, taskUuid) => {
    await bench.claim();
    return () => act(bench, taskUuid);
  };
}

for (const [what, [steps, prepare]] of Object.entries(acts)) {
  it(`${what} has no time from before its transaction locked the task`, async () => {
    const bench = await waitingBench(steps);
    const taskUuid = await bench.create();
    const act = await prepare(bench, taskUuid);
    expect(await timesBetween(bench, await whileLocked(bench, act))).toEqual([]);
    await invariants(bench.sql);
  });
}

it('the delay of a retry starts when the failure is recorded', async () => {
  const bench = await waitingBench(PAY);
  const taskUuid = await bench.create();
  const batch = (await bench.claim()).map((step) => failed(step, HOUR));
  const { unlocked } = await whileLocked(bench, () => bench.record(batch));
  const step = await bench.tasker.getStep(taskUuid, 'pay');
  expect(Date.parse(step.nextRetryAt!) - Date.parse(unlocked)).toBeGreaterThanOrEqual(HOUR);
});

it('a timer runs for its full time after a step whose end had to wait for the lock', async () => {
  const bench = await waitingBench({ pay: signalStep('paid'), pause: { dependencies: ['pay'] } });
  const taskUuid = await bench.create();
  await bench.work();
  const { unlocked } = await whileLocked(bench, () => bench.tasker.signal(taskUuid, 'paid'));
  await bench.record((await bench.claim()).map((step) => waits(step, hourOf('timer'))));
  const timer = (await bench.tasker.getWaits(taskUuid)).find(({ step }) => step === 'pause')!;
  expect(Date.parse(timer.until!) - Date.parse(unlocked)).toBeGreaterThanOrEqual(HOUR);
});

it('a token extends its wait from the time at which the transaction locked the task', async () => {
  const bench = await waitingBench(PAY);
  const taskUuid = await bench.create();
  const prepare = withToken(hourOf('completion'), (b, token) => b.tasker.extendByToken(token, { timeoutMs: HOUR }));
  const { unlocked } = await whileLocked(bench, await prepare(bench, taskUuid));
  const [wait] = await bench.tasker.getWaits(taskUuid);
  expect(Date.parse(wait!.until!) - Date.parse(unlocked)).toBeGreaterThanOrEqual(HOUR);
});
