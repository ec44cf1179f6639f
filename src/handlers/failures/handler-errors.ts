import { TaskerError } from '../../errors.ts';
import type { Fields } from '../../model/json.ts';
import type { RetryAfter } from '../retry-after.ts';

/**
 * The standard error types. A handler may use any other string.
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

/** A value of {@link ErrorType}. */
export type ErrorType = (typeof ErrorType)[keyof typeof ErrorType];

const STANDARD: ReadonlySet<string> = new Set(Object.values(ErrorType));

/**
 * Returns whether a string is one of {@link ErrorType}.
 *
 * @example
 * isStandardErrorType('payment_error'); // false
 */
export function isStandardErrorType(errorType: string): errorType is ErrorType {
  return STANDARD.has(errorType);
}

/**
 * Returns whether failures of this type usually succeed on a retry: `retryable_error` and `timeout`. This is only a
 * hint. The worker decides by the result's `retryable`.
 *
 * @example
 * isTypicallyRetryable('timeout'); // true
 */
export function isTypicallyRetryable(errorType: string): boolean {
  return errorType === ErrorType.RETRYABLE_ERROR || errorType === ErrorType.TIMEOUT;
}

// `Symbol.for`, so that two copies of the package in one process recognize each other's errors.
const BRAND = Symbol.for('tasker-core.step-execution-error');

/** Options of a {@link StepExecutionError}. */
export interface StepExecutionErrorOptions {
  /** The failure's type: any string. */
  errorType?: string;
  /** Whether a retry may help. */
  retryable?: boolean;
  /** Stored with the result, under `metadata.custom`. */
  metadata?: Fields;
  /** When the next attempt may start: seconds from now, a date, or the value of a `Retry-After` header. */
  retryAfter?: RetryAfter;
  errorCode?: string;
  /** The HTTP status that caused the error, if any. Stored with the failure. */
  statusCode?: number;
  cause?: unknown;
}

/** Options of an error whose class already determines whether it is retryable. */
export type FixedErrorOptions = Omit<StepExecutionErrorOptions, 'retryable'>;

/** The JSON form of a {@link StepExecutionError}. */
export interface StepExecutionErrorJson {
  error_type: string;
  message: string;
  retryable: boolean;
  error_code: string | null;
  /** The delay as it was given. A date is in ISO 8601 format. */
  retry_after: number | string | null;
  status_code: number | null;
  metadata: Record<string, unknown>;
}

/**
 * An error that determines the step's outcome. When a handler throws it, the error sets the error type, whether the
 * step is retried, and the delay.
 *
 * @example
 * throw new StepExecutionError('database connection timeout', { errorType: 'database_error', retryAfter: 30 });
 */
export class StepExecutionError extends TaskerError {
  static {
    Object.defineProperty(StepExecutionError.prototype, BRAND, { value: true });
  }

  /** The default `errorType` of this class. Subclasses have their own. */
  static readonly errorType: string = 'step_execution_error';

  override readonly name: string = 'StepExecutionError';
  /** The stored type of the failure. Defaults to the class's `errorType`. */
  readonly errorType: string;
  /** Whether a retry may help. Default true. */
  readonly retryable: boolean;
  readonly metadata: Fields;
  readonly retryAfter: RetryAfter | null;
  readonly errorCode: string | null;
  readonly statusCode: number | null;

  /** Creates an error: `new StepExecutionError(message, { … })`, or `(message, errorType, retryable)` by position. */
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

  /** Returns the stored form, with snake_case keys and without the stack. */
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

  /** Same as {@link StepExecutionError.toJSON}. */
  toDict(): StepExecutionErrorJson {
    return this.toJSON();
  }
}

/**
 * A failure that a retry cannot fix. Its type defaults to `permanent_error`.
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
 * A failure that may succeed on a retry. Its type defaults to `retryable_error`.
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

// Permanent failures by cause, with the same types as the corresponding failed HTTP requests.

/**
 * Invalid data; stored as `validation_error`.
 *
 * @example
 * throw new StepValidationError('email: not an address', { metadata: { field: 'email' } });
 */
export class StepValidationError extends PermanentError {
  static override readonly errorType: string = ErrorType.VALIDATION_ERROR;
  override readonly name: string = 'StepValidationError';
}

/**
 * A required object that does not exist; stored as `not_found`.
 *
 * @example
 * throw new NotFoundError('order O-7 not found');
 */
export class NotFoundError extends PermanentError {
  static override readonly errorType: string = 'not_found';
  override readonly name: string = 'NotFoundError';
}

/**
 * Rejected credentials; stored as `unauthorized`.
 *
 * @example
 * throw new AuthenticationError('carrier: invalid API key', { statusCode: 401 });
 */
export class AuthenticationError extends PermanentError {
  static override readonly errorType: string = 'unauthorized';
  override readonly name: string = 'AuthenticationError';
}

/**
 * A missing permission; stored as `forbidden`.
 *
 * @example
 * throw new AuthorizationError('refunds require the role finance', { statusCode: 403 });
 */
export class AuthorizationError extends PermanentError {
  static override readonly errorType: string = 'forbidden';
  override readonly name: string = 'AuthorizationError';
}

/**
 * A missing or invalid setting; stored as `configuration_error`.
 *
 * @example
 * throw new ConfigurationError('handler.initialization: carrier is missing');
 */
export class ConfigurationError extends PermanentError {
  static override readonly errorType: string = 'configuration_error';
  override readonly name: string = 'ConfigurationError';
}

/**
 * A violation of a business rule; stored as `business_logic_error`.
 *
 * @example
 * throw new BusinessLogicError('a refund cannot exceed the payment', { errorCode: 'REFUND_TOO_LARGE' });
 */
export class BusinessLogicError extends PermanentError {
  static override readonly errorType: string = 'business_logic_error';
  override readonly name: string = 'BusinessLogicError';
}

// Retryable failures by cause, with the same types as the corresponding failed HTTP requests.

/**
 * A timeout; stored as `timeout`.
 *
 * @example
 * throw new StepTimeoutError('the report was not ready within 30 s', { metadata: { report: 'R-7' } });
 */
export class StepTimeoutError extends RetryableError {
  static override readonly errorType: string = ErrorType.TIMEOUT;
  override readonly name: string = 'StepTimeoutError';
}

/**
 * A connection that failed or was lost; stored as `connection_error`.
 *
 * @example
 * throw new NetworkError('payment gateway: connection reset', { cause: error });
 */
export class NetworkError extends RetryableError {
  static override readonly errorType: string = 'connection_error';
  override readonly name: string = 'NetworkError';
}

/**
 * Too many requests; stored as `rate_limited`. Set `retryAfter` to delay the next attempt.
 *
 * @example
 * throw new RateLimitError('carrier: limit of 100 requests per minute', { retryAfter: 60, statusCode: 429 });
 */
export class RateLimitError extends RetryableError {
  static override readonly errorType: string = 'rate_limited';
  override readonly name: string = 'RateLimitError';
}

/**
 * A service that is unavailable or overloaded; stored as `service_unavailable`.
 *
 * @example
 * throw new ServiceUnavailableError('bank: closed for maintenance', { retryAfter: new Date('2026-01-02T06:00:00Z') });
 */
export class ServiceUnavailableError extends RetryableError {
  static override readonly errorType: string = 'service_unavailable';
  override readonly name: string = 'ServiceUnavailableError';
}

/**
 * A lock or another resource that another process holds; stored as `resource_contention`.
 *
 * @example
 * throw new ResourceContentionError('order O-7 is locked', { retryAfter: 2 });
 */
export class ResourceContentionError extends RetryableError {
  static override readonly errorType: string = 'resource_contention';
  override readonly name: string = 'ResourceContentionError';
}

/**
 * Returns whether a value is a {@link StepExecutionError}, from this or another copy of the package.
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

/**
 * Returns the second argument as options. The argument is the metadata itself unless all its keys are names of options.
 */
function optionsOf(given: FixedErrorOptions | Fields): FixedErrorOptions {
  return Object.keys(given).every((key) => OPTION_NAMES.has(key)) ? (given as FixedErrorOptions) : { metadata: given };
}

/**
 * An external value that does not have the expected form. `details.path` is the given path, if any. If a handler throws
 * it, the step fails permanently, because the value would be the same on a retry.
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
