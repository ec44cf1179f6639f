import { TaskerError } from '../errors.ts';

/**
 * A value from outside that cannot be read as what it should be; `details.path` says where. Thrown in a handler, it
 * fails the step for good: the value is the same at the next attempt.
 *
 * @example
 * throw new ConversionError('amount: not a number', { path: 'context.amount' });
 */
export class ConversionError extends TaskerError {
  override readonly name: string = 'ConversionError';
  readonly errorType = 'conversion_error';
  readonly retryable = false;

  constructor(message: string, options: { path: string; cause?: unknown }) {
    super('conversion_error', message, { cause: options.cause, details: { path: options.path } });
  }
}
