import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Recording } from '../../../src/engine/engine.ts';
import { DEMO, invariants, itOnce, until } from '../../support/setup.ts';
import { approvalStep, signalStep, waitingBench } from '../../support/waits/waiting.ts';

const ROUNDS = Number(process.env.TASKER_RACE_ROUNDS ?? 200);
const TIMEOUT_MS = 240_000 + ROUNDS * 200;
/**
 * Returns random delays for the actions that race with signals. The delays adapt to the duration of a signal on this
 * machine, so that either side may come first.
 */
function fairDelays(): { next(): number; signalWon(won: boolean): void } {
  let spreadMs = 30;
  return {
    next: () => Math.random() * spreadMs,
    signalWon: (won) => {
      spreadMs = won ? Math.max(1, spreadMs * 0.9) : Math.min(5_000, spreadMs * 1.1);
    },
  };
}

const racing = (title: string, run: () => Promise<void>) => itOnce(title, run, TIMEOUT_MS);

type Outcome = { ok: true } | { ok: false; code: string };
const outcome = (call: Promise<unknown>): Promise<Outcome> =>
  call.then(
    () => ({ ok: true }),
    (error: { code: string }) => ({ ok: false, code: error.code }),
  );

async function tasksThatWait(steps: Parameters<typeof waitingBench>[0]) {
  const bench = await waitingBench(steps);
  const tasks: string[] = [];
  while (tasks.length < ROUNDS) {
    const requests = Array.from({ length: Math.min(500, ROUNDS - tasks.length) }, () => DEMO);
    for (const { taskUuid } of await bench.tasker.createTasks(requests)) tasks.push(taskUuid);
  }
  return { ...bench, tasks };
}

/** Runs one race for each task, a few at the same time. */
async function race(tasks: readonly string[], run: (task: string, round: number) => Promise<void>): Promise<void> {
  for (let i = 0; i < tasks.length; i += 10) {
    await Promise.all(tasks.slice(i, i + 10).map((task, j) => run(task, i + j)));
  }
}

racing('either a signal or the timeout ends the wait, and the sender of a late signal gets an error', async () => {
  const { tasks, tasker, work, engine, sql } = await tasksThatWait({
    a: signalStep('go', { timeout: '1h' }),
    b: ['a'],
  });
  await work();
  let won = 0;
  const delays = fairDelays();
  await race(tasks, async (task, round) => {
    const ms = delays.next();
    await sql(
      `update tasker.wait set until = x.ends, due_at = x.ends
         from (select clock_timestamp() + $2 * interval '1 ms' as ends) x where task_uuid = $1`,
      [task, ms],
    );
    const sending = outcome(tasker.signal(task, 'go', round));
    const [wait] = await until(
      async () => {
        await engine.endDueWaits();
        return sql(`select ended_by from tasker.wait where task_uuid = $1 and ended_at is not null`, [task]);
      },
      (rows) => rows.length > 0,
    );
    const sent = await sending;
    const [step] = await sql(`select state::text, result from tasker.step where task_uuid = $1 and idx = 0`, [task]);
    delays.signalWon(sent.ok);
    if (sent.ok) won++;
    else expect(sent.code).toBe('wait_over');
    expect(wait!['ended_by']).toBe(sent.ok ? 'signal' : 'timeout');
    expect(step).toEqual(sent.ok ? { state: 'complete', result: round } : { state: 'error', result: null });
  });
  expect(won).toBeGreaterThan(0);
  expect(won).toBeLessThan(ROUNDS);
  await invariants(sql);
});

racing('either a signal completes the step or a concurrent cancellation ends the task', async () => {
  const { tasks, tasker, work, sql } = await tasksThatWait({ a: signalStep('go') });
  await work();
  const seen = new Set<string>();
  const delays = fairDelays();
  await race(tasks, async (task) => {
    const [sent, cancelled] = await Promise.all([
      outcome(tasker.signal(task, 'go', 1)),
      sleep(delays.next()).then(() => tasker.cancelTask(task)),
    ]);
    delays.signalWon(sent.ok);
    expect(cancelled).toBe(!sent.ok);
    if (!sent.ok) expect(sent.code).toBe('wait_over');
    expect((await tasker.getTask(task)).status).toBe(sent.ok ? 'complete' : 'cancelled');
    seen.add(String(sent.ok));
  });
  expect(seen).toEqual(new Set(['true', 'false']));
  await invariants(sql);
});

racing('one of several concurrent signals completes the step, and another is used by the next step', async () => {
  const { tasks, tasker, work, sql } = await tasksThatWait({ a: signalStep('go'), b: signalStep('go', {}, ['a']) });
  await work();
  await race(tasks, async (task) => {
    const sent = await Promise.all([1, 2, 3].map((value) => outcome(tasker.signal(task, 'go', value))));
    expect(sent.filter(({ ok }) => ok).length).toBe(3);
  });
  await work();
  const used = await sql(`select count(*)::int n from tasker.signal where used_at is not null`);
  expect(used).toEqual([{ n: 2 * ROUNDS }]);
  const wrong = await sql(`
    select s.task_uuid from tasker.step s join tasker.signal x on x.task_uuid = s.task_uuid and x.used_by = s.idx
     where s.result <> x.payload or s.state <> 'complete'`);
  expect(wrong).toEqual([]);
  expect(
    await sql(
      `select 1 from tasker.signal a join tasker.signal b on a.task_uuid = b.task_uuid and a.used_by = b.used_by and a.seq < b.seq`,
    ),
  ).toEqual([]);
  await invariants(sql);
});

racing('only one of two concurrent signals with the same key is stored', async () => {
  const { tasks, tasker, work, sql } = await tasksThatWait({ a: signalStep('go') });
  await work();
  await race(tasks, async (task, round) => {
    const sent = await Promise.all(
      [1, 2].map((value) => tasker.signal(task, 'go', value, { idempotencyKey: `k${round}` })),
    );
    expect(sent.map(({ tasks: [one] }) => one!.duplicate).sort()).toEqual([false, true]);
    expect(sent[0]!.signalId).toBe(sent[1]!.signalId);
  });
  expect(await sql(`select count(*)::int n from tasker.signal`)).toEqual([{ n: ROUNDS }]);
});

racing('a signal is used whether it arrives before or after its step begins to wait', async () => {
  const { tasks, tasker, claim, record, sql } = await tasksThatWait({ a: signalStep('go') });
  const batch = new Map<string, Recording>();
  while (batch.size < ROUNDS) for (const step of await claim()) batch.set(step.taskUuid, step);
  await race(tasks, async (task, round) => {
    const calls = [() => record([batch.get(task)!]), () => tasker.signal(task, 'go', round)];
    await Promise.all((round % 2 === 0 ? calls : calls.reverse()).map((call) => call()));
    expect(await sql(`select state::text, result from tasker.step where task_uuid = $1`, [task])).toEqual([
      { state: 'complete', result: round },
    ]);
  });
  await invariants(sql);
});

racing('exactly one of several concurrent votes decides, and a rejection excludes an approval', async () => {
  const { tasks, tasker, work, sql } = await tasksThatWait({ ask: approvalStep({ quorum: 2 }) });
  await work();
  await race(tasks, async (task) => {
    const by = (name: string, decision: 'approve' | 'reject') =>
      outcome(tasker.approvals.vote(task, 'ask', { by: name, decision }));
    const cast = await Promise.all([by('a', 'approve'), by('b', 'approve'), by('c', 'approve'), by('d', 'reject')]);
    for (const one of cast) if (!one.ok) expect(one.code).toBe('wait_over');
    const { status, votes, approvals, rejections } = await tasker.approvals.get(task, 'ask');
    expect(votes).toHaveLength(cast.filter(({ ok }) => ok).length);
    expect(status === 'approved' ? [approvals, rejections] : [approvals < 2, rejections]).toEqual(
      status === 'approved' ? [2, 0] : [true, 1],
    );
    const [step] = await sql<{ result: { decision: string } }>(`select result from tasker.step where task_uuid = $1`, [
      task,
    ]);
    expect(step!.result.decision).toBe(status);
  });
  await invariants(sql);
});
