import type { Db } from '../db/statement.ts';
import { sql } from './sql.ts';
import { STILL_STALE } from './stale-tasks.ts';

const TASK_COLUMNS = `
  t.task_uuid, m.name, n.name namespace, m.version, m.id template_id, t.verdict::text, t.state::text, t.rank, t.n_open, t.n_error,
  tasker.iso(t.created_at) created_at, tasker.iso(t.done_at) done_at, t.context, t.initiator, t.source_system, t.reason, t.tags,
  t.correlation_id, t.parent_correlation_id, c.*, stale.*`;

const TASK_COUNTS = `
  cross join lateral (
    select count(*)::int total_steps,
           (count(*) filter (where s.state in ('pending', 'waiting_for_retry')))::int pending_steps,
           (count(*) filter (where s.state = 'in_progress'))::int in_progress_steps,
           (count(*) filter (where s.state in ('complete', 'resolved_manually')))::int completed_steps,
           (count(*) filter (where s.state = 'error'))::int failed_steps,
           (count(*) filter (where s.state = 'enqueued'))::int ready_steps,
           coalesce(max(s.attempts), 0)::int most_attempts,
           tasker.iso(greatest(t.created_at, t.done_at, max(s.started_at), max(s.done_at))) updated_at
      from tasker.step s where s.task_uuid = t.task_uuid) c
  left join lateral (
    select w.rule stale_rule, w.minutes stale_minutes, tasker.iso(w.since) stale_since, tasker.iso(w.noted_at) stale_at
      from tasker.task_watch w where w.task_uuid = t.task_uuid and ${STILL_STALE} offset 0) stale on true`;

/** A task with the counts of its steps. */
export interface TaskRow {
  task_uuid: string;
  name: string;
  namespace: string;
  version: string;
  template_id: number;
  verdict: string | null;
  state: string;
  rank: number;
  /** Steps that must still come to an end. */
  n_open: number;
  /** Steps in error that the task waits for; not those whose failure their batch tolerates. */
  n_error: number;
  created_at: string;
  done_at: string | null;
  /** JSON text. */
  context: string;
  initiator: string | null;
  source_system: string | null;
  reason: string | null;
  tags: string[] | null;
  correlation_id: string | null;
  parent_correlation_id: string | null;
  total_steps: number;
  pending_steps: number;
  in_progress_steps: number;
  completed_steps: number;
  failed_steps: number;
  ready_steps: number;
  most_attempts: number;
  updated_at: string;
  /** Null: the task is not stale, or has no limits. */
  stale_rule: string | null;
  stale_minutes: number | null;
  stale_since: string | null;
  stale_at: string | null;
}

const GET_TASKS = sql('get_tasks')`
select ${TASK_COLUMNS}
  from tasker.task t join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id ${TASK_COUNTS}
 where t.task_uuid = any ($1::uuid[])`;

/** Tasks by their ids; unknown ones are left out. */
export async function getTasks(db: Db, taskUuids: readonly string[]): Promise<TaskRow[]> {
  return (await db.query<TaskRow>(GET_TASKS, [`{${taskUuids.join(',')}}`])).rows;
}

// The page is cut before the steps are counted; task ids grow with time, so the newest come first by the key alone.
const LIST_TASKS = sql('list_tasks')`
with page as materialized (
  select t.* from tasker.task t
    join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id
   where ($1::uuid is null or t.task_uuid < $1) and ($2::text is null or n.name = $2) and ($3::text is null or m.name = $3)
     and ($4::text is null or t.state::text = $4) and (not $5::boolean or t.done_at is null)
   order by t.task_uuid desc limit $6)
select ${TASK_COLUMNS}
  from page t join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id ${TASK_COUNTS}
 order by t.task_uuid desc`;

const LIST_STALE_TASKS = sql('list_stale_tasks')`
with page as materialized (
  select t.* from tasker.task_watch w join tasker.task t on t.task_uuid = w.task_uuid
    join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id
   where ($1::uuid is null or w.task_uuid < $1) and ($2::text is null or n.name = $2) and ($3::text is null or m.name = $3)
     and ($4::text is null or t.state::text = $4) and ${STILL_STALE}
   order by w.task_uuid desc limit $5)
select ${TASK_COLUMNS}
  from page t join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id ${TASK_COUNTS}
 order by t.task_uuid desc`;

/** Which tasks to list. */
export interface TaskFilter {
  /** Only tasks created before this one. */
  before: string | null;
  namespace: string | null;
  name: string | null;
  /** A stored state (`pending` is derived and can't be asked for here). */
  state: string | null;
  /** Only tasks that have not ended. */
  openOnly: boolean;
  /** Only open tasks that are noted as stale. */
  stale: boolean;
  limit: number;
}

/** Tasks, the newest first. */
export async function listTasks(db: Db, filter: TaskFilter): Promise<TaskRow[]> {
  const { before, namespace, name, state, openOnly, stale, limit } = filter;
  const { rows } = stale
    ? await db.query<TaskRow>(LIST_STALE_TASKS, [before, namespace, name, state, limit])
    : await db.query<TaskRow>(LIST_TASKS, [before, namespace, name, state, openOnly, limit]);
  return rows;
}

const GET_HISTORY = sql('get_history')`
select * from (
  select h.idx, 'attempt' kind, h.attempt, h.outcome::text what, h.state::text to_state, h.started_at, h.ended_at at, h.duration_ms, h.detail,
         coalesce(w.name, p.name, 'worker ' || h.worker_id) who, null reason
    from tasker.history h left join tasker.worker w on w.id = h.worker_id left join tasker.past_worker p on p.id = h.worker_id
   where h.task_uuid = $1
  union all
  select a.idx, 'operator', null, a.action, a.to_state, null, a.at, null, null, a.actor, a.reason
    from tasker.operator_action a where a.task_uuid = $1) x
 order by at, idx, attempt`;

/** What happened to a step, once: an attempt's end or an operator's action. */
export interface HistoryRow {
  idx: number | null;
  kind: 'attempt' | 'operator';
  attempt: number | null;
  what: string;
  to_state: string;
  started_at: Date | null;
  at: Date;
  duration_ms: number | null;
  /** JSON text. */
  detail: string | null;
  who: string;
  reason: string | null;
}

/** Everything that happened to a task, in order. */
export async function getHistory(db: Db, taskUuid: string): Promise<HistoryRow[]> {
  return (await db.query<HistoryRow>(GET_HISTORY, [taskUuid])).rows;
}
