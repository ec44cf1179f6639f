import { messageOf } from '../../errors.ts';
import { logError } from '../../logging/log.ts';

/** A function to run when a program shuts down. */
export type ShutdownHandler = () => void | Promise<void>;

/**
 * A shutdown request that a signal handler triggers and the main program awaits. Does not install signal handlers.
 *
 * @example
 * const shutdown = new ShutdownController();
 * process.on('SIGTERM', () => shutdown.trigger('SIGTERM'));
 * shutdown.onShutdown(() => tasker.stop());
 * await shutdown.promise;
 * await shutdown.executeHandlers();
 */
export class ShutdownController {
  #requested = false;
  #signal: string | null = null;
  #promise!: Promise<void>;
  #settle!: () => void;
  #handlers: ShutdownHandler[] = [];

  constructor() {
    this.#renew();
  }

  #renew(): void {
    this.#promise = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Resolves at the first {@link trigger}. */
  get promise(): Promise<void> {
    return this.#promise;
  }

  get isRequested(): boolean {
    return this.#requested;
  }

  /** The argument of the first {@link trigger}; null before it. */
  get signal(): string | null {
    return this.#signal;
  }

  /** Adds a handler for {@link executeHandlers}, which runs handlers in the order in which they were added. */
  onShutdown(handler: ShutdownHandler): void {
    this.#handlers.push(handler);
  }

  /** Requests the shutdown. Only the first call has an effect. */
  trigger(signal: string): void {
    if (this.#requested) return;
    this.#requested = true;
    this.#signal = signal;
    this.#settle();
  }

  /** Runs all handlers in order. If one fails, logs its error and continues. Never rejects. */
  async executeHandlers(): Promise<void> {
    for (const handler of this.#handlers) {
      try {
        await handler();
      } catch (error) {
        logError('shutdown handler failed', { error: messageOf(error) });
      }
    }
  }

  /** Resets to the initial state: not requested, no handlers, a pending promise. */
  reset(): void {
    this.#requested = false;
    this.#signal = null;
    this.#handlers = [];
    this.#renew();
  }
}

/** Runs handlers in order, even if some fail. Then throws their error, or an `AggregateError` if several failed. */
export async function runAll(handlers: readonly ShutdownHandler[]): Promise<void> {
  const errors: unknown[] = [];
  for (const handler of handlers) {
    try {
      await handler();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} shutdown handlers failed`);
  if (errors.length === 1) throw errors[0];
}
