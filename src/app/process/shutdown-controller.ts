/** What runs when a program shuts down. */
export type ShutdownHandler = () => void | Promise<void>;

/**
 * One request to shut down, to be waited for: what a signal handler triggers, and the main program awaits. It installs
 * no signal handlers itself.
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

  /** What the first {@link trigger} said; null before it. */
  get signal(): string | null {
    return this.#signal;
  }

  /** Adds something for {@link executeHandlers}; they run in the order in which they were added. */
  onShutdown(handler: ShutdownHandler): void {
    this.#handlers.push(handler);
  }

  /** Asks for the shutdown. Only the first call counts. */
  trigger(signal: string): void {
    if (this.#requested) return;
    this.#requested = true;
    this.#signal = signal;
    this.#settle();
  }

  /**
   * Runs every handler, one after the other, those after one that failed too. Throws what was thrown, an
   * `AggregateError` when it was more than one.
   */
  async executeHandlers(): Promise<void> {
    await runAll(this.#handlers);
  }

  /** Resets to the initial state: not requested, no handlers, a pending promise. */
  reset(): void {
    this.#requested = false;
    this.#signal = null;
    this.#handlers = [];
    this.#renew();
  }
}

/** Runs handlers one after the other, each whatever became of those before it; throws what was thrown. */
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
