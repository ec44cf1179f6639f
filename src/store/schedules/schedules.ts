import type { Db } from '../../db/statement.ts';
import type { ScheduleSpec } from '../../model/schedule/spec.ts';
import { sql } from '../sql.ts';

const MS = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;

const COLUMNS = `
  s.schedule_id id, s.name, s.source, s.spec, s.digest, s.earlier, ${MS('s.anchor')} "anchorMs", ${MS('s.passed_at')} "passedMs",
  ${MS('s.next_due')} "nextMs", ${MS('s.wake_at')} "wakeMs", ${MS('s.queued_due')} "queuedMs", ${MS('tasker.schedule_now()')} "nowMs",
  tasker.iso(s.created_at) "createdAt", tasker.iso(s.updated_at) "updatedAt", tasker.iso(s.paused_at) "pausedAt",
  ${MS('s.paused_at')} "pausedMs", s.paused_by "pausedBy", s.pause_reason "pauseReason"`;

/** A schedule, as stored. Times are milliseconds since 1970, by the clock of the database. */
export interface ScheduleRow {
  id: string;
  name: string;
  /** The package whose files define it. Null if it was created by hand. */
  source: string | null;
  spec: ScheduleSpec;
  digest: string;
  earlier: string[];
  /** When it was created. */
  anchorMs: number;
  /** The last due time that was handled. Null means none. */
  passedMs: number | null;
  nextMs: number | null;
  wakeMs: number | null;
  queuedMs: number | null;
  nowMs: number;
  createdAt: string;
  updatedAt: string;
  pausedAt: string | null;
  pausedMs: number | null;
  pausedBy: string | null;
  pauseReason: string | null;
}

type StoredRow = Omit<ScheduleRow, 'spec'> & { spec: string };

const rowOf = (row: StoredRow): ScheduleRow => ({ ...row, spec: JSON.parse(row.spec) as ScheduleSpec });

const DUE_SCHEDULES = sql('due_schedules')`
select ${COLUMNS} from tasker.schedule s where s.wake_at <= tasker.schedule_now() order by s.wake_at limit $1 for update skip locked`;

/** Locks schedules that must be handled now, most overdue first. Skips schedules that another process has locked. */
export async function lockDueSchedules(db: Db, limit: number): Promise<ScheduleRow[]> {
  return (await db.query<StoredRow>(DUE_SCHEDULES, [limit])).rows.map(rowOf);
}

const LOOK_AT_DUE = sql('look_at_due_schedules')`
select ${COLUMNS} from tasker.schedule s where s.wake_at <= tasker.schedule_now() order by s.wake_at limit $1`;

/** Returns schedules that must be handled now, without locking them. */
export async function lookAtDueSchedules(db: Db, limit: number): Promise<ScheduleRow[]> {
  return (await db.query<StoredRow>(LOOK_AT_DUE, [limit])).rows.map(rowOf);
}

const LOCK_SCHEDULE = sql('lock_schedule')`
select ${COLUMNS} from tasker.schedule s where s.name = $1 for update`;

/** Locks a schedule by its name. Undefined if there is none. */
export async function lockSchedule(db: Db, name: string): Promise<ScheduleRow | undefined> {
  return (await db.query<StoredRow>(LOCK_SCHEDULE, [name])).rows.map(rowOf)[0];
}

const LIST_SCHEDULES = sql('list_schedules')`
select ${COLUMNS} from tasker.schedule s
 where ($1::text is null or s.name > $1) and ($2::text is null or s.source = $2) and ($3::text is null or s.name = $3)
 order by s.name limit $4`;

/** Returns schedules by name. Null means any. */
export async function listSchedules(
  db: Db,
  {
    after = null,
    source = null,
    name = null,
    limit = 1,
  }: {
    after?: string | null;
    source?: string | null;
    name?: string | null;
    limit?: number;
  },
): Promise<ScheduleRow[]> {
  return (await db.query<StoredRow>(LIST_SCHEDULES, [after, source, name, limit])).rows.map(rowOf);
}

const SCHEDULE_NAMES = sql('schedule_names')`select name from tasker.schedule order by name limit 10000`;

/** Returns the names of all schedules. */
export async function scheduleNames(db: Db): Promise<string[]> {
  return (await db.query<{ name: string }>(SCHEDULE_NAMES)).rows.map((row) => row.name);
}

const NOW = sql('schedule_clock')`select ${MS('tasker.schedule_now()')} "nowMs"`;

/** Returns the time of the database, in milliseconds since 1970. */
export async function clockMs(db: Db): Promise<number> {
  return (await db.query<{ nowMs: number }>(NOW)).rows[0]!.nowMs;
}

const at = (place: string) => `to_timestamp(${place}::float8 / 1000)`;

const INSERT_SCHEDULE = sql('insert_schedule')`
insert into tasker.schedule (schedule_id, name, source, spec, digest, earlier, anchor, next_due, wake_at, paused_at, paused_by, pause_reason)
values ($1, $2, $3, $4, $5, $6, ${at('$7')}, ${at('$8')}, ${at('$9')}, case when $10::text is not null then now() end, $10, $11)
on conflict (name) do nothing returning schedule_id`;

/** A schedule to store. */
export interface NewSchedule {
  id: string;
  source: string | null;
  spec: ScheduleSpec;
  digest: string;
  earlier: readonly string[];
  anchorMs: number;
  nextMs: number | null;
  wakeMs: number | null;
  pausedBy: string | null;
  pauseReason: string | null;
}

/** Stores a schedule. Returns false if a schedule with this name exists. */
export async function insertSchedule(db: Db, row: NewSchedule): Promise<boolean> {
  const values = [row.id, row.spec.name, row.source, JSON.stringify(row.spec), row.digest, row.earlier, row.anchorMs];
  const state = [row.nextMs, row.wakeMs, row.pausedBy, row.pauseReason];
  return (await db.query(INSERT_SCHEDULE, [...values, ...state])).rows.length > 0;
}

const REPLACE_SPEC = sql('replace_schedule_spec')`
update tasker.schedule
   set spec = $2, digest = $3, earlier = $4, source = $5, next_due = ${at('$6')}, wake_at = ${at('$7')}, updated_at = now()
 where schedule_id = $1`;

/** Replaces the contents of a locked schedule. */
export async function replaceSpec(
  db: Db,
  row: Pick<NewSchedule, 'id' | 'spec' | 'digest' | 'earlier' | 'source' | 'nextMs' | 'wakeMs'>,
): Promise<void> {
  const { id, spec, digest, earlier, source, nextMs, wakeMs } = row;
  await db.query(REPLACE_SPEC, [id, JSON.stringify(spec), digest, earlier, source, nextMs, wakeMs]);
}

// Looks up each open task, because the table has no index of all tasks of a schedule, and most of them have ended.
const WATCH_OPEN = sql('watch_open_scheduled_tasks')`
update tasker.scheduled_task set open = true where not open and task_uuid = any (array(
  select x.task_uuid from (select task_uuid from tasker.task where done_at is null offset 0) t cross join lateral (
    select task_uuid from tasker.scheduled_task y where y.task_uuid = t.task_uuid and y.schedule_id = $1 offset 0) x))`;

/** Marks the open tasks of a schedule for checks, after its overlap changed to one that depends on them. */
export async function watchOpenTasksOf(db: Db, id: string): Promise<void> {
  await db.query(WATCH_OPEN, [id]);
}

const PAUSE_SCHEDULE = sql('pause_schedule')`
update tasker.schedule set paused_at = now(), paused_by = $2, pause_reason = $3, wake_at = null, updated_at = now()
 where schedule_id = $1`;

/** Pauses a locked schedule. */
export async function pauseSchedule(db: Db, id: string, by: { actor: string; reason: string | null }): Promise<void> {
  await db.query(PAUSE_SCHEDULE, [id, by.actor, by.reason]);
}

const RESUME_SCHEDULE = sql('resume_schedule')`
update tasker.schedule
   set paused_at = null, paused_by = null, pause_reason = null, passed_at = ${at('$2')}, next_due = ${at('$3')},
       wake_at = ${at('$4')}, updated_at = now()
 where schedule_id = $1`;

/** Resumes a locked schedule. */
export async function resumeSchedule(
  db: Db,
  { id, passedMs, nextMs, wakeMs }: Pick<ScheduleRow, 'id' | 'passedMs' | 'nextMs' | 'wakeMs'>,
): Promise<void> {
  await db.query(RESUME_SCHEDULE, [id, passedMs, nextMs, wakeMs]);
}

const FORGET_FIRINGS = sql('forget_firings_of_schedule')`delete from tasker.schedule_firing where schedule_id = $1`;
const DELETE_SCHEDULE = sql('delete_schedule')`delete from tasker.schedule where schedule_id = $1`;

/** Deletes a locked schedule and the outcomes of its due times. Its tasks stay. */
export async function deleteSchedule(db: Db, id: string): Promise<void> {
  await db.query(FORGET_FIRINGS, [id]);
  await db.query(DELETE_SCHEDULE, [id]);
}

const PASS_DUE = sql('pass_due_times')`
update tasker.schedule s
   set passed_at = to_timestamp(d.passed / 1000), next_due = to_timestamp(d.next / 1000), wake_at = to_timestamp(d.wake / 1000),
       queued_due = to_timestamp(d.queued / 1000), firings = s.firings + d.rows,
       paused_at = case when d.why is not null then now() end, paused_by = case when d.why is not null then 'schedule' end,
       pause_reason = d.why
  from unnest($1::uuid[], $2::float8[], $3::float8[], $4::float8[], $5::float8[], $6::int[], $7::text[])
       d (id, passed, next, wake, queued, rows, why)
 where s.schedule_id = d.id
returning s.schedule_id id, s.firings / 200 > (s.firings - d.rows) / 200 full`;

/** The state of a schedule after its due times were handled. */
export interface PassedSchedule {
  id: string;
  passedMs: number | null;
  nextMs: number | null;
  wakeMs: number | null;
  queuedMs: number | null;
  /** Number of outcomes. */
  rows: number;
  /** Set if it is paused now. */
  pauseReason: string | null;
}

/** Stores that due times were handled. Returns the schedules whose outcomes should be pruned. */
export async function passDueTimes(db: Db, passed: readonly PassedSchedule[]): Promise<string[]> {
  const { rows } = await db.query<{ id: string; full: boolean }>(PASS_DUE, [
    passed.map((row) => row.id),
    passed.map((row) => row.passedMs),
    passed.map((row) => row.nextMs),
    passed.map((row) => row.wakeMs),
    passed.map((row) => row.queuedMs),
    passed.map((row) => row.rows),
    passed.map((row) => row.pauseReason),
  ]);
  return rows.filter((row) => row.full).map((row) => row.id);
}

/** Late schedules are counted up to this number. */
export const MOST_LATE_SCHEDULES = 10_000;

const LATE_SCHEDULES = sql('late_schedules')`
select count(*)::int late from (
  select 1 from tasker.schedule where wake_at < tasker.schedule_now() - interval '10 seconds' limit ${MOST_LATE_SCHEDULES}) s`;

/** Returns the number of schedules whose due time passed more than ten seconds ago, counted up to 10,000. */
export async function lateSchedules(db: Db): Promise<number> {
  return (await db.query<{ late: number }>(LATE_SCHEDULES)).rows[0]!.late;
}

// The newest outcomes come first, until one is known. A task that is still open, or a skipped due time, decides nothing.
const MOST_EXAMINED = 10_000;
const FAILING_SCHEDULES = sql('failing_schedules')`
select s.spec -> 'template' ->> 'namespace' namespace, count(*)::int schedules
  from (select schedule_id, name, spec from tasker.schedule
         where paused_by = 'schedule' or paused_at is null and (next_due is not null or queued_due is not null)
         order by name limit ${MOST_EXAMINED}) s
 cross join lateral (
   select f.outcome = 'failed' or t.failed failing
     from (select due_at, outcome, task_uuid from tasker.schedule_firing x
            where x.schedule_id = s.schedule_id order by x.due_at desc limit 5) f
     left join lateral (
       select state in ('error', 'blocked_by_failures') failed, done_at from tasker.task y
        where y.task_uuid = f.task_uuid offset 0) t on true
    where f.outcome = 'failed' or t.failed or t.done_at is not null
    order by f.due_at desc limit 1) o
 where o.failing
 group by 1
union all
select null, 1
  from (select 1 from tasker.schedule
         where paused_by = 'schedule' or paused_at is null and (next_due is not null or queued_due is not null)
        offset ${MOST_EXAMINED} limit 1) more`;

/** The failing schedules of a namespace. */
export interface FailingSchedulesRow {
  namespace: string;
  schedules: number;
}

/**
 * Counts by namespace the schedules whose last known outcome is a failure: no task could be created, or the task failed
 * or is blocked. Omits schedules that a person paused or that are over. Examines up to 10,000 schedules; `exact` is false if
 * there are more.
 */
export async function failingSchedules(db: Db): Promise<{ rows: FailingSchedulesRow[]; exact: boolean }> {
  const { rows } = await db.query<FailingSchedulesRow | { namespace: null }>(FAILING_SCHEDULES);
  const known = rows.filter((row): row is FailingSchedulesRow => row.namespace !== null);
  return { rows: known, exact: known.length === rows.length };
}
