import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { takeWatchTurn, watchOpenTasks as watchPage } from '../../store/dead-letters/watch.ts';
import { FIRST_TASK } from '../../store/queue.ts';

/** Configured thresholds. Thresholds on states are in minutes, or null for no threshold. */
export interface Thresholds {
  lifetime: number | null;
  waitingForDependencies: number | null;
  waitingForRetry: number | null;
  stepsInProcess: number | null;
  /** Minimum time since the last check by any process. */
  leastMs: number;
  /** Whether to also replace the thresholds of another configuration. The time of the last check is then ignored. */
  renew: boolean;
}

/** Maximum number of open tasks that one transaction reads. */
const PAGE = 10_000;
const SETTINGS = opening({ lock_timeout: '2s', statement_timeout: '30s', jit: 'off' });

/**
 * Applies the thresholds of the configuration to open tasks that are old enough to reach one, so that the check for
 * stale tasks finds them. Yields the number of tasks that each transaction changed.
 */
export async function* watchOpenTasks(
  database: Database,
  { lifetime, waitingForDependencies, waitingForRetry, stepsInProcess, leastMs, renew }: Thresholds,
): AsyncGenerator<number> {
  if (!(await takeWatchTurn(database, renew ? 0 : leastMs))) return;
  const minutes = [lifetime, waitingForDependencies, waitingForRetry, stepsInProcess];
  let after: string | null = FIRST_TASK;
  while (after !== null) {
    const from: string = after;
    const page = await database.transaction(SETTINGS, (tx) =>
      watchPage(tx, { after: from, limit: PAGE }, { minutes, renew }),
    );
    yield page.watched;
    after = page.looked < PAGE ? null : page.last;
  }
}
