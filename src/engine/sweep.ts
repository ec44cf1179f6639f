import { sqlState } from '../db/connection-error.ts';
import { type Database, opening } from '../db/database.ts';
import { compactQueue, queueBloat, tryCompacting } from '../store/compact-queue.ts';
import { dueTasks, promoteRetries } from '../store/promote-retries.ts';
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
    const taken = await withFreeTasks(database, { settings: SETTINGS, tasks }, (tx, free) => takeBack(tx, free, all));
    // What others hold is for the next sweep: until then its worker is not buried.
    if (!taken) return { dead, steps };
    steps.push(...taken);
  }
  await buryWorkers(database, all);
  return { dead, steps };
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
