import { TaskerError } from '../errors.ts';
import { ErrorType } from './error-type.ts';
import type { RetryAfter } from './retry-after.ts';

// `Symbol.for`, so that two copies of the package in one process know each other's errors.
const BRAND = Symbol.for('tasker-core.step-execution-error');

type Fields = Record<string, unknown>;

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
  cause?: unknown;
}

/** Options of an error whose class already says whether it is retryable. */
export type FixedErrorOptions = Omit<StepExecutionErrorOptions, 'retryable'>;

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

  override readonly name: string = 'StepExecutionError';
  /** Default `step_execution_error`. */
  readonly errorType: string;
  /** Default true. */
  readonly retryable: boolean;
  readonly metadata: Fields;
  readonly retryAfter: RetryAfter | null;
  readonly errorCode: string | null;

  /** `new StepExecutionError(message, { … })`, or `(message, errorType, retryable)` by position. */
  constructor(message: string, errorTypeOrOptions: string | StepExecutionErrorOptions = {}, retryable?: boolean) {
    const options = typeof errorTypeOrOptions === 'string' ? { errorType: errorTypeOrOptions } : errorTypeOrOptions;
    super('step_failed', message, { cause: (options as StepExecutionErrorOptions).cause });
    const { errorType, metadata, retryAfter, errorCode }: StepExecutionErrorOptions = options;
    this.errorType = errorType ?? 'step_execution_error';
    this.retryable = retryable ?? (options as StepExecutionErrorOptions).retryable ?? true;
    this.metadata = metadata ?? {};
    this.retryAfter = retryAfter ?? null;
    this.errorCode = errorCode ?? null;
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
  override readonly name: string = 'PermanentError';

  constructor(message: string, optionsOrMetadata: FixedErrorOptions | Fields = {}) {
    super(message, { errorType: ErrorType.PERMANENT_ERROR, ...optionsOf(optionsOrMetadata), retryable: false });
  }
}

/**
 * A failure that may pass when tried again. Its type is `retryable_error` unless given.
 *
 * @example
 * throw new RetryableError('gateway is busy', { retryAfter: 30 });
 */
export class RetryableError extends StepExecutionError {
  override readonly name: string = 'RetryableError';

  constructor(message: string, optionsOrMetadata: FixedErrorOptions | Fields = {}) {
    super(message, { errorType: ErrorType.RETRYABLE_ERROR, ...optionsOf(optionsOrMetadata), retryable: true });
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

const OPTION_NAMES: ReadonlySet<string> = new Set(['errorType', 'metadata', 'retryAfter', 'errorCode', 'cause']);

/** The second argument is options when it has only their names, else the metadata itself, as it always could be. */
function optionsOf(given: FixedErrorOptions | Fields): FixedErrorOptions {
  return Object.keys(given).every((key) => OPTION_NAMES.has(key)) ? (given as FixedErrorOptions) : { metadata: given };
}
