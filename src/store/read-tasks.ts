import type { Db, Statement } from '../db/statement.ts';
import { STILL_STALE } from './stale-tasks.ts';

const TASK_COLUMNS = `
  t.task_uuid, m.name, n.name namespace, m.version, m.id template_id, t.verdict::text, t.state::text, t.rank,
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

const GET_TASKS: Statement = {
  name: 'get_tasks',
  text: `
select ${TASK_COLUMNS}
  from tasker.task t join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id ${TASK_COUNTS}
 where t.task_uuid = any ($1::uuid[])`,
};

/** Tasks by their ids; unknown ones are left out. */
export async function getTasks(db: Db, taskUuids: readonly string[]): Promise<TaskRow[]> {
  return (await db.query<TaskRow>(GET_TASKS, [`{${taskUuids.join(',')}}`])).rows;
}

// The page is cut before the steps are counted; task ids grow with time, so the newest come first by the key alone.
const LIST_TASKS: Statement = {
  name: 'list_tasks',
  text: `
with page as materialized (
  select t.* from tasker.task t
    join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id
   where ($1::uuid is null or t.task_uuid < $1) and ($2::text is null or n.name = $2) and ($3::text is null or m.name = $3)
     and ($4::text is null or t.state::text = $4) and (not $5::boolean or t.done_at is null)
   order by t.task_uuid desc limit $6)
select ${TASK_COLUMNS}
  from page t join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id ${TASK_COUNTS}
 order by t.task_uuid desc`,
};

const LIST_STALE_TASKS: Statement = {
  name: 'list_stale_tasks',
  text: `
with page as materialized (
  select t.* from tasker.task_watch w join tasker.task t on t.task_uuid = w.task_uuid
    join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id
   where ($1::uuid is null or w.task_uuid < $1) and ($2::text is null or n.name = $2) and ($3::text is null or m.name = $3)
     and ($4::text is null or t.state::text = $4) and ${STILL_STALE}
   order by w.task_uuid desc limit $5)
select ${TASK_COLUMNS}
  from page t join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id ${TASK_COUNTS}
 order by t.task_uuid desc`,
};

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

const GET_STEPS: Statement = {
  name: 'get_steps',
  text: `
select s.idx, coalesce(bw.name, ts.name) name, ts.name template_name, ts.callable, s.state::text, s.remaining, s.attempts, s.spared, s.max_attempts, s.retryable, s.result,
       s.claim >> 24 worker_id, tasker.iso(s.next_at) next_at, tasker.iso(s.started_at) started_at, tasker.iso(s.done_at) done_at,
       tasker.iso(t.created_at) created_at,
       case when ts.initial then ts.parents else (
         select count(*)::int from (
           select p.idx from tasker.template_edge e join tasker.step p on p.task_uuid = s.task_uuid and p.idx = e.parent
            where e.template_id = t.template_id and e.child = ts.idx
           union all
           select p.idx from tasker.template_edge e join tasker.batch b on b.task_uuid = s.task_uuid and b.worker_idx = e.parent
             join tasker.step p on p.task_uuid = s.task_uuid and p.idx >= (b.worker_idx + 1) << 17
              and p.idx < ((b.worker_idx + 1) << 17) + b.size
            where e.template_id = t.template_id and e.child = ts.idx) x) end total_parents,
       s.state = 'pending' and s.remaining = 0 awaits_place,
       h.attempt last_attempt, h.outcome::text last_outcome, h.duration_ms, h.detail, tasker.iso(h.ended_at) ended_at,
       coalesce(w.name, p.name) worker, coalesce(w.host, p.host) host
  from tasker.task t join tasker.step s on s.task_uuid = t.task_uuid
  join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(s.idx)
  left join tasker.batch_worker bw on bw.task_uuid = s.task_uuid and bw.idx = s.idx
  left join lateral (
    select * from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx order by h.attempt desc limit 1) h on true
  left join tasker.worker w on w.id = s.claim >> 24
  left join tasker.past_worker p on p.id = s.claim >> 24
 where t.task_uuid = $1 and ($2::int is null or s.idx = $2)
 order by s.idx`,
};

/** A step with the end of its last attempt. */
export interface StepRow {
  idx: number;
  name: string;
  /** The step of the template: another one than `name` for a worker of a batch. */
  template_name: string;
  callable: string;
  state: string;
  /** All its parents are over; it waits until its batch's `parallelism` has room. */
  awaits_place: boolean;
  remaining: number;
  attempts: number;
  spared: number;
  max_attempts: number;
  retryable: boolean;
  /** JSON text. */
  result: string | null;
  worker_id: number | null;
  next_at: string | null;
  started_at: string | null;
  done_at: string | null;
  created_at: string;
  total_parents: number;
  last_attempt: number | null;
  last_outcome: string | null;
  duration_ms: number | null;
  /** JSON text. */
  detail: string | null;
  ended_at: string | null;
  worker: string | null;
  host: string | null;
}

/** The steps of a task in the order of its template; or one of them. */
export async function getSteps(db: Db, taskUuid: string, idx: number | null = null): Promise<StepRow[]> {
  return (await db.query<StepRow>(GET_STEPS, [taskUuid, idx])).rows;
}

const GET_HISTORY: Statement = {
  name: 'get_history',
  text: `
select * from (
  select h.idx, 'attempt' kind, h.attempt, h.outcome::text what, h.state::text to_state, h.started_at, h.ended_at at, h.duration_ms, h.detail,
         coalesce(w.name, p.name, 'worker ' || h.worker_id) who, null reason
    from tasker.history h left join tasker.worker w on w.id = h.worker_id left join tasker.past_worker p on p.id = h.worker_id
   where h.task_uuid = $1
  union all
  select a.idx, 'operator', null, a.action, a.to_state, null, a.at, null, null, a.actor, a.reason
    from tasker.operator_action a where a.task_uuid = $1) x
 where $2::int is null or x.idx = $2
 order by at, idx, attempt`,
};

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

/** Everything that happened to a task, or to one of its steps, in order. */
export async function getHistory(db: Db, taskUuid: string, idx: number | null = null): Promise<HistoryRow[]> {
  return (await db.query<HistoryRow>(GET_HISTORY, [taskUuid, idx])).rows;
}
