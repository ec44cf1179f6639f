import { ErrorType } from '../handlers/error-type.ts';
import { StepHandlerResult } from '../handlers/step-handler-result.ts';
import { type AttemptEnd, attemptEnd, givenBack } from './attempt-end.ts';
import type { HeldStep } from './held-step.ts';

// What the worker says of a step when no handler does.

const NO_HANDLER = '1.0.0';

/** Its handler did not settle in time. */
export function timedOut(step: HeldStep, timeoutMs: number): AttemptEnd {
  return attemptEnd(step, timeoutFailure(step.name, timeoutMs), NO_HANDLER);
}

/** What a step comes to whose handler did not settle in time. */
export function timeoutFailure(step: string, timeoutMs: number): StepHandlerResult {
  const message = `step ${step} did not finish within ${timeoutMs} ms`;
  return StepHandlerResult.failure({ message, errorType: ErrorType.TIMEOUT, retryable: true });
}

/** No worker has its handler. */
export function handlerNotFound(step: HeldStep, message: string): AttemptEnd {
  const failure = StepHandlerResult.failure({ message, errorType: 'handler_not_found', retryable: false });
  return attemptEnd(step, failure, NO_HANDLER);
}

/** What it may read of other steps is more than a worker loads. */
export function dependencyTooLarge(step: HeldStep, size: number, bound: number): AttemptEnd {
  const message = `step ${step.name}: the results of the steps before it take ${mebibytes(size)}, and a step may read ${mebibytes(bound)} at most; keep large payloads outside the database and let steps return references to them`;
  const failure = StepHandlerResult.failure({ message, errorType: 'dependency_too_large', retryable: false });
  return attemptEnd(step, failure, NO_HANDLER);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** Its handler does not settle and the worker stops: given back if it may run twice, else an operator decides. */
export function abandoned(step: HeldStep): AttemptEnd {
  if (step.template.retry.retryable) return givenBack(step);
  const message = `step ${step.name} was cut off by its worker's stop; it is not retryable and may have had an effect, so an operator decides`;
  const failure = StepHandlerResult.failure({ message, errorType: 'worker_stopped', retryable: false });
  return attemptEnd(step, failure, NO_HANDLER);
}
