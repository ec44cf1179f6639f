import { type Fields, isFields } from '../model/fields.ts';
import { argumentsOf } from './argument-forms.ts';
import { ErrorType } from './failures/error-type.ts';
import type { StepExecutionErrorOptions } from './failures/handler-errors.ts';
import { misuse, shown } from './misuse.ts';
import {
  type OrchestrationMetadata,
  retryAfterIn,
  type StoredOrchestrationMetadata,
  storedOrchestrationMetadata,
} from './orchestration-metadata.ts';
import { type RetryAfter, retryAfterHeader } from './retry-after.ts';

// `Symbol.for`, so that two copies of the package in one process know each other's results.
const BRAND = Symbol.for('tasker-core.step-handler-result');

/** What a {@link StepHandlerResult} is made of. */
export interface StepHandlerResultParams {
  success: boolean;
  result?: object | null;
  errorMessage?: string | null;
  errorType?: string | null;
  errorCode?: string | null;
  /** Whether another attempt may help; default true. */
  retryable?: boolean;
  /** Stored with the result, under `metadata.custom`. */
  metadata?: Fields;
  orchestrationMetadata?: OrchestrationMetadata | null;
  /** When the next attempt may start; wins over the template's backoff. */
  retryAfter?: RetryAfter | null;
  /** Where it failed, a line an entry. */
  backtrace?: readonly string[];
  /** The HTTP status behind a failure. */
  statusCode?: number | null;
}

/** A failure, besides its message. Its type is `handler_error` unless given. */
export interface FailureOptions extends Omit<StepExecutionErrorOptions, 'cause'> {
  /** Told to the engine besides; `retryAfter` wins over what it says of the delay. */
  orchestrationMetadata?: OrchestrationMetadata;
}

/** A failure in one object. */
export interface Failure extends FailureOptions {
  message: string;
}

/** The ways to write a failure: in one object, message and options, or all by position. */
export type FailureArguments =
  | [failure: Failure]
  | [message: string, options?: FailureOptions]
  | [message: string, errorType?: string, retryable?: boolean, metadata?: Fields, errorCode?: string];

/** The JSON form of a {@link StepHandlerResult}. */
export interface StepHandlerResultJson {
  success: boolean;
  result: Fields | null;
  error_message: string | null;
  error_type: string | null;
  error_code: string | null;
  retryable: boolean;
  metadata: Fields;
  orchestration_metadata: StoredOrchestrationMetadata | null;
}

const NO_LINES: readonly string[] = Object.freeze([]);

/**
 * What one run of a handler came to.
 *
 * @example
 * StepHandlerResult.success({ packed: 2 });
 * StepHandlerResult.failure('payment declined', { errorType: 'payment_error', retryable: false });
 */
export class StepHandlerResult {
  static {
    Object.defineProperty(StepHandlerResult.prototype, BRAND, { value: true });
  }

  readonly success: boolean;
  /** What dependents see; null on failure unless given. */
  readonly result: Fields | null;
  readonly errorMessage: string | null;
  readonly errorType: string | null;
  readonly errorCode: string | null;
  /** Whether another attempt may help; the template may still forbid it. True on success. */
  readonly retryable: boolean;
  readonly metadata: Fields;
  readonly orchestrationMetadata: OrchestrationMetadata | null;
  /** When the next attempt may start, as given or as its `retry-after` header says; null: as the template says. */
  readonly retryAfter: RetryAfter | null;
  /** Where it failed, a line an entry; empty when nothing was thrown. */
  readonly backtrace: readonly string[];
  /** The HTTP status behind a failure, when known. */
  readonly statusCode: number | null;

  constructor(params: StepHandlerResultParams) {
    this.success = params.success;
    this.result = (params.result as Fields | null | undefined) ?? null;
    this.errorMessage = params.errorMessage ?? null;
    this.errorType = params.errorType ?? null;
    this.errorCode = params.errorCode ?? null;
    this.retryable = params.retryable ?? true;
    this.metadata = params.metadata ?? {};
    const orchestration = params.orchestrationMetadata ?? null;
    this.retryAfter = params.retryAfter ?? (orchestration && retryAfterIn(orchestration));
    this.orchestrationMetadata =
      params.retryAfter == null ? orchestration : withRetryAfter(orchestration, params.retryAfter);
    this.backtrace = params.backtrace ?? NO_LINES;
    this.statusCode = params.statusCode ?? null;
  }

  /**
   * A success: `success(result, metadata)` or `success({ result, metadata })`. Dependents and REST see `result`. An
   * array or a primitive becomes `{ result: it }`. An object whose only keys are `result` and `metadata` is always the
   * second form. To store such an object as a result, pass it as `result` in that form.
   */
  static success(result: object = {}, metadata?: Fields): StepHandlerResult {
    if (!isSuccessObject(result)) return successOf(result, metadata);
    return successOf(result.result ?? {}, { ...metadataIn(result), ...metadata });
  }

  /** A failure: `failure({ message, … })`, `failure(message, { … })` or all by position. */
  static failure(...args: FailureArguments): StepHandlerResult {
    const { message, errorType, ...others } = failureOf(args);
    return new StepHandlerResult({
      ...others,
      success: false,
      errorMessage: message,
      errorType: errorType ?? ErrorType.HANDLER_ERROR,
    });
  }

  /** The same as {@link StepHandlerResult.success}. */
  static successHandlerResult(result: object = {}, metadata?: Fields): StepHandlerResult {
    return StepHandlerResult.success(result, metadata);
  }

  /** The same as {@link StepHandlerResult.failure}. */
  static failureHandlerResult(...args: FailureArguments): StepHandlerResult {
    return StepHandlerResult.failure(...args);
  }

  isSuccess(): boolean {
    return this.success;
  }

  isFailure(): boolean {
    return !this.success;
  }

  /** The stored form: snake_case keys. */
  toJSON(): StepHandlerResultJson {
    return {
      success: this.success,
      result: this.result,
      error_message: this.errorMessage,
      error_type: this.errorType,
      error_code: this.errorCode,
      retryable: this.retryable,
      metadata: this.metadata,
      orchestration_metadata: this.orchestrationMetadata && storedOrchestrationMetadata(this.orchestrationMetadata),
    };
  }
}

/**
 * Whether a value is a {@link StepHandlerResult}, of this copy of the package or of another.
 *
 * @example
 * if (isStepHandlerResult(returned) && !returned.success) alert(returned.errorMessage);
 */
export function isStepHandlerResult(value: unknown): value is StepHandlerResult {
  return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
}

/** A success whose result is this value, for example of a function or a server. Its keys do not matter. */
export function successOf(value: unknown, metadata?: Fields): StepHandlerResult {
  return new StepHandlerResult({ success: true, result: isFields(value) ? value : { result: value }, metadata });
}

function isSuccessObject(value: unknown): value is { result: unknown; metadata: unknown } {
  return isFields(value) && Object.keys(value).length === 2 && 'result' in value && 'metadata' in value;
}

function metadataIn({ metadata }: { metadata: unknown }): Fields {
  if (metadata === undefined || metadata === null) return {};
  if (isFields(metadata)) return metadata;
  throw misuse(
    `success: metadata must be an object, not ${shown(metadata)}; an object with only the keys result and metadata is read as { result, metadata }`,
  );
}

/** A failure in one object, however it was written. */
export function failureOf(args: FailureArguments): Failure {
  return argumentsOf<Failure>(args, ['message', 'errorType', 'retryable', 'metadata', 'errorCode'], 1);
}

/** The metadata with the delay among its headers, where the engine and REST clients look for it. */
function withRetryAfter(metadata: OrchestrationMetadata | null, value: RetryAfter): OrchestrationMetadata | null {
  const header = retryAfterHeader(value);
  if (header === null) return metadata;
  const others = Object.entries(metadata?.headers ?? {}).filter(([name]) => name.toLowerCase() !== 'retry-after');
  return { ...metadata, headers: { ...Object.fromEntries(others), 'retry-after': header } };
}
