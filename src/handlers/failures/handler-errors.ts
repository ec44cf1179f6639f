import { TaskerError } from '../../errors.ts';
import type { Fields } from '../../model/fields.ts';
import type { RetryAfter } from '../retry-after.ts';

/**
 * The error types with a meaning of their own. A handler may use any other text.
 *
 * @example
 * return this.failure('amount missing', { errorType: ErrorType.VALIDATION_ERROR, retryable: false });
 */
export const ErrorType = Object.freeze({
  PERMANENT_ERROR: 'permanent_error',
  RETRYABLE_ERROR: 'retryable_error',
  VALIDATION_ERROR: 'validation_error',
  TIMEOUT: 'timeout',
  HANDLER_ERROR: 'handler_error',
} as const);

/** One of the texts of {@link ErrorType}. */
export type ErrorType = (typeof ErrorType)[keyof typeof ErrorType];

const STANDARD: ReadonlySet<string> = new Set(Object.values(ErrorType));

/**
 * Whether a text is one of {@link ErrorType}.
 *
 * @example
 * isStandardErrorType('payment_error'); // false
 */
export function isStandardErrorType(errorType: string): errorType is ErrorType {
  return STANDARD.has(errorType);
}

/**
 * Whether failures of this type usually pass when tried again: `retryable_error` and `timeout`.
 * It is a hint for code that has no better knowledge; what decides is a result's `retryable`.
 *
 * @example
 * isTypicallyRetryable('timeout'); // true
 */
export function isTypicallyRetryable(errorType: string): boolean {
  return errorType === ErrorType.RETRYABLE_ERROR || errorType === ErrorType.TIMEOUT;
}

// `Symbol.for`, so that two copies of the package in one process know each other's errors.
const BRAND = Symbol.for('tasker-core.step-execution-error');

/** What a {@link StepExecutionError} may say besides its message. */
export interface StepExecutionErrorOptions {
  /** Any text; stored as the failure's type. */
  errorType?: string;
  /** Whether another attempt may help. */
  retryable?: boolean;
  /** Stored with the result, under `metadata.custom`. */
  metadata?: Fields;
  /** When the next attempt may start: seconds, a date, or the text of a `Retry-After` header. */
  retryAfter?: RetryAfter;
  errorCode?: string;
  /** The HTTP status behind it, when one is; stored with the failure. */
  statusCode?: number;
  cause?: unknown;
}

/** Options of an error whose class already says whether it is retryable. */
export type FixedErrorOptions = Omit<StepExecutionErrorOptions, 'retryable'>;

/** The JSON form of a {@link StepExecutionError}. */
export interface StepExecutionErrorJson {
  error_type: string;
  message: string;
  retryable: boolean;
  error_code: string | null;
  /** As it was given, a date as ISO 8601. */
  retry_after: number | string | null;
  status_code: number | null;
  metadata: Record<string, unknown>;
}

/**
 * An error that says what its step comes to. Thrown by a handler, it decides type, retry and delay.
 *
 * @example
 * throw new StepExecutionError('database connection timeout', { errorType: 'database_error', retryAfter: 30 });
 */
export class StepExecutionError extends TaskerError {
  static {
    Object.defineProperty(StepExecutionError.prototype, BRAND, { value: true });
  }

  /** The type of errors of this class that are given none; classes below it have others. */
  static readonly errorType: string = 'step_execution_error';

  override readonly name: string = 'StepExecutionError';
  /** What the failure is stored as. Default: that of the class. */
  readonly errorType: string;
  /** Default true. */
  readonly retryable: boolean;
  readonly metadata: Fields;
  readonly retryAfter: RetryAfter | null;
  readonly errorCode: string | null;
  readonly statusCode: number | null;

  /** `new StepExecutionError(message, { … })`, or `(message, errorType, retryable)` by position. */
  constructor(message: string, errorTypeOrOptions: string | StepExecutionErrorOptions = {}, retryable?: boolean) {
    const options: StepExecutionErrorOptions =
      typeof errorTypeOrOptions === 'string' ? { errorType: errorTypeOrOptions } : errorTypeOrOptions;
    super('step_failed', message, { cause: options.cause });
    this.errorType = options.errorType ?? new.target.errorType;
    this.retryable = retryable ?? options.retryable ?? true;
    this.metadata = options.metadata ?? {};
    this.retryAfter = options.retryAfter ?? null;
    this.errorCode = options.errorCode ?? null;
    this.statusCode = options.statusCode ?? null;
  }

  /** What is stored of it, with snake_case keys: the failure without its stack. */
  toJSON(): StepExecutionErrorJson {
    const { errorType, message, retryable, errorCode, retryAfter, statusCode, metadata } = this;
    return {
      error_type: errorType,
      message,
      retryable,
      error_code: errorCode,
      retry_after: retryAfter instanceof Date ? retryAfter.toJSON() : retryAfter,
      status_code: statusCode,
      metadata,
    };
  }

  /** The same as {@link StepExecutionError.toJSON}. */
  toDict(): StepExecutionErrorJson {
    return this.toJSON();
  }
}

/**
 * A failure that no further attempt can mend. Its type is `permanent_error` unless given.
 *
 * @example
 * throw new PermanentError('order is cancelled', { order_id: 'O-7' }); // metadata
 * throw new PermanentError('amount missing', { errorType: 'validation_error', errorCode: 'E42' });
 */
export class PermanentError extends StepExecutionError {
  static override readonly errorType: string = ErrorType.PERMANENT_ERROR;
  override readonly name: string = 'PermanentError';

  constructor(message: string, optionsOrMetadata: FixedErrorOptions | Fields = {}) {
    super(message, { ...optionsOf(optionsOrMetadata), retryable: false });
  }
}

/**
 * A failure that may pass when tried again. Its type is `retryable_error` unless given.
 *
 * @example
 * throw new RetryableError('gateway is busy', { retryAfter: 30 });
 */
export class RetryableError extends StepExecutionError {
  static override readonly errorType: string = ErrorType.RETRYABLE_ERROR;
  override readonly name: string = 'RetryableError';

  constructor(message: string, optionsOrMetadata: FixedErrorOptions | Fields = {}) {
    super(message, { ...optionsOf(optionsOrMetadata), retryable: true });
  }
}

// Failures that no further attempt can mend, by what caused them. Where a failed HTTP request has a type for the same
// thing, it is the same.

/**
 * Data that does not meet its rules; stored as `validation_error`.
 *
 * @example
 * throw new StepValidationError('email: not an address', { metadata: { field: 'email' } });
 */
export class StepValidationError extends PermanentError {
  static override readonly errorType: string = ErrorType.VALIDATION_ERROR;
  override readonly name: string = 'StepValidationError';
}

/**
 * Something that must be there and is not; stored as `not_found`.
 *
 * @example
 * throw new NotFoundError('there is no order O-7');
 */
export class NotFoundError extends PermanentError {
  static override readonly errorType: string = 'not_found';
  override readonly name: string = 'NotFoundError';
}

/**
 * Credentials that are refused; stored as `unauthorized`.
 *
 * @example
 * throw new AuthenticationError('carrier: the API key is refused', { statusCode: 401 });
 */
export class AuthenticationError extends PermanentError {
  static override readonly errorType: string = 'unauthorized';
  override readonly name: string = 'AuthenticationError';
}

/**
 * A right that is missing; stored as `forbidden`.
 *
 * @example
 * throw new AuthorizationError('refunds need the role finance', { statusCode: 403 });
 */
export class AuthorizationError extends PermanentError {
  static override readonly errorType: string = 'forbidden';
  override readonly name: string = 'AuthorizationError';
}

/**
 * A setting that is missing or wrong; stored as `configuration_error`.
 *
 * @example
 * throw new ConfigurationError('handler.initialization: carrier is missing');
 */
export class ConfigurationError extends PermanentError {
  static override readonly errorType: string = 'configuration_error';
  override readonly name: string = 'ConfigurationError';
}

/**
 * A rule of the business that forbids it; stored as `business_logic_error`.
 *
 * @example
 * throw new BusinessLogicError('a refund can not exceed the payment', { errorCode: 'REFUND_TOO_LARGE' });
 */
export class BusinessLogicError extends PermanentError {
  static override readonly errorType: string = 'business_logic_error';
  override readonly name: string = 'BusinessLogicError';
}

// Failures that usually pass, by what caused them. Where a failed HTTP request has a type for the same thing, it is the same.

/**
 * Something took too long; stored as `timeout`.
 *
 * @example
 * throw new StepTimeoutError('the report was not ready within 30 s', { metadata: { report: 'R-7' } });
 */
export class StepTimeoutError extends RetryableError {
  static override readonly errorType: string = ErrorType.TIMEOUT;
  override readonly name: string = 'StepTimeoutError';
}

/**
 * No connection, or one that broke; stored as `connection_error`.
 *
 * @example
 * throw new NetworkError('payment gateway: connection reset', { cause: error });
 */
export class NetworkError extends RetryableError {
  static override readonly errorType: string = 'connection_error';
  override readonly name: string = 'NetworkError';
}

/**
 * Too many requests; stored as `rate_limited`. `retryAfter` says when the next attempt may start.
 *
 * @example
 * throw new RateLimitError('carrier: 100 requests a minute', { retryAfter: 60, statusCode: 429 });
 */
export class RateLimitError extends RetryableError {
  static override readonly errorType: string = 'rate_limited';
  override readonly name: string = 'RateLimitError';
}

/**
 * A service that is down or overloaded; stored as `service_unavailable`.
 *
 * @example
 * throw new ServiceUnavailableError('bank: closed for maintenance', { retryAfter: new Date('2026-01-02T06:00:00Z') });
 */
export class ServiceUnavailableError extends RetryableError {
  static override readonly errorType: string = 'service_unavailable';
  override readonly name: string = 'ServiceUnavailableError';
}

/**
 * A lock or another resource that somebody else holds; stored as `resource_contention`.
 *
 * @example
 * throw new ResourceContentionError('order O-7 is locked', { retryAfter: 2 });
 */
export class ResourceContentionError extends RetryableError {
  static override readonly errorType: string = 'resource_contention';
  override readonly name: string = 'ResourceContentionError';
}

/**
 * Whether a value is a {@link StepExecutionError}, of this copy of the package or of another.
 *
 * @example
 * if (isStepExecutionError(error) && !error.retryable) notify(error.errorType);
 */
export function isStepExecutionError(value: unknown): value is StepExecutionError {
  return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
}

const OPTION_NAMES: ReadonlySet<string> = new Set([
  'errorType',
  'metadata',
  'retryAfter',
  'errorCode',
  'statusCode',
  'cause',
]);

/** The second argument is options when it has only their names, else the metadata itself, as it always could be. */
function optionsOf(given: FixedErrorOptions | Fields): FixedErrorOptions {
  return Object.keys(given).every((key) => OPTION_NAMES.has(key)) ? (given as FixedErrorOptions) : { metadata: given };
}

/**
 * A value from outside that does not have the expected form; `details.path` is the given path, if any. If a
 * handler throws it, the step fails permanently, because the value is the same at the next attempt.
 *
 * @example
 * throw new ConversionError('amount: not a number', { path: 'context.amount' });
 */
export class ConversionError extends TaskerError {
  override readonly name: string = 'ConversionError';
  readonly errorType = 'conversion_error';
  readonly retryable = false;

  constructor(message: string, { path, cause }: { path?: string; cause?: unknown } = {}) {
    super('conversion_error', message, { cause, details: path === undefined ? {} : { path } });
  }
}
