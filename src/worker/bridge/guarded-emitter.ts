import { EventEmitter } from 'node:events';
import { messageOf } from '../../errors.ts';
import { logError } from '../../logging/log.ts';

/**
 * An emitter whose listeners cannot affect each other. If a listener throws or its promise rejects, the error is
 * logged.
 */
export class GuardedEmitter extends EventEmitter {
  readonly #called: string;

  /** `called`: the name of its listeners in the log. */
  constructor(called = 'listener') {
    super();
    this.#called = called;
    this.setMaxListeners(0);
  }

  /** Calls the listeners in the order in which they were added. Returns false if there are none. */
  override emit(name: string, ...args: unknown[]): boolean {
    const listeners = this.rawListeners(name) as ((...all: unknown[]) => unknown)[];
    for (const listener of listeners) {
      try {
        const returned = listener.apply(this, args);
        if (returned instanceof Promise) returned.catch((error: unknown) => this.#failed(name, error));
      } catch (error) {
        this.#failed(name, error);
      }
    }
    return listeners.length > 0;
  }

  /** Treats an undefined name as all events, whereas `EventEmitter` would remove nothing. */
  override removeAllListeners(name?: string | symbol): this {
    return name === undefined ? super.removeAllListeners() : super.removeAllListeners(name);
  }

  #failed(name: string, error: unknown): void {
    logError(`a ${this.#called} of ${name} failed: ${messageOf(error)}`, { error });
  }
}
