import { ChildRefused } from '../../engine/child-tasks/start.ts';
import { type Engine, KIND, mayPass, type Recording } from '../../engine/engine.ts';
import { approvalSettings, signalSettings } from '../../engine/waits/wait-settings.ts';
import { resultOfThrown } from '../../handlers/outcome.ts';
import { StepHandlerResult } from '../../handlers/step-handler.ts';
import type { WaitRequest } from '../../model/waits.ts';
import type { ApprovalConfig, SignalConfig } from '../../template/task-template.ts';
import { type AttemptEnd, attemptEnd, listed, released, waiting } from '../attempt-end.ts';
import type { DispatchedStep } from '../dispatched-step.ts';
import { DEFAULT_VERSION } from '../run-step.ts';
import { timerWait } from './timer-wait.ts';

type Begun = WaitRequest | StepHandlerResult | StartedChild | List;
type List = NonNullable<Recording['list']>;
/** The wait for a child task, with the task. */
type StartedChild = Awaited<ReturnType<Engine['prepareChild']>>;

/** Returns the end of a step that could not begin its wait. The step is started again if the database did not respond. */
function endOfThrown(step: DispatchedStep, thrown: unknown): AttemptEnd {
  // A step that waits has no attempts to retry.
  if (mayPass(thrown)) return released(step);
  const result =
    thrown instanceof ChildRefused
      ? StepHandlerResult.failure({ message: thrown.message, errorType: thrown.errorType, retryable: false })
      : resultOfThrown(thrown);
  return attemptEnd(step, result, DEFAULT_VERSION);
}

/**
 * Runs a step of a type that waits, instead of a handler: determines what it waits for. Calls `finish` immediately, or
 * later if a large result must be loaded first. The end is undefined if the step has ended in the meantime. Never
 * throws.
 */
export function beginWait(step: DispatchedStep, finish: (end: AttemptEnd | undefined) => void): void {
  step.begin();
  let end: AttemptEnd;
  try {
    const begun = waitOf(step);
    if (begun instanceof Promise) {
      void begun
        .then((ready) => endOf(step, ready))
        .catch((thrown: unknown) => endOfThrown(step, thrown))
        .then((late) => finish(step.over ? undefined : late));
      return;
    }
    end = endOf(step, begun);
  } catch (thrown) {
    end = endOfThrown(step, thrown);
  }
  finish(end);
}

function endOf(step: DispatchedStep, begun: Begun): AttemptEnd {
  if ('pages' in begun) return listed(step, begun);
  if ('child' in begun) return { ...waiting(step, begun.wait), child: begun.child };
  if ('kind' in begun) return waiting(step, begun);
  const end = attemptEnd(step, begun, DEFAULT_VERSION);
  if (step.message !== undefined && end.kind === KIND.completed) end.failsTask = step.message;
  return end;
}

function waitOf(step: DispatchedStep): Begun | Promise<Begun> {
  if (step.template.type === 'fail') return StepHandlerResult.success({ message: step.message ?? '' });
  const { timer, signal, approval, child, undoesChild } = step.template;
  if (undoesChild) return step.childUndo();
  if (timer) return timerWait(step, timer);
  if (child) return step.childTask(child);
  if (step.template.forEach) return step.list();
  return signal ? signalWait(signal) : approvalWait(approval!);
}

function signalWait(signal: SignalConfig): WaitRequest {
  return { kind: 'signal', forMs: signal.timeoutMs ?? undefined, settings: signalSettings(signal) };
}

function approvalWait(approval: ApprovalConfig): WaitRequest {
  const { remindAfterMs, escalateAfterMs, timeoutMs } = approval;
  const first = Math.min(remindAfterMs ?? Number.POSITIVE_INFINITY, escalateAfterMs ?? Number.POSITIVE_INFINITY);
  return {
    kind: 'approval',
    forMs: timeoutMs ?? undefined,
    dueMs: first < (timeoutMs ?? Number.POSITIVE_INFINITY) ? first : undefined,
    settings: approvalSettings(approval),
  };
}
