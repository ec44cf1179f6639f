import type { Db } from '../db/statement.ts';
import { columns, sql } from './sql.ts';

/** The lines of one attempt. */
export interface StepLogRow {
  taskUuid: string;
  idx: number;
  /** The number of the start, which no other start of the step has. */
  attempt: number;
  /** The number of the attempt, without starts that did not count. */
  number: number;
  /** A JSON array of lines. */
  lines: string;
  /** Number of earlier lines that were dropped. */
  dropped: number;
}

// The task may have been deleted since the attempt was recorded.
const SAVE_STEP_LOGS = sql('save_step_logs')`
insert into tasker.step_log (task_uuid, idx, attempt, number, lines, dropped)
select l.task_uuid, l.idx, l.attempt, nullif(l.number, l.attempt), l.lines, l.dropped
  from unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::text[], $6::int[]) l (task_uuid, idx, attempt, number, lines, dropped)
 where exists (select 1 from tasker.task t where t.task_uuid = l.task_uuid)
on conflict do nothing`;

/** Saves the lines of attempts that ended. Saving them twice is harmless. */
export async function saveStepLogs(db: Db, rows: readonly StepLogRow[]): Promise<void> {
  const [taskUuids, idxs, attempts, numbers, dropped] = columns(
    rows,
    'taskUuid',
    'idx',
    'attempt',
    'number',
    'dropped',
  );
  const lines = rows.map((row) => row.lines);
  await db.query(SAVE_STEP_LOGS, [taskUuids, idxs, attempts, numbers, lines, dropped]);
}

// Not hot: on request of a person; reads the kept lines of one task by their key.
const TASK_LOGS = sql('task_logs')`
select idx, coalesce(number, attempt) number, lines, dropped from tasker.step_log
 where task_uuid = $1 and strpos(lower(lines), lower($2)) > 0 order by written_at desc limit $3`;

/** Returns the lines of attempts of a task that contain a text, which is escaped as in JSON. The last written come first. */
export async function taskLogs(
  db: Db,
  taskUuid: string,
  { text, limit }: { text: string; limit: number },
): Promise<Omit<StepLogRow, 'taskUuid' | 'attempt'>[]> {
  return (await db.query<StepLogRow>(TASK_LOGS, [taskUuid, text, limit])).rows;
}

const STEP_LOGS = sql('step_logs')`
select coalesce(number, attempt) number, lines, dropped from tasker.step_log where task_uuid = $1 and idx = $2 order by attempt`;

/** Returns the kept lines of a step, the first start first. */
export async function stepLogs(
  db: Db,
  taskUuid: string,
  idx: number,
): Promise<Pick<StepLogRow, 'number' | 'lines' | 'dropped'>[]> {
  return (await db.query<Pick<StepLogRow, 'number' | 'lines' | 'dropped'>>(STEP_LOGS, [taskUuid, idx])).rows;
}
