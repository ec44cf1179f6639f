import { ErrorType } from '../handlers/failures/error-type.ts';
import { StepHandlerResult } from '../handlers/step-handler-result.ts';
import { type AttemptEnd, attemptEnd, givenBack } from './attempt-end.ts';
import type { DispatchedStep } from './dispatched-step.ts';

// What the worker says of a step when no handler does.

const NO_HANDLER = '1.0.0';

/** Its handler did not settle in time. */
export function timedOut(step: DispatchedStep, timeoutMs: number): AttemptEnd {
  return attemptEnd(step, timeoutFailure(step.name, timeoutMs), NO_HANDLER);
}

/** What a step comes to whose handler did not settle in time. */
export function timeoutFailure(step: string, timeoutMs: number): StepHandlerResult {
  const message = `step ${step} did not finish within ${timeoutMs} ms`;
  return StepHandlerResult.failure({ message, errorType: ErrorType.TIMEOUT, retryable: true });
}

/** Its event was read, and nobody completed it. */
export function forgotten(step: DispatchedStep, afterMs: number): AttemptEnd {
  const message = `step ${step.name}: its event was read, and nobody completed it within ${afterMs} ms`;
  const failure = StepHandlerResult.failure({ message, errorType: ErrorType.TIMEOUT, retryable: true });
  return attemptEnd(step, failure, NO_HANDLER);
}

/** No worker has its handler. */
export function handlerNotFound(step: DispatchedStep, message: string): AttemptEnd {
  const failure = StepHandlerResult.failure({ message, errorType: 'handler_not_found', retryable: false });
  return attemptEnd(step, failure, NO_HANDLER);
}

/** Its handler does not settle and the worker stops: given back if it may run twice, else an operator decides. */
export function abandoned(step: DispatchedStep): AttemptEnd {
  if (step.template.retry.retryable) return givenBack(step);
  const message = `step ${step.name} was cut off by its worker's stop; it is not retryable and may have had an effect, so an operator decides`;
  const failure = StepHandlerResult.failure({ message, errorType: 'worker_stopped', retryable: false });
  return attemptEnd(step, failure, NO_HANDLER);
}
