import type { FfiDependencyResult } from './ffi-step-event.ts';

/**
 * What a step that this one depends on came to, as handlers read it. The keys of its result can be read from it
 * directly (`reserve.reservation_id`), except those that the envelope has itself; a spread copy has only the
 * envelope's keys. `context.getDependencyResult(step)` gives the bare result.
 */
export interface DependencyResult<Result = unknown> extends Readonly<FfiDependencyResult> {
  readonly result: Result;
  /** The keys of the result. */
  readonly [key: string]: unknown;
}

/**
 * What {@link dependencyResult} is made from. `success` is true by default, `status` then `completed`, or `failed`
 * without success.
 */
export interface DependencyResultParams<Result = unknown> extends Partial<FfiDependencyResult> {
  stepUuid: string;
  result: Result;
}

/**
 * Makes a {@link DependencyResult}.
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
    // In a literal this sets the prototype. It takes microseconds, as any way to make an object a prototype does, so
    // envelopes are made for handlers that read them and for nobody else.
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

/** The result in an envelope. A value without `result` is itself the bare result. */
export function resultIn(found: unknown): unknown {
  return typeof found === 'object' && found !== null && Object.hasOwn(found, 'result')
    ? (found as { result: unknown }).result
    : found;
}
