import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const IS_WAITING = sql('is_waiting')`
select tasker.shown_state(state, n_wait) = 'waiting' waiting from tasker.task where task_uuid = $1`;

/**
 * Returns whether a task waits: for its start, or in a step, while no step of it runs or will be retried. False if the
 * task does not exist.
 */
export async function isWaiting(db: Db, taskUuid: string): Promise<boolean> {
  return (await db.query<{ waiting: boolean }>(IS_WAITING, [taskUuid])).rows[0]?.waiting ?? false;
}
