import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { noteAct } from '../../store/audit.ts';
import type { Operator } from '../../store/operator-actions.ts';
import { lockTasks } from '../../store/tasks.ts';
import { readForUndo, type UndoTaskRow } from '../../store/undo.ts';
import { type Expanding, type OperatorOptions, onFreeTask, operatorOf } from '../operator-actions.ts';
import type { TaskState } from '../task-view.ts';
import type { Snapshot, TemplateStore } from '../template-store.ts';
import { keyTaken, lockReopeningKeys, type ReopeningKeys } from '../unique/reopening.ts';
import type { UndoInstead } from './instead.ts';
import { beginLocked, type UndoPlan, type UndoStep, undoPlan } from './plan.ts';

/** Options of an undo. */
export interface UndoOptions extends OperatorOptions {
  /** Only returns what would be undone. Default false. */
  dryRun?: boolean;
}

/** An undo of a task. */
export interface TaskUndo {
  taskUuid: string;
  dryRun: boolean;
  statusBefore: TaskState;
  status: TaskState;
  /** The steps that are undone in the order in which that begins, and then the steps that are not undone. */
  steps: UndoStep[];
}

/** An undo, as the engine announces it. */
export interface Undoing extends TaskUndo {
  /** Number of attempts that it stopped. */
  running: number;
  /** Number of steps that became ready. */
  queued: number;
  /** Minus the priority of the task. */
  rank: number;
}

/**
 * Undoes a task: cancels its open steps, and then runs the `undo` of each step that completed, in the reverse order of the
 * task. An undo that was cancelled continues with the steps that are left. `evenIfEmpty`: not refused if nothing can be undone.
 * @throws TaskerError `task_not_found`, `illegal_transition`, `conflict` if it has ended, and another open task has its key
 */
export function undoTask(
  engine: Expanding,
  taskUuid: string,
  options: UndoOptions & { evenIfEmpty?: boolean },
): Promise<Undoing> {
  const operator = operatorOf(options);
  const { dryRun = false, evenIfEmpty = false } = options;
  if (typeof dryRun !== 'boolean') throw new TaskerError('bad_request', '`dryRun` of an undo is true or false');
  return onFreeTask(engine.database, taskUuid, async (tx) => {
    const keys = await lockReopeningKeys({ tx, templates: engine.templates }, [taskUuid]);
    await lockTasks(tx, [taskUuid]);
    const found = await readForUndo(tx, taskUuid);
    if (!found) throw new TaskerError('task_not_found', `task ${taskUuid} not found`);
    const { task, steps } = found;
    const unreadable = (await engine.templates.load([task.templateId], tx)).get(task.templateId);
    if (unreadable) throw unreadable;
    const snapshot = engine.templates.get(task.templateId);
    if (isOver(task)) throw notAgain(taskUuid, task.state);
    const plan = undoPlan(snapshot, steps);
    if (!evenIfEmpty && isWithoutUndo(snapshot, plan)) throw withoutUndo(taskUuid, snapshot);
    const refusal = task.ended ? await keys.refusal(taskUuid) : undefined;
    if (refusal) throw keyTaken(taskUuid, 'undone', refusal);
    const statusBefore = task.state as TaskState;
    const result = { taskUuid, dryRun, statusBefore, status: statusBefore, steps: plan.steps, rank: task.rank };
    if (dryRun) return { ...result, running: 0, queued: 0 };
    if (task.ended) await keys.take(taskUuid);
    const { state, queued, running } = await beginLocked(tx, { taskUuid, snapshot, plan });
    const details = JSON.stringify({ steps: plan.begin.length });
    await noteAct(tx, { action: 'undo', taskUuid, fromState: task.state, toState: state, details }, operator);
    return { ...result, status: state as TaskState, queued, running };
  });
}

/**
 * Undoes one of several tasks. Returns the undo, or why there is none. Call it after lockTasks. `keys`: those of the tasks,
 * locked before them.
 */
export async function undoLocked(
  { tx, templates, keys }: { tx: Db; templates: TemplateStore; keys: ReopeningKeys },
  taskUuid: string,
  operator: Operator,
): Promise<UndoInstead | string> {
  const found = await readForUndo(tx, taskUuid);
  if (!found) return 'the task was deleted';
  const { task, steps } = found;
  for (const error of (await templates.load([task.templateId], tx)).values()) throw error;
  const snapshot = templates.get(task.templateId);
  if (isOver(task)) return 'it is already being undone';
  const plan = undoPlan(snapshot, steps);
  if (isWithoutUndo(snapshot, plan)) {
    const children = snapshot.graph.undoes.size > 0 ? ', and none of its child tasks can be undone' : '';
    return `no step of its template has \`undo\`${children}`;
  }
  const refusal = task.ended ? await keys.refusal(taskUuid) : undefined;
  if (refusal) return refusal.reason;
  if (task.ended) await keys.take(taskUuid);
  const undo = await beginLocked(tx, { taskUuid, snapshot, plan });
  await noteAct(tx, { action: 'undo', taskUuid, fromState: task.state, toState: undo.state }, operator);
  return undo;
}

/** Returns whether a task is undone, or is being undone. An undo that was cancelled, or ended in another way, can continue. */
const isOver = ({ isUndone, ended, state }: UndoTaskRow) => isUndone && (!ended || state === 'undone');

function notAgain(taskUuid: string, state: string): TaskerError {
  const message =
    state === 'undone'
      ? `task ${taskUuid} was already undone`
      : `task ${taskUuid} is already being undone; \`tasker task why ${taskUuid}\` shows what it waits for`;
  return new TaskerError('illegal_transition', message);
}

/** Returns whether a task has nothing that can ever be undone: no step with `undo`, and no child task that has one. */
function isWithoutUndo({ steps, graph }: Snapshot, { begin }: UndoPlan): boolean {
  return begin.length === 0 && [...graph.undoes.keys()].every((by) => steps[by]!.undoesChild);
}

function withoutUndo(taskUuid: string, { template: { namespace, name, version }, graph }: Snapshot): TaskerError {
  const children = graph.undoes.size > 0 ? ', and none of its child tasks can be undone' : '';
  return new TaskerError(
    'illegal_transition',
    `task ${taskUuid} cannot be undone: no step of ${namespace}/${name}@${version} has \`undo\`${children}; add it to the steps whose effects can be undone, for later tasks`,
  );
}
