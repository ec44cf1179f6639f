import type { Db } from '../../db/statement.ts';
import { columns, sql } from '../sql.ts';

/** Statements of the test kit, which moves due times instead of waiting for them. */

// A schedule with a queued due time checks its open task every second. The test kit does not wait for this check,
// because it detects the end of the task itself.
const DUE_SCHEDULE = `case when s.queued_due is not null and exists (
    select from tasker.scheduled_task x join tasker.task t using (task_uuid)
     where x.schedule_id = s.schedule_id and x.open and t.done_at is null
       and tasker.shown_state(t.state, t.n_wait) <> 'blocked_by_failures')
  then case when s.next_due is not null then greatest(s.wake_at, s.next_due) end else s.wake_at end`;

// Steps of paused tasks are queued under a negative id, and are not counted. A step that was retried or cancelled by
// hand may leave its timer, which then does nothing.
const OPEN_WORK = sql('kit_open_work')`
select exists (select from tasker.queue where namespace_id > 0) ready,
       exists (select from tasker.step where state = 'in_progress') running,
       exists (select from tasker.event_group) "hasSubscribers",
       (select (extract(epoch from min(due_at) - now()) * 1000000)::float8
          from (select min(due_at) due_at from tasker.timer
                union all
                select min(due_at) from tasker.wait where ended_at is null
                union all
                select min(${DUE_SCHEDULE}) - (tasker.schedule_now() - now()) from tasker.schedule s
                 where s.wake_at is not null) x) "dueUs",
       (select coalesce(json_agg(json_build_object('taskUuid', task_uuid, 'idx', idx, 'attempt', attempt)), '[]')::text
          from tasker.wait where kind = 'timer' and ended_at is null and settings ->> 'due' not like 'for %') timers`;

/** A timer that waits for an absolute time from the context or a result. */
export interface AbsoluteTimer {
  taskUuid: string;
  idx: number;
  /** The start of the step at which the wait began. */
  attempt: number;
}

/** The work in a database that can continue now, and the time until the next retry, wait or schedule is due. */
export interface OpenWork {
  /** Whether steps are in the queue. */
  ready: boolean;
  /** Whether workers hold steps. */
  running: boolean;
  hasSubscribers: boolean;
  /** Microseconds until the next retry, wait or schedule is due. Null if there is none. */
  dueUs: number | null;
  timers: AbsoluteTimer[];
}

export async function openWork(db: Db): Promise<OpenWork> {
  const { timers, ...work } = (await db.query<Omit<OpenWork, 'timers'> & { timers: string }>(OPEN_WORK)).rows[0]!;
  return { ...work, timers: JSON.parse(timers) as AbsoluteTimer[] };
}

const BUSY_TASKS = sql('kit_busy_tasks')`
select distinct task_uuid from tasker.step where state in ('enqueued', 'in_progress') order by task_uuid limit 3`;

/** Returns some tasks whose steps are ready or running. */
export async function busyTasks(db: Db): Promise<string[]> {
  return (await db.query<{ task_uuid: string }>(BUSY_TASKS)).rows.map((row) => row.task_uuid);
}

const LOCK_TIMED = sql('kit_lock_timed_tasks')`
select task_uuid from tasker.task
 where task_uuid in (select task_uuid from tasker.timer
                     union all
                     select task_uuid from tasker.wait where ended_at is null)
 order by task_uuid for update`;
const SHIFT_RETRIES = sql('kit_shift_retries')`
update tasker.timer set due_at = due_at - $1::float8 * interval '1 microsecond'`;
const SHIFT_STEPS = sql('kit_shift_steps')`
update tasker.step set next_at = next_at - $1::float8 * interval '1 microsecond' where state = 'waiting_for_retry'`;
const SHIFT_WAITS = sql('kit_shift_waits')`
update tasker.wait
   set since = since - $1::float8 * interval '1 microsecond', until = until - $1::float8 * interval '1 microsecond',
       due_at = due_at - $1::float8 * interval '1 microsecond'
 where ended_at is null`;

const SHIFT_TIMERS = sql('kit_shift_timers')`
update tasker.wait w
   set until = until - $4::float8 * interval '1 microsecond', due_at = due_at - $4::float8 * interval '1 microsecond'
  from unnest($1::uuid[], $2::int[], $3::int[]) d (task_uuid, idx, attempt)
 where w.task_uuid = d.task_uuid and w.idx = d.idx and w.attempt = d.attempt and w.ended_at is null`;

/**
 * Moves the times of all retries and waits back, as if that much time had passed. Sends all statements together, so
 * that it can be used in a pipeline.
 */
export async function shiftTimes(db: Db, us: number): Promise<void> {
  const shifts = [SHIFT_RETRIES, SHIFT_STEPS, SHIFT_WAITS];
  await Promise.all([db.query(LOCK_TIMED), ...shifts.map((statement) => db.query(statement, [us]))]);
}

/** Moves the ends of some timers back, but not their beginnings. Sends all statements together. */
export async function shiftTimers(db: Db, timers: readonly AbsoluteTimer[], us: number): Promise<void> {
  await Promise.all([
    db.query(LOCK_TIMED),
    db.query(SHIFT_TIMERS, [...columns(timers, 'taskUuid', 'idx', 'attempt'), us]),
  ]);
}

const CREATE_CLOCK = sql('kit_create_clock')`
create table tasker.kit_clock as select interval '0' ahead`;
const USE_CLOCK = sql('kit_use_clock')`
create or replace function tasker.schedule_now() returns timestamptz language sql stable parallel safe
return (select now() + ahead from tasker.kit_clock)`;
const SHIFT_CLOCK = sql('kit_shift_clock')`
update tasker.kit_clock set ahead = ahead + $1::float8 * interval '1 microsecond'`;

/** Replaces the clock of schedules with one that tests can move. Sends all statements together. */
export async function useOwnClock(db: Db): Promise<void> {
  await Promise.all([db.query(CREATE_CLOCK), db.query(USE_CLOCK)]);
}

/** Moves the clock of schedules forward. Call {@link useOwnClock} before. */
export async function shiftClock(db: Db, us: number): Promise<void> {
  await db.query(SHIFT_CLOCK, [us]);
}
