import { messageOf } from '../../errors.ts';
import { StepHandlerResult, successOf } from '../../handlers/step-handler.ts';
import type { StepWait } from '../../handlers/step-wait.ts';
import { durationText } from '../../model/duration.ts';
import type { WaitRequest } from '../../model/waits.ts';
import type { CallAgainConfig } from '../../template/task-template.ts';
import type { DispatchedStep } from '../dispatched-step.ts';
import { progressOf } from '../step-progress.ts';

// The waits that handlers request with completeLater, notYet and untilTasksEnd.

/** The limits of calls for steps without `wait`. */
const DEFAULT_LIMITS: CallAgainConfig = { timeoutMs: 24 * 3_600_000, maxCalls: null, repeatable: false };

/**
 * Returns the wait that a handler requested, or the permanent failure of a step that must not wait, or has reached its
 * limit.
 */
export function requestOf(step: DispatchedStep, wait: StepWait): WaitRequest | StepHandlerResult {
  if (wait.kind === 'call') return callRequest(step, wait.retryInMs);
  if (wait.kind === 'tasks') return tasksRequest(wait);
  const forMs = wait.timeoutMs === null ? undefined : Math.ceil(wait.timeoutMs);
  return { kind: 'completion', forMs, settings: { metadata: wait.metadata } };
}

function tasksRequest({
  taskUuids,
  onFailure,
  timeoutMs,
}: Extract<StepWait, { kind: 'tasks' }>): WaitRequest | StepHandlerResult {
  if (taskUuids.length === 0) return successOf([]);
  const forMs = timeoutMs === null ? undefined : Math.ceil(timeoutMs);
  return { kind: 'tasks', forMs, settings: { task_uuids: [...taskUuids], on_failure: onFailure } };
}

function callRequest(step: DispatchedStep, retryInMs: number): WaitRequest | StepHandlerResult {
  const { timeoutMs, maxCalls, repeatable } = step.template.wait ?? DEFAULT_LIMITS;
  if (!step.template.retry.retryable && !repeatable) {
    return failure(
      'wait_refused',
      `step ${step.name}: its handler asked to be called again, but the step is not retryable; if calling it again is safe, add wait: { repeatable: true } to the step`,
    );
  }
  const calls = (step.earlierCalls?.count ?? 0) + 1;
  if (maxCalls !== null && calls >= maxCalls) {
    return failure(
      'wait_timeout',
      `step ${step.name}: its handler asked to be called again after ${calls === 1 ? '1 call' : `${calls} calls`}, which is the limit (wait.max_calls)`,
    );
  }
  const leftMs = timeoutMs - (step.earlierCalls ? performance.now() - step.earlierCalls.firstAt : 0);
  if (leftMs <= 0) {
    return failure(
      'wait_timeout',
      `step ${step.name}: its handler asked to be called again after ${calls} calls, but ${durationText(timeoutMs)} have passed since the first call, which is the limit (wait.timeout)`,
    );
  }
  // The last call happens at the limit, even if the handler asked for a longer pause.
  return { kind: 'call', forMs: Math.ceil(Math.min(retryInMs, leftMs)), settings: { number: step.number } };
}

function failure(errorType: string, message: string): StepHandlerResult {
  return StepHandlerResult.failure({ message, errorType, retryable: false });
}

/**
 * Saves the checkpoint that comes with `notYet`, and resolves to the result to record: a failure if it cannot be saved.
 * Undefined if the handler passed no checkpoint.
 */
export function saveBeforeCall(
  step: DispatchedStep,
  result: StepHandlerResult,
  wait: StepWait,
): Promise<StepHandlerResult> | undefined {
  if (wait.kind !== 'call' || wait.checkpoint === undefined || step.over) return undefined;
  const save = async () => {
    const refused = requestOf(step, wait);
    if (!('kind' in refused)) return refused;
    await step.saveCheckpoint(progressOf(step, wait.checkpoint)!);
    return result;
  };
  return save().catch((error: unknown) =>
    StepHandlerResult.failure({
      message: `step ${step.name}: the checkpoint of notYet was not saved: ${messageOf(error)}`,
      errorType: 'checkpoint_error',
      retryable: (error as { retryable?: unknown } | null)?.retryable !== false,
    }),
  );
}

/** Returns the milliseconds until the engine must act on a wait. Undefined if it waits without a limit. */
export function actsIn({ untilMs, forMs, dueMs }: WaitRequest): number | undefined {
  const endMs = untilMs === undefined ? forMs : untilMs - Date.now();
  if (endMs === undefined || dueMs === undefined) return endMs ?? dueMs;
  return Math.min(endMs, dueMs);
}
