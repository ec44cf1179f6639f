import type { Db } from '../db/statement.ts';
import { sql } from './sql.ts';
import { STILL_STALE } from './stale-tasks.ts';

const TASK_COLUMNS = `
  t.task_uuid "taskUuid", m.name, n.name namespace, m.version, t.state::text status, tasker.iso(t.created_at) "createdAt",
  c.updated_at "updatedAt", tasker.iso(t.done_at) "completedAt", t.context, t.initiator, t.source_system "sourceSystem",
  t.reason, -t.rank priority, coalesce(t.tags, '{}') tags, coalesce(t.correlation_id, t.task_uuid) "correlationId",
  t.parent_correlation_id "parentCorrelationId", c.total "totalSteps", c.pending "pendingSteps",
  c.in_progress "inProgressSteps", c.completed "completedSteps", c.failed "failedSteps", c.ready "readySteps",
  m.id "templateId", t.verdict::text, t.n_open "openSteps", t.n_error "blockingSteps", c.attempts "mostAttempts", stale.note stale`;

const TASK_COUNTS = `
  cross join lateral (
    select count(*)::int total,
           (count(*) filter (where s.state in ('pending', 'waiting_for_retry')))::int pending,
           (count(*) filter (where s.state = 'in_progress'))::int in_progress,
           (count(*) filter (where s.state in ('complete', 'resolved_manually')))::int completed,
           (count(*) filter (where s.state = 'error'))::int failed,
           (count(*) filter (where s.state = 'enqueued'))::int ready,
           coalesce(max(s.attempts), 0)::int attempts,
           tasker.iso(greatest(t.created_at, t.done_at, max(s.started_at), max(s.done_at))) updated_at
      from tasker.step s where s.task_uuid = t.task_uuid) c
  left join lateral (
    select json_build_object('rule', w.rule, 'minutes', w.minutes, 'since', tasker.iso(w.since),
                             'at', tasker.iso(w.noted_at))::text note
      from tasker.task_watch w where w.task_uuid = t.task_uuid and ${STILL_STALE} offset 0) stale on true`;

/** A task with the counts of its steps. */
export interface TaskRow {
  taskUuid: string;
  name: string;
  namespace: string;
  version: string;
  status: string;
  createdAt: string;
  updatedAt: string;
  completedAt: string | null;
  /** JSON text. */
  context: string;
  initiator: string | null;
  sourceSystem: string | null;
  reason: string | null;
  priority: number;
  tags: string[];
  correlationId: string;
  parentCorrelationId: string | null;
  totalSteps: number;
  pendingSteps: number;
  inProgressSteps: number;
  completedSteps: number;
  failedSteps: number;
  readySteps: number;
  templateId: number;
  verdict: string | null;
  /** Steps that must still come to an end. */
  openSteps: number;
  /** Steps in error that the task waits for; not those whose failure their batch tolerates. */
  blockingSteps: number;
  mostAttempts: number;
  /** JSON text of the limit that the task is over; null: it is not stale, or has no limits. */
  stale: string | null;
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
  select h.idx, 'attempt' kind, h.attempt, h.outcome::text what, h.state::text "toState", h.started_at "startedAt",
         h.ended_at at, h.duration_ms "durationMs", h.detail,
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
  toState: string;
  startedAt: Date | null;
  at: Date;
  durationMs: number | null;
  /** JSON text. */
  detail: string | null;
  who: string;
  reason: string | null;
}

/** Everything that happened to a task, in order. */
export async function getHistory(db: Db, taskUuid: string): Promise<HistoryRow[]> {
  return (await db.query<HistoryRow>(GET_HISTORY, [taskUuid])).rows;
}
