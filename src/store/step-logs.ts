import type { Db } from '../db/statement.ts';
import { columns, sql } from './sql.ts';

/** The lines of one attempt. */
export interface StepLogRow {
  taskUuid: string;
  idx: number;
  attempt: number;
  /** A JSON array of lines. */
  lines: string;
  /** Number of earlier lines that were dropped. */
  dropped: number;
}

// The task may have been deleted since the attempt was recorded.
const SAVE_STEP_LOGS = sql('save_step_logs')`
insert into tasker.step_log (task_uuid, idx, attempt, lines, dropped)
select l.task_uuid, l.idx, l.attempt, l.lines, l.dropped
  from unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::int[]) l (task_uuid, idx, attempt, lines, dropped)
 where exists (select 1 from tasker.task t where t.task_uuid = l.task_uuid)
on conflict do nothing`;

/** Saves the lines of attempts that ended. Saving them twice is harmless. */
export async function saveStepLogs(db: Db, rows: readonly StepLogRow[]): Promise<void> {
  const [taskUuids, idxs, attempts, dropped] = columns(rows, 'taskUuid', 'idx', 'attempt', 'dropped');
  const lines = rows.map((row) => row.lines);
  await db.query(SAVE_STEP_LOGS, [taskUuids, idxs, attempts, lines, dropped]);
}

const STEP_LOGS = sql('step_logs')`
select attempt, lines, dropped from tasker.step_log where task_uuid = $1 and idx = $2 order by attempt`;

/** Returns the kept lines of a step, by attempt. */
export async function stepLogs(
  db: Db,
  taskUuid: string,
  idx: number,
): Promise<Pick<StepLogRow, 'attempt' | 'lines' | 'dropped'>[]> {
  return (await db.query<Pick<StepLogRow, 'attempt' | 'lines' | 'dropped'>>(STEP_LOGS, [taskUuid, idx])).rows;
}
