import type { FfiDependencyResult } from './ffi-step-event.ts';

/**
 * The outcome of a step that this one depends on. The keys of its result can also be read directly
 * (`reserve.reservation_id`), except keys that the envelope itself has. A spread copy has only the envelope's keys.
 * `context.getDependencyResult(step)` returns the bare result.
 */
export interface DependencyResult<Result = unknown> extends Readonly<FfiDependencyResult> {
  readonly result: Result;
  /** The keys of the result. */
  readonly [key: string]: unknown;
}

/**
 * Parameters of {@link dependencyResult}. `success` defaults to true. `status` defaults to `completed` if `success` is
 * true, and to `failed` otherwise.
 */
export interface DependencyResultParams<Result = unknown> extends Partial<FfiDependencyResult> {
  stepUuid: string;
  result: Result;
}

/**
 * Creates a {@link DependencyResult}.
 *
 * @example
 * const reserve = dependencyResult({ stepUuid, result: { reservation_id: 'R-1' } });
 * reserve.reservation_id; // 'R-1'
 * reserve.result; // { reservation_id: 'R-1' }
 */
export function dependencyResult<Result>(params: DependencyResultParams<Result>): DependencyResult<Result> {
  const { stepUuid, result, success = true, status = success ? 'completed' : 'failed' } = params;
  const keys = typeof result === 'object' && result !== null && !Array.isArray(result) ? result : null;
  const envelope = {
    // In a literal, `__proto__` sets the prototype. Setting it takes microseconds, so envelopes are created only when a
    // handler reads them.
    __proto__: keys ?? Object.prototype,
    stepUuid,
    success,
    result,
    status,
    errorMessage: params.errorMessage ?? null,
    errorType: params.errorType ?? null,
    errorRetryable: params.errorRetryable ?? null,
  };
  return envelope;
}

/** Returns the result in an envelope. A value without `result` is itself the bare result. */
export function resultIn(found: unknown): unknown {
  return typeof found === 'object' && found !== null && Object.hasOwn(found, 'result')
    ? (found as { result: unknown }).result
    : found;
}
