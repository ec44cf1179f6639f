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

// A program of an earlier version deletes tasks without deleting their waits, and ends tasks whose steps wait.
const DROP_WAITS_OF_NO_TASK = sql('drop_waits_of_no_task')`
with due as materialized (
  select ctid tid, task_uuid from tasker.wait where ended_at is null and due_at is not null and due_at <= now() order by due_at limit 1000)
delete from tasker.wait where ctid = any (array(
  select tid from due where not exists (select 1 from tasker.task t where t.task_uuid = due.task_uuid)))`;

/** Deletes due waits of tasks that no longer exist. */
export async function dropWaitsOfNoTask(db: Db): Promise<void> {
  await db.query(DROP_WAITS_OF_NO_TASK);
}

const CLOSE_WAITS_OF_ENDED = sql('close_waits_of_ended')`
with t as materialized (
  select task_uuid from tasker.task where task_uuid = any ($1::uuid[]) and done_at is not null),
w as (
  update tasker.wait w set ended_at = greatest(statement_timestamp(), w.since), ended_by = 'cancel'
    from t where w.task_uuid = t.task_uuid and w.ended_at is null),
s as (
  update tasker.step s set state = 'cancelled', done_at = statement_timestamp() from t where s.task_uuid = t.task_uuid and s.state = 'waiting')
update tasker.task x set n_wait = 0 from t where x.task_uuid = t.task_uuid and x.n_wait > 0`;

/** Ends the waits of the given tasks that have ended. Call it after lockTasks. */
export async function closeWaitsOfEnded(db: Db, taskUuids: readonly string[]): Promise<void> {
  await db.query(CLOSE_WAITS_OF_ENDED, [`{${taskUuids.join(',')}}`]);
}

// The waits of the task are counted again, because a step may have begun another wait since. The start of the task is
// not changed.
const CLOSE_STRAY_WAITS = sql('close_stray_waits')`
with w as (
  update tasker.wait w set ended_at = greatest(statement_timestamp(), w.since), ended_by = 'cancel'
    from (
      select x.tid from unnest($1::uuid[], $2::int[]) d (task_uuid, idx)
       cross join lateral (
         select ctid tid from tasker.wait x
          where x.task_uuid = d.task_uuid and x.idx = d.idx and x.idx >= 0 and x.ended_at is null
            and not exists (
              select 1 from tasker.step y where y.task_uuid = d.task_uuid and y.idx = d.idx and y.state = 'waiting') offset 0) x) d
   where w.ctid = d.tid returning w.task_uuid)
update tasker.task t set n_wait = c.waits
  from (
    select u.task_uuid, s.waits + b.waits waits from (select distinct task_uuid from w) u
     cross join lateral (
       select count(*)::int waits from tasker.step y where y.task_uuid = u.task_uuid and y.state = 'waiting' offset 0) s
     cross join lateral (
       select count(*)::int waits from tasker.wait y where y.task_uuid = u.task_uuid and y.idx = -1 and y.ended_at is null offset 0) b) c
 where t.task_uuid = c.task_uuid`;

/**
 * Ends the waits of steps that do not wait, because a program of an earlier version reran the task without ending its
 * waits. Call it after lockTasks.
 */
export async function closeStrayWaits(db: Db, waits: readonly StepKey[]): Promise<void> {
  await db.query(CLOSE_STRAY_WAITS, columns(waits, 'taskUuid', 'idx'));
}
