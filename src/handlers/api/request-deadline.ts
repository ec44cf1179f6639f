import { invalidRequest } from '../misuse.ts';

/** The conditions that abort a request. */
interface Limits {
  /** 0 means no timeout. */
  timeoutMs: number;
  signals: readonly (AbortSignal | undefined)[];
}

/** The longest timeout of a Node timer. A timer with a longer timeout would fire immediately. */
const LONGEST_MS = 2_147_483_647;

/**
 * Combines a timeout and other signals into one signal. In Node 20, the result of `AbortSignal.any` can be garbage
 * collected while the request still waits for it, and leaks memory with a long-lived signal.
 */
export class RequestDeadline {
  readonly #controller = new AbortController();
  readonly #signals: readonly AbortSignal[];
  #timer: NodeJS.Timeout | undefined;
  readonly signal: AbortSignal = this.#controller.signal;
  /** Whether the timeout fired. */
  timedOut = false;

  constructor({ timeoutMs, signals }: Limits) {
    if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
      throw invalidRequest(
        `the timeout of a request must be a number of milliseconds, 0 for none, not ${String(timeoutMs)}`,
      );
    }
    this.#signals = signals.filter((signal) => signal !== undefined && signal !== null);
    for (const signal of this.#signals) {
      signal.addEventListener('abort', this.#abort);
      if (signal.aborted) this.#controller.abort(signal.reason);
    }
    if (timeoutMs > 0 && timeoutMs <= LONGEST_MS) this.#timer = setTimeout(this.#timeOut, timeoutMs);
  }

  /** Stops the timeout. The other signals still apply. */
  stopClock(): void {
    clearTimeout(this.#timer);
  }

  /** Stops the timeout and removes all listeners, because the request is complete. */
  end(): void {
    this.stopClock();
    for (const signal of this.#signals) signal.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (event: Event): void => {
    this.#controller.abort((event.target as AbortSignal).reason);
  };

  readonly #timeOut = (): void => {
    this.timedOut = true;
    this.#controller.abort(new DOMException('the request timed out', 'TimeoutError'));
  };
}
