import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { elementNumber, elementStepName } from '../../model/for-each.ts';
import { isWorkerIndex, stepIndex, stepUuid, templateIndex } from '../../model/ids.ts';
import { isStorableText } from '../../model/json.ts';
import { nearNames } from '../../model/near-names.ts';
import { planRerun } from '../../model/rerun.ts';
import { handlesFailures } from '../../model/routes.ts';
import { earliestMinutes } from '../../model/task-limits.ts';
import { noteAct } from '../../store/audit.ts';
import { recountBatches, releaseWorkers } from '../../store/batches.ts';
import { holdRoutes } from '../../store/decide.ts';
import { recountSteps } from '../../store/expand-tasks.ts';
import { forgetLists, holdLists, reopenElement } from '../../store/for-each.ts';
import {
  type EarlierStepRow,
  makerResults,
  placeWorkers,
  putBack,
  type RerunStepRow,
  type RerunTaskRow,
  readForRerun,
  restartTask,
} from '../../store/rerun.ts';
import { watchTaskAgain } from '../../store/stale-tasks.ts';
import { lockTasks, taskStates } from '../../store/tasks.ts';
import { decideLocked, failuresAmong } from '../decide.ts';
import { type Expanding, type OperatorOptions, onFreeTask, operatorOf } from '../operator-actions.ts';
import type { StepState, TaskState } from '../task-view.ts';
import type { Snapshot, TemplateStore } from '../template-store.ts';
import { keyTaken, lockReopeningKeys, type ReopeningKeys, type ReopenRefusal } from '../unique/reopening.ts';

// A rerun resets a part of a task to its state before it ran, in one transaction:
//
// 1. The task is locked, then the steps that a claim or a handler may be changing right now.
// 2. The covered steps are found: the first one, and the steps that waited for it (src/model/rerun.ts).
// 3. Their states and results move to `earlier_step`. Running ones lose their fence, and their attempt ends as
// cancelled.
// 4. Steps that covered decisions and analyzers had created are removed. They may be created again, and then continue
//    their attempt numbers. The others become `pending`.
// 5. Steps that were cancelled with the task become `pending` too.
// 6. The parents of all pending steps are recounted, those without any are queued, and the counters of the task are
//    recounted. The counters are not adjusted but recomputed, so they are right whatever happened before.

/** Options of {@link rerunTask}. */
export interface RerunOptions extends OperatorOptions {
  /**
   * The first step, by its name or id. The name of a `batch_worker` step of the template stands for all workers of
   * its batch.
   */
  from: string;
  /** If true, only returns what would run again. Default false. */
  dryRun?: boolean;
}

/** A step that a rerun covers. */
export interface RerunStep {
  step: string;
  /** The template step that it is created from. Differs from `step` for batch workers. */
  templateStepName: string;
  /** Its state before the rerun. */
  state: StepState;
  /** Number of its attempts so far, in all runs. */
  attempts: number;
  /** False if its template requires a person's decision before it runs twice (`retry.retryable: false`). */
  retryable: boolean;
  /**
   * `again`: it runs again. `removed`: it runs again only if the decision or analyzer that created it does so again.
   * `returned`: it was cancelled with its task and continues, although it does not depend on the first step.
   */
  change: 'again' | 'removed' | 'returned';
}

/** The result of {@link rerunTask}. */
export interface TaskRerun {
  taskUuid: string;
  /** The name of the step from which it runs again. */
  from: string;
  /** The number of the rerun, from 1. Steps that run again read the number as `context.rerun`. */
  rerun: number;
  dryRun: boolean;
  /** The state of the task before the rerun. */
  statusBefore: TaskState;
  /** The state of the task now. */
  status: TaskState;
  /** The covered steps in the order of the template. */
  steps: RerunStep[];
}

/** A run of a step that a rerun has ended: its results were dropped, or it was cancelled. */
export interface EarlierRun {
  /** The name of the step, which may no longer exist. */
  step: string;
  stepUuid: string;
  /** The number of the run: 0 is the first. */
  rerun: number;
  /** The number of the rerun that ended it. */
  endedByRerun: number;
  /** The state of the step at its end. */
  state: StepState;
  /** The number of its last attempt in this run. The history has all attempts. */
  lastAttempt: number;
  /** Null if it had none. */
  result: unknown;
  /** ISO 8601. Null if it was not done. */
  completedAt: string | null;
}

/** Returns a row as callers see it. */
export function earlierRunView(taskUuid: string, row: EarlierStepRow): EarlierRun {
  const { idx, name, rerun, replacedBy, number, result, doneAt } = row;
  const state = row.state as StepState;
  return {
    step: name,
    stepUuid: stepUuid(taskUuid, idx),
    rerun,
    endedByRerun: replacedBy,
    state,
    lastAttempt: number,
    result: result === null ? null : JSON.parse(result),
    completedAt: state === 'complete' || state === 'resolved_manually' ? doneAt : null,
  };
}

/** A rerun, as the engine announces it. */
export interface Rerunning extends TaskRerun {
  /** Number of attempts that it stopped. */
  running: number;
  /** Minus the priority of the task. */
  rank: number;
}

/**
 * Runs a task again from a step. A task that has ended is reopened.
 * @throws TaskerError `task_not_found`, `step_not_found`, `bad_request`; `illegal_transition` if a step before it is not done
 */
export function rerunTask(engine: Expanding, taskUuid: string, options: RerunOptions): Promise<Rerunning> {
  const operator = operatorOf(options);
  const { from, dryRun = false } = options;
  if (typeof from !== 'string' || !isStorableText(from) || typeof dryRun !== 'boolean') {
    throw new TaskerError('bad_request', 'a rerun needs `from`, the name or id of a step; `dryRun` is true or false');
  }
  return onFreeTask(engine.database, taskUuid, async (tx) => {
    const keys = await lockReopeningKeys({ tx, templates: engine.templates }, [taskUuid]);
    await lockTasks(tx, [taskUuid]);
    const found = await readForRerun(tx, taskUuid);
    if (!found) throw new TaskerError('task_not_found', `task ${taskUuid} not found`);
    const { task, steps } = found;
    if (task.isUndone) throw undoneAlready(taskUuid, 'run again', task.state);
    const unreadable = (await engine.templates.load([task.templateId], tx)).get(task.templateId);
    if (unreadable) throw unreadable;
    const snapshot = engine.templates.get(task.templateId);
    const covering = await coveringOf({ tx, templates: engine.templates, taskUuid, snapshot, steps });
    const begin = beginning(covering, from);
    refuseUnlessReady(covering, begin);
    const refusal = task.ended ? await keys.refusal(taskUuid) : undefined;
    if (refusal) throw keyTaken(taskUuid, 'run again', refusal);
    const covered = await coveredSteps(covering, begin);
    const result = describe({ taskUuid, task, steps }, begin.name, covered);
    if (dryRun) return { ...result, dryRun: true, running: 0, rank: task.rank };
    if (task.ended) await keys.take(taskUuid);
    const { running, status } = await restart(covering, task, covered);
    const counts = { again: covered.again.size, removed: covered.removed.size, returned: covered.returned.size };
    const details = JSON.stringify({ from: begin.name, rerun: result.rerun, ...counts });
    const act = { action: 'rerun' as const, taskUuid, idx: begin.at, fromState: task.state, toState: status, details };
    await noteAct(tx, act, operator);
    return { ...result, status, running, rank: task.rank };
  });
}

/** Returns the error for an action on a task that is undone, whose results no longer stand. */
export function undoneAlready(taskUuid: string, action: string, state: string): TaskerError {
  const why = state === 'undone' ? 'it was undone' : 'it is being undone, or an undo of it was cancelled';
  return new TaskerError(
    'illegal_transition',
    `task ${taskUuid} cannot be ${action}: ${why}; to run its steps again, create a copy with \`tasker task copy ${taskUuid}\``,
  );
}

/** A task that was reopened. */
export interface Reopened {
  status: TaskState;
  /** The names of the steps that were cancelled with it, and continue. */
  steps: string[];
}

/**
 * Reopens a task that was ended before its steps were done. Removes the outcome, and restores the steps that were
 * cancelled with it, with all their attempts. Undefined if the task does not exist, has not ended, or had no cancelled
 * steps. A refusal if another open task has its key. Call it after lockTasks. `keys`: those of the task, locked before it.
 */
export async function reopenLocked(
  { tx, engine, keys }: { tx: Db; engine: Expanding; keys: ReopeningKeys },
  taskUuid: string,
): Promise<Reopened | ReopenRefusal | undefined> {
  const found = await readForRerun(tx, taskUuid);
  if (!found?.task.hasVerdict || found.task.isUndone) return undefined;
  const { task, steps } = found;
  const back = steps.filter((step) => step.endedWithTask);
  if (back.length === 0) return undefined;
  const unreadable = (await engine.templates.load([task.templateId], tx)).get(task.templateId);
  if (unreadable) throw unreadable;
  const refusal = await keys.refusal(taskUuid);
  if (refusal) return refusal;
  await keys.take(taskUuid);
  const { templates } = engine;
  const covering = await coveringOf({ tx, templates, taskUuid, snapshot: templates.get(task.templateId), steps });
  const covered = nothingCovered();
  for (const step of covering.steps) returnCancelled(step, covered);
  const { status } = await restart(covering, task, covered);
  return { status, steps: steps.flatMap(({ idx, name }) => (covered.returned.has(idx) ? [name] : [])) };
}

/** The task that the functions below work on. */
interface Covering {
  tx: Db;
  templates: TemplateStore;
  taskUuid: string;
  snapshot: Snapshot;
  steps: readonly CoveringStep[];
}

/** A step, and whether its failure is handled, or was when its task ended. */
interface CoveringStep extends RerunStepRow {
  handled: boolean;
}

/** Finds the steps that the steps after them do not wait for, because they were skipped or their failure is handled. */
async function coveringOf(of: Omit<Covering, 'steps'> & { steps: readonly RerunStepRow[] }): Promise<Covering> {
  const { taskUuid, snapshot } = of;
  const { id: templateId, graph } = snapshot;
  if (!graph.routed) return { ...of, steps: of.steps.map((step) => ({ ...step, handled: false })) };
  const before = of.steps.map(({ idx, state, rerun, endedWithTask, hadFailed }) => {
    return { idx, state: endedWithTask ? (hadFailed ? 'error' : 'pending') : state, rerun, remaining: 0 };
  });
  const failures = await failuresAmong(of, [{ taskUuid, templateId, steps: before }]);
  const { handled } = failures.get(taskUuid)!;
  const steps = of.steps.map((step) => {
    const isHandled = handled.has(step.idx);
    return { ...step, handled: isHandled, over: step.over || step.state === 'skipped' || isHandled };
  });
  return { ...of, steps };
}

/** The step from which a rerun begins. */
interface Beginning {
  name: string;
  /** Its index in the template. */
  templateIdx: number;
  /** The index for the audit: the index of the step, or of the template step of a whole batch. */
  at: number;
  /** Undefined for a whole batch. */
  idx: number | undefined;
}

function beginning({ taskUuid, snapshot, steps }: Covering, from: string): Beginning {
  const byId = stepIndex(taskUuid, from);
  const row = steps.find((step) => step.name === from || step.idx === byId);
  if (row) return { name: row.name, templateIdx: templateIndex(row.idx), at: row.idx, idx: row.idx };
  const worker = snapshot.graph.indexOf.get(from);
  if (worker !== undefined && snapshot.graph.elementOf.has(worker)) throw severalElements(taskUuid, snapshot, worker);
  if (worker !== undefined && steps.some(({ idx }) => isWorkerIndex(idx) && templateIndex(idx) === worker)) {
    return { name: from, templateIdx: worker, at: worker, idx: undefined };
  }
  const names = steps.map((step) => step.name);
  const near = nearNames(from, names);
  const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : `it has ${names.slice(0, 20).join(', ')}`;
  throw new TaskerError('step_not_found', `task ${taskUuid} has no step ${from}; ${hint}`);
}

function severalElements(taskUuid: string, { graph }: Snapshot, step: number): TaskerError {
  const [name, list] = [graph.names[step]!, graph.names[graph.elementOf.get(step)!]!];
  return new TaskerError(
    'bad_request',
    `${name} runs for each element of ${list}; run task ${taskUuid} again from a step of one element, such as ${elementStepName(name, 0)}, or from ${list}, which runs all elements again`,
  );
}

function refuseUnlessReady(
  { taskUuid, snapshot: { graph }, steps }: Covering,
  { name, templateIdx, idx }: Beginning,
): void {
  const before = new Set([...graph.parents[templateIdx]!, ...graph.guards[templateIdx]!]);
  const runsAfterFailures = handlesFailures(graph.runIf[templateIdx]!);
  const isOver = (step: CoveringStep) => step.over || (runsAfterFailures && step.state === 'error');
  const isBefore = ({ idx: other }: CoveringStep) =>
    before.has(templateIndex(other)) &&
    (!graph.elementOf.has(templateIdx) || elementNumber(other) === elementNumber(idx!));
  const open = steps.filter((step) => isBefore(step) && !isOver(step));
  if (open.length === 0) return;
  const [first] = open;
  const others = open.length > 1 ? ` and ${open.length - 1} more` : '';
  throw new TaskerError(
    'illegal_transition',
    `task ${taskUuid} cannot run again from ${name}: ${first!.name}, which must be done first, is in ${first!.state}${others}; run the task again from ${first!.name}, or complete that step first`,
  );
}

/** The steps that a rerun covers, by their index. */
interface Covered {
  again: Set<number>;
  removed: Set<number>;
  returned: Set<number>;
  /** Steps that were cancelled with the task, and whose failure was handled: they return to `error`. */
  handled: Set<number>;
  /** Template steps of the batches that are removed. */
  batches: number[];
  /** Steps whose lists are evaluated again. */
  lists: number[];
  /** The list of which an element runs again, and the number of the element. */
  element: { list: number; number: number } | undefined;
}

function nothingCovered(): Covered {
  const [again, removed, returned, handled] = [
    new Set<number>(),
    new Set<number>(),
    new Set<number>(),
    new Set<number>(),
  ];
  return { again, removed, returned, handled, batches: [], lists: [], element: undefined };
}

function returnCancelled({ idx, endedWithTask, handled }: CoveringStep, covered: Covered): void {
  if (endedWithTask) covered[handled ? 'handled' : 'returned'].add(idx);
}

async function coveredSteps(covering: Covering, begin: Beginning): Promise<Covered> {
  const { tx, taskUuid, snapshot, steps } = covering;
  const { graph } = snapshot;
  const existing = new Set(steps.map((step) => templateIndex(step.idx)));
  const decisions = graph.dynamic ? [...existing].filter((idx) => graph.types[idx] === 'decision') : [];
  const results = decisions.length > 0 ? await makerResults(tx, taskUuid, decisions) : new Map<number, string>();
  const namedBy = (decision: number) => {
    const result = results.get(decision);
    const expansion = result === undefined ? undefined : snapshot.expansionOf(decision, JSON.parse(result));
    return expansion?.kind === 'branches' ? expansion.steps : [];
  };
  const plan = planRerun(graph, { from: begin.templateIdx, existing, namedBy });
  const covered = nothingCovered();
  const list = graph.elementOf.get(begin.templateIdx);
  if (list !== undefined) {
    covered.element = { list, number: elementNumber(begin.idx!) };
    // The step of the list waits for the element, and the steps after it run again.
    const after = planRerun(graph, { from: list, existing, namedBy });
    for (const step of after.again) plan.again.add(step);
    for (const step of after.removed) plan.removed.add(step);
  } else covered.lists = [...plan.again].filter((step) => graph.types[step] === 'for_each');
  for (const step of steps) {
    const { idx } = step;
    const templateIdx = templateIndex(idx);
    const of = graph.elementOf.get(templateIdx);
    if (of !== undefined && of !== list) {
      if (plan.again.has(of) || plan.removed.has(of)) covered.removed.add(idx);
      else returnCancelled(step, covered);
      continue;
    }
    if (of !== undefined && elementNumber(idx) !== covered.element!.number) {
      returnCancelled(step, covered);
      continue;
    }
    const otherWorker = templateIdx === begin.templateIdx && begin.idx !== undefined && begin.idx !== idx;
    if (plan.removed.has(templateIdx)) covered.removed.add(idx);
    else if (plan.again.has(templateIdx) && !otherWorker) covered.again.add(idx);
    else returnCancelled(step, covered);
  }
  covered.batches = [...plan.removed].filter((idx) => graph.types[idx] === 'batch_worker');
  covered.lists.push(...[...plan.removed].filter((idx) => graph.types[idx] === 'for_each'));
  return covered;
}

function describe(
  { taskUuid, task, steps }: { taskUuid: string; task: RerunTaskRow; steps: readonly RerunStepRow[] },
  from: string,
  { again, removed, returned }: Covered,
): TaskRerun {
  const changeOf = (idx: number): RerunStep['change'] | undefined => {
    if (again.has(idx)) return 'again';
    if (removed.has(idx)) return 'removed';
    return returned.has(idx) ? 'returned' : undefined;
  };
  const changed = steps.flatMap(({ idx, name, templateName, attempts, retryable, ...row }): RerunStep[] => {
    const change = changeOf(idx);
    const state = row.state as StepState;
    return change ? [{ step: name, templateStepName: templateName, state, attempts, retryable, change }] : [];
  });
  const status = task.state as TaskState;
  return { taskUuid, from, rerun: task.reruns + 1, dryRun: false, statusBefore: status, status, steps: changed };
}

/** Resets the covered steps, and lets the task continue. */
async function restart(
  { tx, templates, taskUuid, snapshot }: Covering,
  { reruns }: RerunTaskRow,
  { again, removed, returned, handled, batches, lists: ended, element }: Covered,
): Promise<{ running: number; status: TaskState }> {
  const lists = { again: [...again], removed: [...removed], returned: [...returned], handled: [...handled] };
  const { running } = await putBack(tx, { taskUuid, rerun: reruns + 1, ...lists, batches });
  if (ended.length > 0) await forgetLists(tx, taskUuid, ended);
  if (element) await reopenElement(tx, taskUuid, element);
  await recountSteps(tx, [taskUuid]);
  if (snapshot.graph.routed) await holdRoutes(tx, [taskUuid]);
  if (snapshot.graph.elementOf.size > 0) await holdLists(tx, taskUuid);
  await placeWorkers(tx, taskUuid);
  await recountBatches(tx, [taskUuid]);
  await restartTask(tx, taskUuid);
  await releaseWorkers(tx, [taskUuid]);
  if (snapshot.graph.routed) await decideLocked({ tx, templates }, [taskUuid], { byOperator: true });
  if (snapshot.limits) await watchTaskAgain(tx, { taskUuid, minutes: earliestMinutes(snapshot.limits) });
  const states = await taskStates(tx, [taskUuid]);
  return { running, status: states.get(taskUuid) as TaskState };
}
