import type { Db } from '../db/statement.ts';
import { shownState } from './shown-state.ts';
import { columns, lists, sql } from './sql.ts';

/** Prefix of the rules that come from the configuration instead of a template. */
const THRESHOLD = 'orchestration.dlq.thresholds.';

/**
 * When a task `t` last made progress: a step started, began or ended a wait, saved a checkpoint or ended, a retry
 * became due, or an operator acted. Noting the task as stale, copying it, pausing or resuming it, and actions on its
 * dead letter are not progress.
 */
export const LAST_MOVE = `
  select greatest(t.created_at, t.rerun_at, max(s.started_at), max(s.done_at), max(s.next_at) filter (where s.next_at <= statement_timestamp()),
                  (select greatest(max(x.since), max(x.ended_at)) from tasker.wait x where x.task_uuid = t.task_uuid),
                  (select max(c.saved_at) from tasker.checkpoint c where c.task_uuid = t.task_uuid),
                  (select max(a.at) from tasker.operator_action a where a.task_uuid = t.task_uuid
                      and a.action not in ('note', 'copy', 'pause', 'resume') and not starts_with(a.action, 'dlq_'))) at,
         coalesce(max(s.attempts), 0) > 0 began
    from tasker.step s where s.task_uuid = t.task_uuid`;

/**
 * Whether the note in the row `w` still applies to its task `t`. The next check removes notes of tasks that have made
 * progress since.
 */
export const STILL_STALE = `
  w.rule is not null and t.done_at is null
  and (w.rule in ('max_duration_minutes', '${THRESHOLD}task_max_lifetime_hours')
       or w.since = (select at from (${LAST_MOVE}) moved))`;

const WATCH_TASKS = sql('watch_tasks')`
insert into tasker.task_watch (task_uuid, check_at)
select task_uuid, statement_timestamp() + minutes * interval '1 minute' from unnest($1::uuid[], $2::int[]) w (task_uuid, minutes)`;

/** A task whose template has limits. */
export interface WatchedTask {
  taskUuid: string;
  /** Minutes until the earliest time at which it can be stale. */
  minutes: number;
}

/** Schedules the first check of tasks, in the transaction that creates them. */
export async function watchTasks(db: Db, tasks: readonly WatchedTask[]): Promise<void> {
  await db.query(WATCH_TASKS, columns(tasks, 'taskUuid', 'minutes'));
}

const WATCH_AGAIN = sql('watch_task_again')`
insert into tasker.task_watch (task_uuid, check_at) values ($1, statement_timestamp() + $2::int * interval '1 minute')
on conflict (task_uuid) do update set check_at = excluded.check_at, rule = null, minutes = null, since = null, noted_at = null`;

/**
 * Schedules the first check of a task that starts later or runs again, and removes the note of an earlier check. Call it
 * after lockTasks.
 */
export async function watchTaskAgain(db: Db, { taskUuid, minutes }: WatchedTask): Promise<void> {
  await db.query(WATCH_AGAIN, [taskUuid, minutes]);
}

// `offset 0` keeps the lookup of each task by key.
const DUE_WATCHES = sql('due_watches')`
select w.task_uuid "taskUuid", t.n_open "openSteps"
  from (select task_uuid, check_at from tasker.task_watch where check_at <= statement_timestamp() order by check_at limit 500) w
  left join lateral (select n_open from tasker.task x where x.task_uuid = w.task_uuid offset 0) t on true
 order by w.check_at`;

/** A task to check. */
export interface DueWatchRow {
  taskUuid: string;
  /** Null if the task was deleted. */
  openSteps: number | null;
}

/** Returns tasks to check, at most 500 at a time, the longest due first. */
export async function dueWatches(db: Db): Promise<DueWatchRow[]> {
  return (await db.query<DueWatchRow>(DUE_WATCHES)).rows;
}

const FORGET_WATCHES = sql('forget_watches')`delete from tasker.task_watch where task_uuid = any ($1::uuid[])`;

/** Ends the checks of these tasks. */
export async function forgetWatches(db: Db, taskUuids: readonly string[]): Promise<void> {
  await db.query(FORGET_WATCHES, [`{${taskUuids.join(',')}}`]);
}

/** The time between a moment and now in which a task was paused, or which other `spans` cover. */
const heldSince = (moment: string, spans = 'held.spans') => `(
    select coalesce(sum(upper(r) - lower(r)), '0') from unnest((${spans}) * tstzmultirange(tstzrange(least(${moment}, statement_timestamp()), statement_timestamp()))) r)`;

/**
 * The limits `lim` of a task `t` in the row `w` and of its template `m`, in minutes. Also when the two limits that
 * apply now are exceeded: `duration` since the task has `begun`, and `idle` for its current state since it last
 * `moved`. A task that waits for its start exceeds none. A threshold of the configuration for the lifetime of tasks
 * excludes the time in which they wait.
 */
export const LIMITS_NOW = `cross join lateral (
    select coalesce(m.max_duration_minutes, w.thresholds[1]) duration,
           coalesce(m.max_waiting_for_dependencies_minutes, w.thresholds[2]) dependencies,
           coalesce(m.max_waiting_for_retry_minutes, w.thresholds[3]) retry,
           coalesce(m.max_steps_in_process_minutes, w.thresholds[4]) in_process, m.max_waiting_minutes waiting) lim
  cross join lateral (${LAST_MOVE}) moved
  cross join lateral (
    select greatest(t.rerun_at, t.undo_at, max(x.ended_at) filter (where x.idx = -1), t.created_at) at,
           coalesce(bool_or(x.ended_at is null) filter (where x.idx = -1), false) is_due_later,
           coalesce(range_agg(tstzrange(least(x.since, statement_timestamp()), greatest(least(x.since, statement_timestamp()), least(coalesce(x.ended_at, statement_timestamp()), statement_timestamp())))), '{}') waits
      from tasker.wait x where x.task_uuid = t.task_uuid) begun
  cross join lateral (
    select coalesce(range_agg(tstzrange(least(p.paused_at, statement_timestamp()), least(coalesce(p.resumed_at, statement_timestamp()), statement_timestamp()))), '{}') spans,
           coalesce(bool_or(p.resumed_at is null), false) holding
      from (select paused_at, resumed_at from tasker.pause where task_uuid = t.task_uuid
            union all
            select paused_at, resumed_at from tasker.pause
             where task_uuid is null and namespace_id = m.namespace_id
               and (name is null or name = m.name) and (version is null or version = m.version)) p
     where p.resumed_at is null or p.resumed_at > coalesce(t.rerun_at, t.created_at)) held
  cross join lateral (
    select case when m.max_duration_minutes is null then '${THRESHOLD}task_max_lifetime_hours' else 'max_duration_minutes' end rule,
           held, case when not begun.is_due_later then begun.at + lim.duration * interval '1 minute' + held end until
      from (select case when m.max_duration_minutes is null then ${heldSince('begun.at', 'held.spans + begun.waits')}
                        else ${heldSince('begun.at')} end held) h) duration
  cross join lateral (
    select case when x.of_template is null then '${THRESHOLD}' else 'max_' end || x.name rule, x.minutes, held,
           moved.at + x.minutes * interval '1 minute' + held until
      from (select ${heldSince('moved.at')} held) h,
           lateral (select ${shownState('t')} state) now_in, lateral (
             select 'waiting_for_retry_minutes' name, m.max_waiting_for_retry_minutes of_template, lim.retry minutes
              where t.state = 'waiting_for_retry'
             union all
             select 'steps_in_process_minutes', m.max_steps_in_process_minutes, lim.in_process
              where t.state in ('steps_in_process', 'undoing') and moved.began
             union all
             select 'waiting_for_dependencies_minutes', m.max_waiting_for_dependencies_minutes, lim.dependencies
              where t.state <> 'waiting_for_retry' and not (t.state in ('steps_in_process', 'undoing') and moved.began)
                and not begun.is_due_later and (now_in.state <> 'waiting' or t.n_error > 0)
             union all
             select 'waiting_minutes', m.max_waiting_minutes, lim.waiting where now_in.state = 'waiting'
             union all
             select null, null, null where begun.is_due_later) x
     order by x.minutes limit 1) idle`;

// Time in which the task, its template or its namespace was paused is excluded, and overlapping pauses are excluded
// only once. While a pause is in force, each limit is extended as time passes, so the next check is a few minutes away.
// Finds the limit that was exceeded first, if any, limits of the template before thresholds of the configuration. A
// task is treated as waiting for dependencies while it waits for something outside: its first worker, or an operator.
// The next check is at the earliest time at which a limit can be exceeded. This is the limit of the current state, or
// the shortest limit after a change of state that may happen right now.
const JUDGE_TASKS = sql('judge_tasks')`
select w.task_uuid "taskUuid", n.name || '/' || m.name || '@' || m.version template, (${shownState('t')})::text state,
       t.done_at is not null ended, begun.at = t.rerun_at rerun, begun.at > t.created_at "startedLater", case when starts_with(broken.rule, '${THRESHOLD}') then 'note' else m.stale_action end action,
       broken.rule, broken.minutes, tasker.iso(broken.since) since,
       floor(extract(epoch from statement_timestamp() - broken.since - broken.held) / 60)::int passed,
       floor(extract(epoch from broken.held) / 60)::int held,
       w.rule is not null and w.rule = broken.rule and w.since = broken.since noted,
       tasker.iso(greatest(case when held.holding then statement_timestamp() + interval '5 minutes' end, least(case when duration.until > statement_timestamp() then duration.until end, case when idle.until > statement_timestamp() then idle.until end,
         statement_timestamp() + coalesce(least(lim.dependencies, lim.retry, lim.in_process, lim.waiting), 60) * interval '1 minute'))) "checkAt"
  from tasker.task_watch w
  join tasker.task t on t.task_uuid = w.task_uuid
  join tasker.template m on m.id = t.template_id
  join tasker.namespace n on n.id = m.namespace_id
  ${LIMITS_NOW}
  left join lateral (
    select * from (
      values (duration.rule, lim.duration, begun.at, duration.until, duration.held),
             (idle.rule, idle.minutes, moved.at, idle.until, idle.held)) x (rule, minutes, since, until, held)
     where until <= statement_timestamp() order by starts_with(rule, 'max_') desc, until limit 1) broken on true
 where w.task_uuid = any ($1::uuid[]) and w.check_at <= statement_timestamp()`;

/** The result of checking a task. */
export interface JudgedRow {
  taskUuid: string;
  /** `namespace/name@version`. */
  template: string;
  state: string;
  ended: boolean;
  /** Whether it ran again from a step after its start. Its limits then start at the rerun. */
  rerun: boolean | null;
  /** Whether it began after its creation. Its limits then start at its start. */
  startedLater: boolean;
  /** `dlq` notes the task and adds a dead letter, `note` only notes it. */
  action: 'error' | 'dlq' | 'note';
  /** The limit that is exceeded, or null: a field of the template's lifecycle, or a key of the configuration. */
  rule: string | null;
  minutes: number | null;
  since: string | null;
  /** Minutes since then, without paused time. */
  passed: number | null;
  /** Minutes since then in which it was paused. */
  held: number | null;
  /** Whether this was noted before. */
  noted: boolean;
  checkAt: string;
}

/** Checks the tasks in the list that are still due. Call it after lockTasks. */
export async function judgeTasks(db: Db, taskUuids: readonly string[]): Promise<JudgedRow[]> {
  return (await db.query<JudgedRow>(JUDGE_TASKS, [`{${taskUuids.join(',')}}`])).rows;
}

const NOTE_WATCHES = sql('note_watches')`
with d as materialized (
  select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::int[], $5::timestamptz[], $6::text[], $7::text[])
    d (task_uuid, check_at, rule, minutes, since, state, reason)),
a as (
  insert into tasker.operator_action (task_uuid, at, action, from_state, to_state, actor, reason, door)
  select task_uuid, statement_timestamp(), 'note', state, state, $8, reason, 'lifecycle' from d where reason is not null)
update tasker.task_watch w set
  check_at = d.check_at, rule = d.rule, minutes = d.minutes, since = d.since,
  noted_at = case when d.rule is null then null when d.reason is not null then statement_timestamp() else w.noted_at end
  from d where w.task_uuid = d.task_uuid`;

/** The result of checking a task that continues. */
export interface WatchNote extends JudgedRow {
  /** The text of a new note. Null if there is none. */
  reason: string | null;
}

/** Stores the results and the times of the next checks. Call it after lockTasks. */
export async function noteWatches(db: Db, notes: readonly WatchNote[], actor: string): Promise<void> {
  const found = lists(notes, 'taskUuid', 'checkAt', 'rule', 'minutes', 'since', 'state', 'reason');
  await db.query(NOTE_WATCHES, [...found, actor]);
}

// A separate statement, which waits for steps that are being claimed. The next statement then sees their new state.
const LOCK_OPEN_STEPS = sql('lock_open_steps')`
select count(*) from (
  select 1 from tasker.step where task_uuid = any ($1::uuid[])
     and state in ('pending', 'enqueued', 'in_progress', 'waiting_for_retry', 'waiting', 'error') for update) s`;

const FAIL_TASKS = sql('fail_tasks')`
with h as (
  insert into tasker.history (task_uuid, idx, attempt, number, worker_id, outcome, state, started_at, ended_at)
  select task_uuid, idx, attempts, nullif(attempts - spared, attempts), claim >> 24, 'cancelled', 'cancelled', started_at, greatest(statement_timestamp(), started_at)
    from tasker.step where task_uuid = any ($1::uuid[]) and state in ('in_progress', 'waiting')),
s as (
  update tasker.step set state = 'cancelled', done_at = statement_timestamp(), next_at = null
   where task_uuid = any ($1::uuid[]) and state in ('pending', 'enqueued', 'in_progress', 'waiting_for_retry', 'waiting', 'error')),
x as (
  update tasker.wait set ended_at = greatest(statement_timestamp(), since), ended_by = 'cancel' where task_uuid = any ($1::uuid[]) and ended_at is null),
a as (
  insert into tasker.operator_action (task_uuid, at, action, from_state, to_state, actor, reason, door)
  select task_uuid, statement_timestamp(), 'fail', state, 'error', $4, reason, 'lifecycle'
    from unnest($1::uuid[], $2::text[], $3::text[]) d (task_uuid, state, reason)),
w as (
  delete from tasker.task_watch where task_uuid = any ($1::uuid[]))
update tasker.task t set verdict = 'error', n_open = 0, n_active = 0, n_retry = 0, n_error = 0, n_wait = 0, done_at = statement_timestamp()
 where task_uuid = any ($1::uuid[])
returning t.task_uuid, t.task_uuid in (
  select task_uuid from tasker.step where task_uuid = any ($1::uuid[]) and state = 'in_progress') running`;

/** A task to end. */
export interface FailingTask {
  taskUuid: string;
  state: string;
  reason: string;
}

/**
 * Ends open tasks in `error` and cancels their open steps. Returns the tasks that had running steps. Call it after
 * lockTasks.
 */
export async function failTasks(db: Db, tasks: readonly FailingTask[], actor: string): Promise<string[]> {
  const ids = `{${tasks.map((task) => task.taskUuid).join(',')}}`;
  await db.query(LOCK_OPEN_STEPS, [ids]);
  const values = [ids, ...lists(tasks, 'state', 'reason'), actor];
  const { rows } = await db.query<{ task_uuid: string; running: boolean }>(FAIL_TASKS, values);
  return rows.filter((row) => row.running).map((row) => row.task_uuid);
}
