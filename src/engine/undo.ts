import { TaskerError } from '../errors.ts';
import { earliestMinutes } from '../model/task-limits.ts';
import { readyToUndo, type UNDO_REASONS, undoOrder } from '../model/undo.ts';
import { noteAct } from '../store/audit.ts';
import { watchTaskAgain } from '../store/stale-tasks.ts';
import { lockTasks } from '../store/tasks.ts';
import { beginUndo, readForUndo, type UndoStepRow } from '../store/undo.ts';
import { type Expanding, type OperatorOptions, onFreeTask, operatorOf } from './operator-actions.ts';
import type { StepState, TaskState } from './task-view.ts';
import type { Snapshot } from './template-store.ts';

/** Options of an undo. */
export interface UndoOptions extends OperatorOptions {
  /** Only returns what would be undone. Default false. */
  dryRun?: boolean;
}

/** A step in an undo. */
export interface UndoStep {
  step: string;
  /** The state of the step before the undo. */
  state: StepState;
  /** Whether it is undone. */
  undone: boolean;
  /** The handler that undoes it. Null if the template has none. */
  handler: string | null;
  /** The steps that are undone before it. */
  after: string[];
  /** Why it is not undone. Null if it is. */
  reason: (typeof UNDO_REASONS)[number] | null;
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
 * task. An undo that was cancelled continues with the steps that are left.
 * @throws TaskerError `task_not_found`, `illegal_transition`
 */
export function undoTask(engine: Expanding, taskUuid: string, options: UndoOptions): Promise<Undoing> {
  const operator = operatorOf(options);
  const { dryRun = false } = options;
  if (typeof dryRun !== 'boolean') throw new TaskerError('bad_request', '`dryRun` of an undo is true or false');
  return onFreeTask(engine.database, taskUuid, async (tx) => {
    await lockTasks(tx, [taskUuid]);
    const found = await readForUndo(tx, taskUuid);
    if (!found) throw new TaskerError('task_not_found', `task ${taskUuid} not found`);
    const { task, steps } = found;
    const unreadable = (await engine.templates.load([task.templateId], tx)).get(task.templateId);
    if (unreadable) throw unreadable;
    const snapshot = engine.templates.get(task.templateId);
    if (task.isUndone && task.state !== 'cancelled') throw notAgain(taskUuid, task.state);
    if (snapshot.graph.undoes.size === 0) throw withoutUndo(taskUuid, snapshot);
    const plan = planOf(snapshot, steps);
    const statusBefore = task.state as TaskState;
    const result = { taskUuid, dryRun, statusBefore, status: statusBefore, steps: plan.steps, rank: task.rank };
    if (dryRun) return { ...result, running: 0, queued: 0 };
    const { state, queued, running } = await beginUndo(tx, taskUuid, plan.begin);
    if (snapshot.limits) await watchTaskAgain(tx, { taskUuid, minutes: earliestMinutes(snapshot.limits) });
    const details = JSON.stringify({ steps: plan.begin.length });
    await noteAct(tx, { action: 'undo', taskUuid, fromState: task.state, toState: state, details }, operator);
    return { ...result, status: state as TaskState, queued, running };
  });
}

function notAgain(taskUuid: string, state: string): TaskerError {
  const message =
    state === 'undone'
      ? `task ${taskUuid} was already undone`
      : `task ${taskUuid} is already being undone; \`tasker task why ${taskUuid}\` shows what it waits for`;
  return new TaskerError('illegal_transition', message);
}

function withoutUndo(taskUuid: string, { template: { namespace, name, version } }: Snapshot): TaskerError {
  return new TaskerError(
    'illegal_transition',
    `task ${taskUuid} cannot be undone: no step of ${namespace}/${name}@${version} has \`undo\`; add it to the steps whose effects can be undone, for later tasks`,
  );
}

/** Decides which steps are undone, and which of these can start. */
function planOf({ steps: templates, graph, template }: Snapshot, rows: readonly UndoStepRow[]) {
  const rowOf = new Map(rows.map((row) => [row.idx, row]));
  const undoneBy = new Map([...graph.undoes].map(([by, step]) => [step, by]));
  const chosen = new Set<number>();
  const left: UndoStep[] = [];
  for (const [idx, { name: step, undo }] of template.steps.entries()) {
    const row = rowOf.get(idx);
    if (!row) continue;
    const by = undoneBy.get(idx);
    const reason = by === undefined ? 'no_undo' : reasonAgainst(row, rowOf.get(by), undo!.include);
    if (reason === null) chosen.add(by!);
    const handler = undo?.handler.callable ?? null;
    // A step without `undo` that never ran has nothing to tell.
    if (reason === 'no_undo' && !row.attempted && row.state !== 'complete') continue;
    if (reason !== null) left.push({ step, state: row.state as StepState, undone: false, handler, after: [], reason });
  }
  const order = undoOrder(graph, chosen);
  const states = new Map([...chosen].map((by) => [by, 'pending']));
  const ready = new Set(readyToUndo(order, states));
  const nameOf = (by: number) => templates[by]!.undoes!;
  const undone = [...order].map(([by, after]): UndoStep => {
    const state = rowOf.get(graph.undoes.get(by)!)!.state as StepState;
    const handler = templates[by]!.handler.callable;
    return { step: nameOf(by), state, undone: true, handler, after: after.map(nameOf), reason: null };
  });
  return { steps: [...undone, ...left], begin: [...order.keys()].map((idx) => ({ idx, ready: ready.has(idx) })) };
}

function reasonAgainst(
  { state, attempted }: UndoStepRow,
  earlier: UndoStepRow | undefined,
  include: 'completed' | 'attempted',
): UndoStep['reason'] {
  if (earlier && earlier.state !== 'cancelled') return 'already_undone';
  if (state === 'complete') return null;
  if (state === 'resolved_manually') return include === 'attempted' && attempted ? null : 'resolved_manually';
  if (!attempted) return 'not_started';
  return include === 'attempted' ? null : 'not_completed';
}
