import { TaskerError } from '../../errors.ts';

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
