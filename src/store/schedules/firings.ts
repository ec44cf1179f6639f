import type { Db } from '../../db/statement.ts';
import type { FiringCause, FiringOutcome, TaskSchedule } from '../../model/schedule/spec.ts';
import { columns, sql } from '../sql.ts';

/** The outcome of a due time, or of several (`untilMs`) that were skipped for the same reason. */
export interface NewFiring {
  scheduleId: string;
  dueMs: number;
  untilMs: number | null;
  cause: FiringCause;
  outcome: FiringOutcome;
  taskUuid: string | null;
  reason: string | null;
}

// A due time that was skipped or queued can get a task later. A due time that has a task keeps it.
const NOTE_FIRINGS = sql('note_firings')`
insert into tasker.schedule_firing as f (schedule_id, due_at, until, cause, outcome, task_uuid, reason)
select d.id, to_timestamp(d.due / 1000), to_timestamp(d.until / 1000), d.cause, d.outcome, d.task, d.reason
  from unnest($1::uuid[], $2::float8[], $3::float8[], $4::text[], $5::text[], $6::uuid[], $7::text[])
       d (id, due, until, cause, outcome, task, reason)
on conflict (schedule_id, due_at) do update
   set until = excluded.until, cause = excluded.cause, outcome = excluded.outcome, task_uuid = excluded.task_uuid,
       reason = excluded.reason, at = now()
 where f.task_uuid is null`;

/** Stores the outcomes of due times. */
export async function noteFirings(db: Db, firings: readonly NewFiring[]): Promise<void> {
  if (firings.length === 0) return;
  await db.query(NOTE_FIRINGS, [
    firings.map((row) => row.scheduleId),
    firings.map((row) => row.dueMs),
    firings.map((row) => row.untilMs),
    firings.map((row) => row.cause),
    firings.map((row) => row.outcome),
    firings.map((row) => row.taskUuid),
    firings.map((row) => row.reason),
  ]);
}

/** The schedule that created a task. */
export interface NewScheduledTask {
  taskUuid: string;
  scheduleId: string;
  name: string;
  dueMs: number;
  previousMs: number | null;
  cause: FiringCause;
  /** Whether the schedule has to check the task again: for its overlap, or for a pause after a failure. */
  open: boolean;
}

const NOTE_SCHEDULED = sql('note_scheduled_tasks')`
insert into tasker.scheduled_task (task_uuid, schedule_id, name, due_at, previous_due_at, cause, open)
select d.task, d.id, d.name, to_timestamp(d.due / 1000), to_timestamp(d.previous / 1000), d.cause, d.open
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::float8[], $5::float8[], $6::text[], $7::boolean[])
       d (task, id, name, due, previous, cause, open)
on conflict do nothing`;

/** Stores which schedule created these tasks. */
export async function noteScheduledTasks(db: Db, tasks: readonly NewScheduledTask[]): Promise<void> {
  if (tasks.length === 0) return;
  await db.query(NOTE_SCHEDULED, [
    tasks.map((row) => row.taskUuid),
    tasks.map((row) => row.scheduleId),
    tasks.map((row) => row.name),
    tasks.map((row) => row.dueMs),
    tasks.map((row) => row.previousMs),
    tasks.map((row) => row.cause),
    tasks.map((row) => row.open),
  ]);
}

const OPEN_TASKS = sql('open_tasks_of_schedules')`
select x.schedule_id "scheduleId", x.task_uuid "taskUuid", x.failure_noted "failureNoted", t.state::text,
       t.done_at is not null ended
  from (
    select id from unnest($1::uuid[]) i (id)
     where not $2::boolean or exists (select 1 from tasker.schedule s where s.schedule_id = i.id and s.wake_at <= tasker.schedule_now())) d
 cross join lateral (
   select schedule_id, task_uuid, failure_noted from tasker.scheduled_task y where y.schedule_id = d.id and y.open offset 0) x
 cross join lateral (
   select tasker.shown_state(y.state, y.n_wait) state, y.done_at from tasker.task y where y.task_uuid = x.task_uuid offset 0) t
 order by x.task_uuid`;

/** A task that a schedule has to check. */
export interface OpenTaskRow {
  scheduleId: string;
  taskUuid: string;
  /** Whether the schedule has reacted to its failure. */
  failureNoted: boolean;
  state: string;
  ended: boolean;
}

/**
 * Returns the tasks that were open when their schedules were last handled. `due`: only tasks of schedules that still
 * have a due time to handle.
 */
export async function openTasksOf(
  db: Db,
  scheduleIds: readonly string[],
  { due = false }: { due?: boolean } = {},
): Promise<OpenTaskRow[]> {
  if (scheduleIds.length === 0) return [];
  return (await db.query<OpenTaskRow>(OPEN_TASKS, [`{${scheduleIds.join(',')}}`, due])).rows;
}

const CLOSE_TASKS = sql('close_scheduled_tasks')`
update tasker.scheduled_task set open = open and not d.ended, failure_noted = failure_noted or d.failed
  from unnest($1::uuid[], $2::boolean[], $3::boolean[]) d (id, ended, failed)
 where task_uuid = d.id`;

/** Stores which tasks of a schedule have ended or failed. */
export async function noteSeenTasks(
  db: Db,
  tasks: readonly { taskUuid: string; ended: boolean; failed: boolean }[],
): Promise<void> {
  if (tasks.length > 0) await db.query(CLOSE_TASKS, columns(tasks, 'taskUuid', 'ended', 'failed'));
}

const FIRINGS = sql('firings_of_schedules')`
select f.schedule_id "scheduleId", tasker.iso(f.due_at) "dueAt", tasker.iso(f.until) until, f.cause, f.outcome, f.task_uuid "taskUuid", f.reason,
       tasker.iso(f.at) at, f.state "taskState"
  from unnest($1::uuid[]) d (id)
 cross join lateral (
   select y.*, (select tasker.shown_state(t.state, t.n_wait)::text from tasker.task t where t.task_uuid = y.task_uuid) state
     from tasker.schedule_firing y where y.schedule_id = d.id and ($3::timestamptz is null or y.due_at < $3)
    order by y.due_at desc limit $2) f
 order by f.schedule_id, f.due_at desc`;

/** The outcome of a due time, as stored. */
export interface FiringRow {
  scheduleId: string;
  dueAt: string;
  until: string | null;
  cause: FiringCause;
  outcome: FiringOutcome;
  taskUuid: string | null;
  reason: string | null;
  at: string;
  /** The state of the task. Null if there is none, or it was deleted. */
  taskState: string | null;
}

/** Returns the newest outcomes of each of these schedules, newest first. */
export async function firingsOf(
  db: Db,
  scheduleIds: readonly string[],
  { limit, before = null }: { limit: number; before?: string | null },
): Promise<FiringRow[]> {
  return (await db.query<FiringRow>(FIRINGS, [`{${scheduleIds.join(',')}}`, limit, before])).rows;
}

const FIRED_BETWEEN = sql('fired_between')`
select (extract(epoch from due_at) * 1000)::float8 "dueMs", task_uuid "taskUuid" from tasker.schedule_firing
 where schedule_id = $1 and due_at between to_timestamp($2::float8 / 1000) and to_timestamp($3::float8 / 1000)
   and task_uuid is not null`;

/** Returns the tasks that were created for due times, by due time in milliseconds. */
export async function firedBetween(db: Db, id: string, fromMs: number, toMs: number): Promise<Map<number, string>> {
  const { rows } = await db.query<{ dueMs: number; taskUuid: string }>(FIRED_BETWEEN, [id, fromMs, toMs]);
  return new Map(rows.map(({ dueMs, taskUuid }) => [Math.round(dueMs), taskUuid]));
}

/** Number of outcomes kept for each schedule. */
const KEPT_FIRINGS = 1_000;

const PRUNE_FIRINGS = sql('prune_firings')`
delete from tasker.schedule_firing f using unnest($1::uuid[]) d (id)
 where f.schedule_id = d.id and f.due_at < (
   select due_at from tasker.schedule_firing x where x.schedule_id = d.id order by due_at desc offset ${KEPT_FIRINGS - 1} limit 1)`;

/** Deletes the oldest outcomes of schedules. The newest thousand stay. */
export async function pruneFirings(db: Db, scheduleIds: readonly string[]): Promise<void> {
  if (scheduleIds.length > 0) await db.query(PRUNE_FIRINGS, [`{${scheduleIds.join(',')}}`]);
}

const SCHEDULES_OF_TASKS = sql('schedules_of_tasks')`
select task_uuid "taskUuid", name, tasker.iso(due_at) due_at, tasker.iso(previous_due_at) previous_due_at, cause
  from tasker.scheduled_task where task_uuid = any ($1::uuid[])`;

/** Returns the schedules that created these tasks. Leaves out other tasks. */
export async function schedulesOfTasks(db: Db, taskUuids: readonly string[]): Promise<Map<string, TaskSchedule>> {
  const { rows } = await db.query<TaskSchedule & { taskUuid: string }>(SCHEDULES_OF_TASKS, [
    `{${taskUuids.join(',')}}`,
  ]);
  const short = (text: string | null) => (text === null ? null : new Date(text).toISOString());
  return new Map(
    rows.map(({ taskUuid, name, due_at, previous_due_at, cause }) => [
      taskUuid,
      { name, due_at: short(due_at)!, previous_due_at: short(previous_due_at), cause },
    ]),
  );
}
