import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/** Statements of the test kit, which moves due times instead of waiting for them. */

// Steps of paused tasks are queued under a negative id and do not count.
const OPEN_WORK = sql('kit_open_work')`
select exists (select from tasker.queue where namespace_id > 0) ready,
       exists (select from tasker.step where state = 'in_progress') running,
       exists (select from tasker.timer where due_at <= now())
    or exists (select from tasker.wait where due_at <= now() and ended_at is null) due`;

/** Whether a database has work that does not wait for a time. */
export interface OpenWork {
  /** Steps are in the queue. */
  ready: boolean;
  /** Workers hold steps. */
  running: boolean;
  /** The due time of a retry or a wait has come. */
  due: boolean;
}

export async function openWork(db: Db): Promise<OpenWork> {
  return (await db.query<OpenWork>(OPEN_WORK)).rows[0]!;
}

const BUSY_TASKS = sql('kit_busy_tasks')`
select distinct task_uuid from tasker.step where state in ('enqueued', 'in_progress') order by task_uuid limit 3`;

/** Returns some tasks whose steps are ready or running. */
export async function busyTasks(db: Db): Promise<string[]> {
  return (await db.query<{ task_uuid: string }>(BUSY_TASKS)).rows.map((row) => row.task_uuid);
}

// A retry whose step was retried or cancelled by hand may leave its timer, which then does nothing.
const NEXT_DUE = sql('kit_next_due')`
select (extract(epoch from min(due_at) - now()) * 1000000)::float8 us
  from (select min(due_at) due_at from tasker.timer
        union all
        select min(due_at) from tasker.wait where ended_at is null) x`;

/** Returns the microseconds until the next retry or wait is due. Null if there is none. */
export async function nextDueUs(db: Db): Promise<number | null> {
  return (await db.query<{ us: number | null }>(NEXT_DUE)).rows[0]!.us;
}

/** The start of a step that waits for a time which is not relative to the start of its wait. */
export interface AbsoluteWait {
  taskUuid: string;
  idx: number;
  attempt: number;
}

const ABSOLUTE_TIMERS = sql('kit_absolute_timers')`
select task_uuid "taskUuid", idx, attempt from tasker.wait
 where kind = 'timer' and ended_at is null and settings ->> 'due' not like 'for %'`;

/** Returns the timers that wait for a time from the context or from a result. */
export async function absoluteTimers(db: Db): Promise<AbsoluteWait[]> {
  return (await db.query<AbsoluteWait>(ABSOLUTE_TIMERS)).rows;
}

const TASKS_WITH_TIMES = sql('kit_tasks_with_times')`
select task_uuid from tasker.timer union select task_uuid from tasker.wait where ended_at is null`;

/** Returns the tasks that have due times. */
export async function tasksWithTimes(db: Db): Promise<string[]> {
  return (await db.query<{ task_uuid: string }>(TASKS_WITH_TIMES)).rows.map((row) => row.task_uuid);
}

const SHIFT_RETRIES = sql('kit_shift_retries')`
update tasker.timer set due_at = due_at - $1::float8 * interval '1 microsecond'`;
const SHIFT_STEPS = sql('kit_shift_steps')`
update tasker.step set next_at = next_at - $1::float8 * interval '1 microsecond' where state = 'waiting_for_retry'`;
const SHIFT_WAITS = sql('kit_shift_waits')`
update tasker.wait
   set since = since - $1::float8 * interval '1 microsecond', until = until - $1::float8 * interval '1 microsecond',
       due_at = due_at - $1::float8 * interval '1 microsecond'
 where ended_at is null`;

/** Moves the times of all retries and waits back, as if that much time had passed. Call it after lockTasks. */
export async function shiftTimes(db: Db, us: number): Promise<void> {
  for (const statement of [SHIFT_RETRIES, SHIFT_STEPS, SHIFT_WAITS]) await db.query(statement, [us]);
}

const SHIFT_TIMERS = sql('kit_shift_timers')`
update tasker.wait w
   set until = until - $4::float8 * interval '1 microsecond', due_at = due_at - $4::float8 * interval '1 microsecond'
  from unnest($1::uuid[], $2::int[], $3::int[]) d (task_uuid, idx, attempt)
 where w.task_uuid = d.task_uuid and w.idx = d.idx and w.attempt = d.attempt and w.ended_at is null`;

/** Moves the ends of some timers back, but not their beginnings. Call it after lockTasks. */
export async function shiftTimers(db: Db, timers: readonly AbsoluteWait[], us: number): Promise<void> {
  const columns = (['taskUuid', 'idx', 'attempt'] as const).map((key) => timers.map((timer) => timer[key]));
  await db.query(SHIFT_TIMERS, [...columns, us]);
}
