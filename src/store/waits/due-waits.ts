import type { Db } from '../../db/statement.ts';
import type { Fields } from '../../model/json.ts';
import type { Wait } from '../../model/waits.ts';
import { columns, sql } from '../sql.ts';
import type { StepKey } from '../step-key.ts';

// Reads the index of due times in its order, and locks task by task until the limit is reached, where the nested loop
// stops. Tasks that other transactions have locked are left for the next call.
const LOCK_DUE_WAITS = sql('lock_due_waits')`
select w.task_uuid "taskUuid", w.idx, w.kind, w.template_id "templateId", w.rank
  from (select task_uuid, idx, kind, template_id, rank, due_at from tasker.wait
         where ended_at is null and due_at is not null and due_at <= now() order by due_at) w
 cross join lateral (select 1 from tasker.task t where t.task_uuid = w.task_uuid for update skip locked) t
 limit $1`;

/** A wait that was due before its task was locked. The wait may since have ended or begun again. */
export type DueWait = Pick<Wait, 'taskUuid' | 'idx' | 'kind' | 'templateId' | 'rank'>;

/** Locks the tasks of the waits that have been due for the longest time, and returns these waits, at most `limit`. */
export async function lockDueWaits(db: Db, limit: number): Promise<DueWait[]> {
  return (await db.query<DueWait>(LOCK_DUE_WAITS, [limit])).rows;
}

const DEFER_WAITS = sql('defer_waits')`
update tasker.wait w set due_at = d.due_at, progress = coalesce(nullif(d.progress, 'null'), w.progress) - 'failures'
  from (
    select d.*, x.tid
      from rows from (unnest($1::uuid[], $2::int[], $3::timestamptz[]), jsonb_array_elements($4::jsonb))
           d (task_uuid, idx, due_at, progress)
     cross join lateral (
       select ctid tid from tasker.wait x where x.task_uuid = d.task_uuid and x.idx = d.idx and x.ended_at is null offset 0) x) d
 where w.ctid = d.tid`;

/** A wait that continues, with the next time at which the engine must act. */
export interface DeferredWait extends StepKey {
  /** ISO 8601. Null if the wait has no due time, and something else ends it. */
  dueAt: string | null;
  /** If undefined, it stays unchanged. */
  progress: Fields | undefined;
}

/** Sets when waits are due again. Call it after lockTasks. */
export async function deferWaits(db: Db, waits: readonly DeferredWait[]): Promise<void> {
  const progress = waits.map((wait) => (wait.progress === undefined ? 'null' : JSON.stringify(wait.progress)));
  await db.query(DEFER_WAITS, [...columns(waits, 'taskUuid', 'idx', 'dueAt'), `[${progress.join(',')}]`]);
}

// The number of failures in a row is kept with the progress.
const POSTPONE_WAITS = sql('postpone_waits')`
update tasker.wait w
   set due_at = statement_timestamp() + least($3 * 2 ^ least(d.failures, 30), $4) * interval '1 ms',
       progress = w.progress || jsonb_build_object('failures', d.failures + 1)
  from (
    select x.* from unnest($1::uuid[], $2::int[]) d (task_uuid, idx) cross join lateral (
      select ctid tid, coalesce((progress ->> 'failures')::int, 0) failures from tasker.wait x
       where x.task_uuid = d.task_uuid and x.idx = d.idx and x.ended_at is null offset 0) x) d
 where w.ctid = d.tid`;

/** The delays until a wait that could not be ended is due again: the first one, and the maximum, in milliseconds. */
export interface Postponement {
  firstMs: number;
  mostMs: number;
}

/**
 * Postpones waits that could not be ended now. The time doubles with each failure in a row. Call it after lockTasks.
 */
export async function postponeWaits(
  db: Db,
  waits: readonly StepKey[],
  { firstMs, mostMs }: Postponement,
): Promise<void> {
  await db.query(POSTPONE_WAITS, [...columns(waits, 'taskUuid', 'idx'), firstMs, mostMs]);
}
