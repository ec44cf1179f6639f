import type { BulkAction } from '../../store/bulk/bulks.ts';
import type { BulkItemRow, LiveStepRow, LiveTaskRow } from '../../store/bulk/items.ts';
import type { FailingStepRow } from '../../store/retry-steps.ts';
import { whyNothing } from '../dead-letters/redrive.ts';
import type { Failures } from '../decide.ts';
import type { TaskFilter } from '../search/filter.ts';
import { actsOnSteps, stepStates } from './targets.ts';

/** The value of `seen` for a task that had already ended. */
export const WHOLE_TASK = -1;

/** The tasks and steps of a chunk, read under the locks of the tasks. */
export interface LiveRows {
  tasks: ReadonlyMap<string, LiveTaskRow>;
  /** The steps of the items, by {@link stepKey}. */
  steps: ReadonlyMap<string, LiveStepRow>;
  /** The tasks that are still stale. Undefined if the filter has no such condition. */
  stale: ReadonlySet<string> | undefined;
  /** The tasks whose last change is in the range of the filter. Undefined if the filter has no such range. */
  changed: ReadonlySet<string> | undefined;
  /** The tasks with a step that meets the filter. Undefined if the filter has no such condition, or selects steps. */
  withStep: ReadonlySet<string> | undefined;
  /** The handled failures of each task, and those whose route has failed. */
  failures: ReadonlyMap<string, Failures>;
  /** The open dead letters of the tasks, for a redrive or a deletion. */
  deadLetters: ReadonlyMap<string, string>;
}

/** The decision about an item: act on the task, act on some of its steps, or skip it. */
export type Verdict = { skip: string } | { steps: LiveStepRow[] };

/** The key of a step in {@link LiveRows}. */
export function stepKey({ taskUuid, idx }: { taskUuid: string; idx: number }): string {
  return `${taskUuid} ${idx}`;
}

/** Returns the failures of an item at the time of the selection. */
export function seenOf({ taskUuid, seen }: BulkItemRow): { taskUuid: string; idx: number; attempts: number }[] {
  if (seen === null) return [];
  return (JSON.parse(seen) as [number, number][]).map(([idx, attempts]) => ({ taskUuid, idx, attempts }));
}

/** Decides what to do with an item, from the current state of its task and steps. */
export function judge(
  item: BulkItemRow,
  { action, filter }: { action: BulkAction; filter: TaskFilter | null },
  live: LiveRows,
): Verdict {
  const task = live.tasks.get(item.taskUuid);
  if (!task) return { skip: 'the task was deleted' };
  const wrong = wrongState(task, action, live) ?? (filter && unfit(task, { action, filter }, live));
  if (wrong) return { skip: wrong };
  const seen = seenOf(item);
  if (action === 'task_redrive') {
    const skip = unfitForRedrive(task, seen, live);
    if (skip) return { skip };
    if (task.ended) return { steps: [] };
  }
  const states = filter ? stepStates(action, filter) : statesOfNamed(action);
  const noStep = live.withStep?.has(task.taskUuid) === false ? 'none of its steps meets the conditions now' : undefined;
  if (seen.length === 0) {
    if (noStep) return { skip: noStep };
    return states !== null && filter === null ? { skip: nothingToDo(task, action) } : { steps: [] };
  }
  const now = seen.map((step) => ({ step, row: live.steps.get(stepKey(step)) }));
  const same = now.filter(
    ({ step, row }) => row?.attempts === step.attempts && (!states || states.includes(row.state)),
  );
  if (same.length === 0) return { skip: changeOf(now[0]!) };
  if (noStep) return { skip: noStep };
  const failures = live.failures.get(task.taskUuid);
  const unhandled = same.filter(({ row }) => !failures?.handled.has(row!.idx));
  if (unhandled.length === 0) return { skip: 'its failure is handled' };
  const open = unhandled.filter(({ row }) => action === 'step_resolve' || !failures?.routeFailed.has(row!.idx));
  if (open.length === 0) return { skip: 'a route after it has failed; rerun the task from this step' };
  return { steps: open.map(({ row }) => row!) };
}

/** Returns the states in which an action can be applied to a step that was listed individually. */
function statesOfNamed(action: BulkAction): readonly string[] | null {
  if (action === 'step_resolve') return ['pending', 'enqueued', 'in_progress', 'waiting_for_retry', 'waiting', 'error'];
  return stepStates(action, {});
}

function wrongState(task: LiveTaskRow, action: BulkAction, { deadLetters }: LiveRows): string | undefined {
  if (action === 'task_redrive') return undefined;
  if (action === 'task_undo') {
    return task.state === 'undone' || task.state === 'undoing' ? `it is ${task.state}` : undefined;
  }
  if (action === 'task_delete') {
    if (!task.ended) return `it has not ended: it is in ${task.state}`;
    return deadLetters.has(task.taskUuid) ? 'it is in the dead letters; resolve that entry first' : undefined;
  }
  if (!task.ended) return undefined;
  return `${actsOnSteps(action) ? 'its task' : 'it'} has already ended: it is in ${task.state}`;
}

/**
 * Returns why a task is no longer in the state in which it was selected for a redrive: running or ended, and in the
 * dead letters.
 */
function unfitForRedrive(
  task: LiveTaskRow,
  seen: readonly { idx: number; attempts: number }[],
  { deadLetters }: LiveRows,
): string | undefined {
  if (!deadLetters.has(task.taskUuid)) return 'it has no open dead letter that meets the conditions now';
  const [first] = seen;
  if (!first) return whyNothing(task.state);
  const wasEnded = first.idx === WHOLE_TASK;
  if (wasEnded !== task.ended) return `it is in ${task.state} now`;
  if (!task.ended) return undefined;
  if (first.attempts !== task.reruns) return `it was run again, and is in ${task.state}`;
  return task.state === 'complete' ? whyNothing('complete') : undefined;
}

/** Rechecks the conditions that may have changed since the filter found the task. */
function unfit(
  task: LiveTaskRow,
  { action, filter }: { action: BulkAction; filter: TaskFilter },
  { stale, changed }: LiveRows,
): string | undefined {
  // The filter matched the end of an earlier run.
  if (action === 'task_delete' && task.ranAgain) return 'it ran again after it was selected';
  if (task.acted) return undefined;
  if (filter.status !== undefined && ![filter.status].flat().includes(task.state)) {
    return `it is in ${task.state} now`;
  }
  if (stale?.has(task.taskUuid) === false) return 'it is no longer stale';
  return changed?.has(task.taskUuid) === false ? 'it has changed since it was selected' : undefined;
}

function nothingToDo(task: LiveTaskRow, action: BulkAction): string {
  return action === 'task_retry' ? `it has no step to retry: it is in ${task.state}` : 'the step does not exist';
}

function changeOf({ step, row }: { step: { attempts: number }; row: LiveStepRow | undefined }): string {
  if (!row) return 'the step no longer exists';
  if (row.attempts !== step.attempts) return `the step has run again since it was selected: it is in ${row.state} now`;
  return `the step is in ${row.state} now`;
}

/** Steps in `error` or `waiting_for_retry`, for a retry. */
export function failing(steps: readonly LiveStepRow[]): FailingStepRow[] {
  return steps as FailingStepRow[];
}
