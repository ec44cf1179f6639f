import { sqlState } from '../db/connection-error.ts';
import { type Database, type Db, opening } from '../db/database.ts';
import { cancelRestOfBatches, releaseWorkers } from '../store/batches.ts';
import { compactQueue, queueBloat, tryCompacting } from '../store/compact-queue.ts';
import { dueTasks, promoteRetries } from '../store/promote-retries.ts';
import { KIND, type RecordedStep, recordSteps } from '../store/record-steps.ts';
import { buryWorkers, deadWorkers, declareDead, type TakenBackRow, takeBack, tasksOfDead } from '../store/sweep.ts';
import { withFreeTasks } from './with-free-tasks.ts';

/** Bounds on the server too: a client that gives up leaves its statement waiting there. */
const SETTINGS = opening({
  lock_timeout: '2s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});

/**
 * Takes the steps of workers whose lease is over: retryable ones run again, others stand in `error` for an operator.
 * Any worker may do it, two at once are fine, and one that dies half-way is continued by the next.
 */
export async function sweep(database: Database, leaseMs: number): Promise<{ dead: number[]; steps: TakenBackRow[] }> {
  const dead = await declareDead(database, leaseMs);
  const all = await deadWorkers(database);
  const steps: TakenBackRow[] = [];
  if (all.length === 0) return { dead, steps };
  for (;;) {
    const tasks = await tasksOfDead(database, all);
    if (tasks.length === 0) break;
    const taken = await withFreeTasks(database, { settings: SETTINGS, tasks }, (tx, free) =>
      takeBackFrom(tx, free, all),
    );
    // What others hold is for the next sweep: until then its worker is not buried.
    if (!taken) return { dead, steps };
    steps.push(...taken);
  }
  await buryWorkers(database, all);
  return { dead, steps };
}

async function takeBackFrom(tx: Db, taskUuids: readonly string[], dead: readonly number[]): Promise<TakenBackRow[]> {
  const taken = await takeBack(tx, taskUuids, dead);
  const failing = taken.filter((row) => row.state === 'failing');
  if (failing.length === 0) return taken;
  await recordSteps(tx, failing.map(lostForGood), { freeSlots: 0, token: 0, lastRank: -101, dynamic: true });
  await cancelRestOfBatches(
    tx,
    failing.map((row) => ({ taskUuid: row.task_uuid, idx: row.idx })),
  );
  await releaseWorkers(tx, [...new Set(failing.map((row) => row.task_uuid))]);
  return taken.map((row) => (row.state === 'failing' ? { ...row, state: 'error' } : row));
}

/** A batch worker that its dead worker lost for the last time. */
function lostForGood(row: TakenBackRow): RecordedStep {
  const message = row.retryable
    ? 'the worker was lost while the step ran, and its attempts are used up'
    : 'the worker was lost while the step ran; it is not retryable and may have run, so an operator decides';
  return {
    taskUuid: row.task_uuid,
    idx: row.idx,
    claim: row.claim!,
    kind: KIND.lost,
    delayMs: 0,
    templateId: row.template_id!,
    rank: row.rank!,
    durationMs: 0,
    result: 'null',
    detail: JSON.stringify({ error: { error_type: 'worker_lost', retryable: row.retryable, message } }),
  };
}

/** Puts retries that are due into the queue; answers with how many. Tasks that others hold are left for the next time. */
export async function promoteDue(database: Database): Promise<number> {
  let promoted = 0;
  for (;;) {
    const tasks = await dueTasks(database);
    if (tasks.length === 0) return promoted;
    const more = await withFreeTasks(database, { settings: SETTINGS, tasks }, promoteRetries);
    if (more === undefined) return promoted;
    promoted += more;
  }
}

/** From so many dead rows on, finding the first live one of the queue costs more than writing the queue anew. */
const MUCH_DEAD = 20_000;
const COMPACTING = opening({ lock_timeout: '200ms' });

/**
 * Compacts the queue when it is mostly dead rows, which an old transaction somewhere keeps from being vacuumed. Waits
 * 200 ms for the queue at most, and leaves it alone while somebody reads it (a backup).
 */
export async function tidyQueue(database: Database): Promise<boolean> {
  const { dead, live } = await queueBloat(database);
  if (dead < MUCH_DEAD || dead < live / 2) return false;
  try {
    return await database.transaction(COMPACTING, async (tx) => {
      if (!(await tryCompacting(tx))) return false;
      await compactQueue(tx);
      return true;
    });
  } catch (error) {
    if (sqlState(error) === '55P03') return false;
    throw error;
  }
}
