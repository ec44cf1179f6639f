import { TaskerError } from '../errors.ts';

/** A value from outside that cannot be read as what it should be. `details.path` says where. */
export class ConversionError extends TaskerError {
  override readonly name: string = 'ConversionError';

  constructor(message: string, options: { path: string; cause?: unknown }) {
    super('conversion_error', message, { cause: options.cause, details: { path: options.path } });
  }
}
