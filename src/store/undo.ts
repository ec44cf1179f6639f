import type { Db } from '../db/statement.ts';
import { HELD } from '../model/routes.ts';
import { cancelOpen } from './operator-actions.ts';
import { endPausesOfEnded } from './pauses/pauses.ts';
import { queueIdOf } from './queue-id.ts';
import { LOCK_RERUN_STEPS } from './rerun.ts';
import { columns, sql } from './sql.ts';
import { BEGUN_AT } from './waits/start-tasks.ts';

// Not hot: an operator undoes a task.
const UNDO_TASK = sql('undo_task')`
select t.template_id "templateId", t.rank, t.state::text, t.done_at is not null ended, t.undo_at is not null "isUndone"
  from tasker.task t where t.task_uuid = $1`;

// Not hot: an operator undoes a task. An attempt may have had an effect if it was started, and not released by its worker before the handler was called.
const UNDO_STEPS = sql('undo_steps')`
select s.idx, s.state::text, s.state in ('in_progress', 'waiting') or exists (
         select 1 from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx
            and h.outcome in ('completed', 'failed', 'worker_lost', 'cancelled')) attempted
  from tasker.step s where s.task_uuid = $1
 order by s.idx`;

// Not hot: an operator undoes a task. The template of a deleted child is
// looked up by its name.
const UNDO_CHILDREN = sql('undo_children')`
select w.idx, c.id "childUuid", w.settings ->> 'namespace' namespace, w.settings ->> 'name' as name, w.settings ->> 'version' "version",
       k.abandoned and w.ended_by is distinct from 'child' and t.state is distinct from 'undone' abandoned, t.task_uuid is null gone,
       coalesce(m.undoable, exists (
         select 1 from tasker.template x join tasker.namespace n on n.id = x.namespace_id
          where n.name = w.settings ->> 'namespace' and x.name = w.settings ->> 'name' and x.version = w.settings ->> 'version'
            and x.undoable)) undoable
  from tasker.wait w
 cross join lateral (select (w.settings ->> 'task_uuid')::uuid id) c
  left join lateral (select x.abandoned from tasker.child_task x where x.child_uuid = c.id offset 0) k on true
  left join lateral (select x.task_uuid, x.state, x.template_id from tasker.task x where x.task_uuid = c.id offset 0) t on true
  left join tasker.template m on m.id = t.template_id
 where w.task_uuid = $1 and w.kind = 'task' and not w.settings ? 'undo' and ($2::int is null or w.idx = $2)`;

/** The last child task that a step of the type `task` has started. */
export interface ChildToUndo {
  idx: number;
  childUuid: string;
  /** The template of the child. */
  namespace: string;
  name: string;
  version: string;
  /** Whether its step has stopped waiting for it without cancelling it. */
  abandoned: boolean;
  /** Whether it no longer exists. */
  gone: boolean;
  /** Whether its template has something to undo. */
  undoable: boolean;
}

/** Returns the last child tasks that the steps of a task have started, or that one step has. */
export async function childrenToUndo(db: Db, taskUuid: string, idx: number | null = null): Promise<ChildToUndo[]> {
  return (await db.query<ChildToUndo>(UNDO_CHILDREN, [taskUuid, idx])).rows;
}

/** A task to undo. */
export interface UndoTaskRow {
  templateId: number;
  rank: number;
  state: string;
  ended: boolean;
  /** Whether it is being undone, or was. */
  isUndone: boolean;
}

/** Returns whether a task is being undone, or was. */
export async function isUndone(db: Db, taskUuid: string): Promise<boolean> {
  return (await db.query<UndoTaskRow>(UNDO_TASK, [taskUuid])).rows[0]?.isUndone === true;
}

/** A step of this task. */
export interface UndoStepRow {
  idx: number;
  state: string;
  /** Whether an attempt of it has begun. */
  attempted: boolean;
  /** The last child task that it has started. */
  child?: ChildToUndo | undefined;
}

/** Reads a task and its steps. Undefined if the task does not exist. Call it after lockTasks. */
export async function readForUndo(
  db: Db,
  taskUuid: string,
): Promise<{ task: UndoTaskRow; steps: UndoStepRow[] } | undefined> {
  // A step that is claimed after it was read would not be undone.
  await db.query(LOCK_RERUN_STEPS, [taskUuid]);
  const [tasks, steps, children] = await Promise.all([
    db.query<UndoTaskRow>(UNDO_TASK, [taskUuid]),
    db.query<UndoStepRow>(UNDO_STEPS, [taskUuid]),
    childrenToUndo(db, taskUuid),
  ]);
  const [task] = tasks.rows;
  const childOf = new Map(children.map((child) => [child.idx, child]));
  return task && { task, steps: steps.rows.map((step) => ({ ...step, child: childOf.get(step.idx) })) };
}

// Not hot: an operator undoes a task, or its template once. The end of the task is kept in `earlier_end`, because the statistics may not have counted it yet. The schedule of the
// task counts it as open again, for its overlap. Steps of an undo that was cancelled continue with all their attempts.
const BEGIN_UNDO = sql('begin_undo')`
with of as (select template_id, rank from tasker.task where task_uuid = $1),
target as (select task_uuid from tasker.task where task_uuid = $1 and done_at is null),
earlier as (
  insert into tasker.earlier_end (task_uuid, done_at, state, took_us)
  select task_uuid, done_at, state, (extract(epoch from done_at - ${BEGUN_AT}) * 1000000)::bigint
    from tasker.task t where task_uuid = $1 and done_at is not null
  on conflict do nothing),
watched as (update tasker.scheduled_task set open = true where task_uuid = $1),
${cancelOpen(`'cancel'`)},
n as (
  insert into tasker.step (task_uuid, idx, state, remaining, max_attempts, retryable)
  select $1, d.idx, case when d.ready then 'enqueued'::tasker.step_state else 'pending' end, case when d.ready then 0 else ${HELD} end, ts.max_attempts, ts.retryable
    from of cross join unnest($2::int[], $3::boolean[]) d (idx, ready)
    join tasker.template_step ts on ts.template_id = of.template_id and ts.idx = d.idx
  on conflict (task_uuid, idx) do update
     set state = excluded.state, remaining = excluded.remaining, spared = step.attempts, done_at = null, next_at = null
  returning idx, state),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select ${queueIdOf({ template: 'of.template_id', task: '$1' })}, of.rank, $1, n.idx, of.template_id
    from of cross join n where n.state = 'enqueued' order by n.idx)
update tasker.task t set
  verdict = null, n_open = c.open, n_active = c.ready, n_retry = 0, n_error = 0, n_wait = 0, undo_at = statement_timestamp(),
  done_at = case when c.open = 0 then statement_timestamp() end, revision = revision + 1
  from (select count(*)::int open, (count(*) filter (where state = 'enqueued'))::int ready from n) c
 where t.task_uuid = $1
returning t.state::text, c.ready queued, (select count(*)::int from old where state = 'in_progress') running`;

/** A step of an undo, and whether it can start. */
export interface UndoingStep {
  idx: number;
  ready: boolean;
}

/**
 * Cancels the open steps of a task and creates the steps that undo it. The task is open again, or undone if there are none. A
 * pause of the task has ended if the task had. Call it after lockTasks.
 */
export async function beginUndo(
  db: Db,
  taskUuid: string,
  steps: readonly UndoingStep[],
): Promise<{ state: string; queued: number; running: number }> {
  await endPausesOfEnded(db, taskUuid);
  const values = [taskUuid, ...columns(steps, 'idx', 'ready')];
  return (await db.query<{ state: string; queued: number; running: number }>(BEGIN_UNDO, values)).rows[0]!;
}

// Not hot: once for a cancellation. Other templates have no such setting, so their tasks are only looked up by their keys.
const UNDONE_ON_CANCEL = sql('undone_on_cancel')`
select t.task_uuid "taskUuid", t.template_id "templateId", t.state::text
  from unnest($1::uuid[]) d (task_uuid)
 cross join lateral (
   select x.task_uuid, x.template_id, x.state from tasker.task x
    where x.task_uuid = d.task_uuid and x.done_at is null and x.undo_at is null offset 0) t
  join tasker.template m on m.id = t.template_id
 where m.definition #>> '{lifecycle,on_cancel}' = 'undo'`;

/** A task that a cancellation undoes. */
export interface UndoneOnCancelRow {
  taskUuid: string;
  templateId: number;
  state: string;
}

/** Returns the open tasks among these whose templates ask for an undo when they are cancelled. Call it after lockTasks. */
export async function undoneOnCancel(db: Db, taskUuids: readonly string[]): Promise<UndoneOnCancelRow[]> {
  return (await db.query<UndoneOnCancelRow>(UNDONE_ON_CANCEL, [`{${taskUuids.join(',')}}`])).rows;
}
