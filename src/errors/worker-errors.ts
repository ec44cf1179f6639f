import { TaskerError, type TaskerErrorOptions } from '../errors.ts';

/**
 * Something was asked of a worker that does not run yet.
 *
 * @example
 * if (error instanceof WorkerNotInitializedError) start();
 */
export class WorkerNotInitializedError extends TaskerError {
  override readonly name: string = 'WorkerNotInitializedError';

  constructor(message = 'the worker is not initialized; bootstrap it first', options?: TaskerErrorOptions) {
    super('worker_not_initialized', message, options);
  }
}

/**
 * A worker could not start; `cause` is why.
 *
 * @example
 * if (error instanceof WorkerBootstrapError) console.error(error.message, error.cause);
 */
export class WorkerBootstrapError extends TaskerError {
  override readonly name: string = 'WorkerBootstrapError';

  constructor(message: string, options?: TaskerErrorOptions) {
    super('worker_bootstrap', message, options);
  }
}

/**
 * A worker that runs was started again.
 *
 * @example
 * if (error instanceof WorkerAlreadyRunningError) return;
 */
export class WorkerAlreadyRunningError extends TaskerError {
  override readonly name: string = 'WorkerAlreadyRunningError';

  constructor(message = 'the worker is running already; stop it first', options?: TaskerErrorOptions) {
    super('worker_already_running', message, options);
  }
}

/** Options of {@link FFIError}. */
export interface FFIErrorOptions extends TaskerErrorOptions {
  /** Whether calling again may help; default true. */
  retryable?: boolean;
}

/**
 * The bridge between a poller and the worker refused a call or lost it.
 *
 * @example
 * throw new FFIError('the result was not taken', { retryable: false });
 */
export class FFIError extends TaskerError {
  override readonly name: string = 'FFIError';
  readonly retryable: boolean;

  constructor(message: string, { retryable = true, ...options }: FFIErrorOptions = {}) {
    super('bridge', message, options);
    this.retryable = retryable;
  }
}
