import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const STORED = `
select x.signal_id "signalId", x.task_uuid "taskUuid", x.seq::float8 seq, x.name, x.key, x.payload, x.sender "by",
       tasker.iso(x.arrived_at) "arrivedAt", tasker.iso(x.used_at) "usedAt", tasker.step_name(null, ts.name, coalesce(x.used_by, h.idx)) step, x.used_at is not null used`;

// A hold is valid only while its wait is open.
const STEP = `
  left join lateral (select template_id from tasker.task t where t.task_uuid = x.task_uuid offset 0) t on true
  left join lateral (
    select w.idx from tasker.wait w where w.task_uuid = x.task_uuid and w.idx = x.held_by and w.attempt = x.held_attempt
       and w.ended_at is null offset 0) h on true
  left join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(coalesce(x.used_by, h.idx))`;

/** A signal of a task. */
export interface SignalRow {
  signalId: string;
  taskUuid: string;
  seq: number;
  name: string;
  key: string | null;
  /** JSON text. */
  payload: string;
  by: string | null;
  arrivedAt: string;
  usedAt: string | null;
  /** The step that used it, or that holds it. */
  step: string | null;
  used: boolean;
}

const FIND_SIGNAL = sql('find_signal')`
${STORED}
  from tasker.signal x ${STEP} where x.signal_id = $1 order by x.task_uuid`;

/** Returns a signal with each task that has received it. */
export async function findSignal(db: Db, signalId: string): Promise<SignalRow[]> {
  return (await db.query<SignalRow>(FIND_SIGNAL, [signalId])).rows;
}

const LIST_SIGNALS = sql('list_signals')`
${STORED}
  from tasker.signal x ${STEP}
 where x.task_uuid = $1 and x.seq > $2 and ($3::text is null or x.name = $3) and (not $4::boolean or x.used_at is null)
 order by x.seq limit $5`;

/** Returns the signals of a task after a position, in the order of their arrival. */
export async function listSignals(
  db: Db,
  {
    taskUuid,
    after,
    name,
    kept,
    limit,
  }: {
    taskUuid: string;
    after: number;
    name: string | null;
    kept: boolean;
    limit: number;
  },
): Promise<SignalRow[]> {
  return (await db.query<SignalRow>(LIST_SIGNALS, [taskUuid, after, name, kept, limit])).rows;
}

// Tasks without a separate correlation id are found by their own id.
const CORRELATED = sql('tasks_of_correlation')`
select task_uuid "taskUuid", template_id "templateId" from (
  select task_uuid, template_id from tasker.task where correlation_id = $1 and done_at is null
  union all
  select task_uuid, template_id from tasker.task where task_uuid = $1 and correlation_id is null and done_at is null) x
 order by 1 limit $2`;

/** A task, and the snapshot of its template. */
export interface TaskOfTemplate {
  taskUuid: string;
  templateId: number;
}

/** Returns the open tasks of a correlation id, by id. */
export async function tasksOfCorrelation(db: Db, correlationId: string, limit: number): Promise<TaskOfTemplate[]> {
  return (await db.query<TaskOfTemplate>(CORRELATED, [correlationId, limit])).rows;
}

const TEMPLATES_OF_TASKS = sql('templates_of_tasks')`
select task_uuid "taskUuid", template_id "templateId", done_at is null open from tasker.task where task_uuid = any ($1::uuid[])
 order by task_uuid`;

/** Returns the snapshots of tasks, and whether they are open. Unknown tasks are omitted. */
export async function templatesOfTasks(
  db: Db,
  taskUuids: readonly string[],
): Promise<(TaskOfTemplate & { open: boolean })[]> {
  const { rows } = await db.query<TaskOfTemplate & { open: boolean }>(TEMPLATES_OF_TASKS, [`{${taskUuids.join(',')}}`]);
  return rows;
}
