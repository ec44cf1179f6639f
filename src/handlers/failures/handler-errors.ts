import { TaskerError } from '../../errors.ts';
import type { Fields } from '../../model/fields.ts';
import type { RetryAfter } from '../retry-after.ts';
import { ErrorType } from './error-type.ts';

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
