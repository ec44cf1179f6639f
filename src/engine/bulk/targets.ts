import { TaskerError } from '../../errors.ts';
import { checkUuid, isUuid, stepIndex } from '../../model/ids.ts';
import { isStorableText } from '../../model/json.ts';
import type { BulkAction } from '../../store/bulk/bulks.ts';
import { WORKED_STATES } from '../../store/search/conditions.ts';
import type { TaskFilter } from '../search/filter.ts';

/** A step for a bulk action: its id, or its name with the id of its task. */
export type BulkStep = string | { taskUuid: string; step: string };

/** The target of a bulk action: tasks or steps that a filter finds, or that are listed individually. */
export type BulkTarget = TaskFilter | { ids: readonly string[] } | { steps: readonly BulkStep[] };

/** A checked target. */
export type ReadTarget =
  | { kind: 'filter'; filter: TaskFilter }
  | { kind: 'tasks'; taskUuids: string[] }
  | { kind: 'steps'; steps: NamedStep[] };

/** A step that was named by its id alone, or with its task. */
export interface NamedStep {
  /** Undefined if only the id of the step was given. */
  taskUuid: string | undefined;
  name: string;
}

/** The states in which a filter can select steps. There are too many steps in the other states. */
const SEARCHED = ['enqueued', 'in_progress', 'waiting', 'waiting_for_retry', 'error'];

/** The states of the steps that each action selects if the filter does not name states. */
const USUAL_STATES: Partial<Record<BulkAction, readonly string[]>> = {
  task_retry: ['error', 'waiting_for_retry'],
  task_redrive: ['error', 'waiting_for_retry'],
  step_retry: ['error', 'waiting_for_retry'],
  step_reset: ['error'],
  step_resolve: ['error'],
};

const POSSIBLE_STATES: Partial<Record<BulkAction, readonly string[]>> = { ...USUAL_STATES, step_resolve: SEARCHED };

/** Returns whether the items of an action are steps. */
export function actsOnSteps(action: BulkAction): boolean {
  return action.startsWith('step_');
}

/** Returns `retry`, `cancel` and so on. */
export function verbOf(action: BulkAction): string {
  return action.slice(action.indexOf('_') + 1);
}

/** Checks the target of a bulk action. @throws TaskerError `bad_request`, `invalid_uuid` */
export function readTarget(action: BulkAction, target: BulkTarget): ReadTarget {
  if (typeof target !== 'object' || target === null) {
    throw new TaskerError('bad_request', `${verbOf(action)} needs a filter, or { ids: […] }`);
  }
  if ('ids' in target || 'steps' in target) return readNamed(action, target as { ids?: unknown; steps?: unknown });
  if (Object.values(target).every((value) => value === undefined || value === false)) {
    throw new TaskerError(
      'bad_request',
      'the filter has no condition, and would act on every task; name one, such as { open: true } or { namespace: … }',
    );
  }
  checkStates(action, target.stepState);
  return { kind: 'filter', filter: target };
}

function checkStates(action: BulkAction, stepState: string | undefined): void {
  const possible = POSSIBLE_STATES[action];
  if (stepState === undefined || !possible || !actsOnSteps(action) || possible.includes(stepState)) return;
  throw new TaskerError(
    'bad_request',
    `a step in ${stepState} cannot be selected to ${verbOf(action)} it; stepState must be ${possible.join(' or ')}`,
  );
}

function readNamed(action: BulkAction, target: { ids?: unknown; steps?: unknown }): ReadTarget {
  const [key] = Object.keys(target);
  if (Object.keys(target).length > 1) {
    throw new TaskerError(
      'bad_request',
      'a bulk action cannot combine ids, steps and filter conditions; pass only one kind of target',
    );
  }
  const wanted = actsOnSteps(action) ? 'steps' : 'ids';
  const list = target[key as 'ids'];
  if (key !== wanted || !Array.isArray(list)) {
    throw new TaskerError('bad_request', `${action.replace('_', ' ')} needs { ${wanted}: […] } or a filter`);
  }
  if (key === 'steps') return { kind: 'steps', steps: list.map(readStep) };
  return { kind: 'tasks', taskUuids: [...new Set(list.map((id) => checkUuid(id as string, 'the task id')))] };
}

function readStep(given: unknown): NamedStep {
  if (typeof given === 'string') return { taskUuid: undefined, name: checkUuid(given, 'the step id') };
  const { taskUuid, step } = (given ?? {}) as { taskUuid?: unknown; step?: unknown };
  if (typeof taskUuid !== 'string' || typeof step !== 'string' || !isStorableText(step)) {
    throw new TaskerError(
      'bad_request',
      'a step must be its id, or { taskUuid, step } with the name or id of the step',
    );
  }
  return { taskUuid: checkUuid(taskUuid, 'the task id'), name: step };
}

/** Returns the index of a step that was named by its id. Null if the name is not the id of a step in this task. */
export function indexIn(taskUuid: string, name: string): number | null {
  return isUuid(name) ? (stepIndex(taskUuid, name) ?? null) : null;
}

/** Returns the states in which the steps of a filter are selected. Null if the action does not depend on steps. */
export function stepStates(action: BulkAction, filter: TaskFilter): readonly string[] | null {
  const usual = USUAL_STATES[action];
  // A retry selects all such steps of the tasks that the filter finds.
  if (action === 'task_retry' || action === 'task_redrive') return usual!;
  const { stepState, errorType, error, worker } = filter;
  if (stepState !== undefined) return SEARCHED.includes(stepState) ? [stepState] : (usual ?? null);
  if (usual) return usual;
  if (errorType !== undefined || error !== undefined) return ['error', 'waiting_for_retry'];
  // The name and the handler of a step do not depend on its state, so the search finds all such tasks.
  return worker === undefined ? null : WORKED_STATES;
}

/** Returns whether an action applies to ended tasks (true), to open tasks (false), or to both (null). */
export function wantsEnded(action: BulkAction): boolean | null {
  return action === 'task_undo' ? null : action === 'task_delete';
}
