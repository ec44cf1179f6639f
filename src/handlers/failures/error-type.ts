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
