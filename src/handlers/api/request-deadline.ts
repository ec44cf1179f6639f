import { invalidRequest } from '../misuse.ts';

/** What may end a request early. */
interface Limits {
  /** 0: none. */
  timeoutMs: number;
  signals: readonly (AbortSignal | undefined)[];
}

/** The longest that a timer of Node can wait; a longer one would fire at once. */
const LONGEST_MS = 2_147_483_647;

/**
 * One signal out of a timeout and other signals. `AbortSignal.any` does it too, but in Node 20 it can be collected as
 * garbage while the request still waits for it, and keeps a hold on a signal that lives long.
 */
export class RequestDeadline {
  readonly #controller = new AbortController();
  readonly #signals: readonly AbortSignal[];
  #timer: NodeJS.Timeout | undefined;
  readonly signal: AbortSignal = this.#controller.signal;
  /** Whether it was the timeout that fired. */
  timedOut = false;

  constructor({ timeoutMs, signals }: Limits) {
    if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
      throw invalidRequest(`the timeout of a request must be milliseconds, 0 for none, not ${String(timeoutMs)}`);
    }
    this.#signals = signals.filter((signal) => signal !== undefined && signal !== null);
    for (const signal of this.#signals) {
      signal.addEventListener('abort', this.#abort);
      if (signal.aborted) this.#controller.abort(signal.reason);
    }
    if (timeoutMs > 0 && timeoutMs <= LONGEST_MS) this.#timer = setTimeout(this.#timeOut, timeoutMs);
  }

  /** Ends the timeout; the other signals go on. */
  stopClock(): void {
    clearTimeout(this.#timer);
  }

  /** The request is over: nothing is waited for any more. */
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
