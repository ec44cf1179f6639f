import type { Context, MiddlewareHandler } from 'hono';
import { TaskerError } from '../errors.ts';
import { callerOf, STRANGER } from './caller.ts';

/** Requests in progress per connection of the pool. At full load, the last request waits well under a second. */
const REQUESTS_PER_CONNECTION = 50;
/** With fewer requests per connection, the server is not busy, and accepts all requests. */
const BUSY_PER_CONNECTION = 2;
/** A busy server accepts as many requests as it recently completed in this time. */
const LONGEST_WAIT_MS = 2_000;
/** A request that waited longer than this before it was handled is rejected, because the server cannot keep up. */
const LONGEST_QUEUED_MS = 500;
const WINDOW_MS = 1_000;
const RETRY_AFTER_SECONDS = 1;
/** Paths of claims, which wait for steps without using a connection. Idle workers must not block other requests. */
const WAITING_PATH = '/v1/steps/claim';
const MOST_WAITING = 5_000;
/** Requests without a credential may make up one in this many of the requests in progress. */
const SHARE_OF_STRANGERS = 4;

/** Options of {@link limitRequests}. */
export interface GateOptions {
  /** Maximum number of connections to the database. */
  poolSize: number;
  /** Maximum number of requests in progress. Default: 50 for each connection of the pool. */
  mostRequests?: number | undefined;
}

/** Counts the requests in progress, and measures the rate of responses while many requests wait. */
export class Gate {
  readonly #most: number;
  readonly #busyFrom: number;
  #open = 0;
  /** The time since which responses are counted. Undefined while the server is not busy. */
  #since: number | undefined;
  #answered = 0;
  /** Responses per millisecond in the last complete window. Undefined if the server has not been busy for that long. */
  #rate: number | undefined;

  constructor({ poolSize, mostRequests = poolSize * REQUESTS_PER_CONNECTION }: GateOptions) {
    this.#most = mostRequests;
    this.#busyFrom = Math.min(poolSize * BUSY_PER_CONNECTION, mostRequests);
  }

  get open(): number {
    return this.#open;
  }

  /** Counts a request, unless there are too many. Returns whether it was counted. */
  enter(now: number = performance.now()): boolean {
    if (this.#open >= this.limitAt(now)) return false;
    this.#open++;
    if (this.#open >= this.#busyFrom) this.#since ??= now;
    return true;
  }

  /** Ends a request that was counted. */
  leave(now: number = performance.now()): void {
    this.#open--;
    this.#answered++;
    if (this.#open >= this.#busyFrom) {
      this.#measure(now);
      return;
    }
    this.#since = undefined;
    this.#rate = undefined;
    this.#answered = 0;
  }

  /** Maximum number of requests in progress. */
  limitAt(now: number = performance.now()): number {
    this.#measure(now);
    if (this.#rate === undefined) return this.#most;
    return Math.min(this.#most, Math.max(this.#busyFrom, Math.ceil(this.#rate * LONGEST_WAIT_MS)));
  }

  #measure(now: number): void {
    if (this.#since === undefined || now - this.#since < WINDOW_MS) return;
    this.#rate = this.#answered / (now - this.#since);
    this.#since = now;
    this.#answered = 0;
  }
}

const LEAVING = new WeakMap<Context, () => void>();

/** Stops counting a request that only waits from now on, such as a stream before it begins. */
export function onlyWaits(c: Context): void {
  LEAVING.get(c)?.();
}

/** Rejects requests with `BACKPRESSURE` that have waited for so long that the server cannot keep up. */
export const rejectLate: MiddlewareHandler = (c, next) => {
  const { waitedMs = 0 } = (c.env ?? {}) as { waitedMs?: number };
  if (waitedMs > LONGEST_QUEUED_MS) throw tooBusy(`the request has waited ${Math.round(waitedMs)} ms for its turn`);
  return next();
};

/**
 * Rejects requests with `BACKPRESSURE` while too many are in progress. Requests wait for connections of the pool.
 * Without a limit, each additional request would slow down all others. Runs after authentication and once the body is
 * there, so that a client that sends nothing is not counted. Callers without a credential, on public routes, have their
 * own share.
 */
export function limitRequests(options: GateOptions): MiddlewareHandler {
  const gate = new Gate(options);
  let waiting = 0;
  let strangers = 0;
  return async (c, next) => {
    if (c.req.path === WAITING_PATH) {
      if (waiting >= MOST_WAITING) throw tooBusy(inProgress(waiting));
      waiting++;
      try {
        await next();
      } finally {
        waiting--;
      }
      return;
    }
    const isStranger = callerOf(c) === STRANGER;
    if (isStranger && strangers >= Math.max(1, gate.limitAt() / SHARE_OF_STRANGERS)) {
      throw tooBusy(`${strangers} requests without a credential are in progress`);
    }
    if (!gate.enter()) throw tooBusy(inProgress(gate.open));
    if (isStranger) strangers++;
    let isCounted = true;
    const leave = () => {
      if (!isCounted) return;
      isCounted = false;
      gate.leave();
      if (isStranger) strangers--;
    };
    LEAVING.set(c, leave);
    try {
      await next();
    } finally {
      leave();
    }
  };
}

const inProgress = (open: number) => `${open} requests are in progress`;

function tooBusy(why: string): TaskerError {
  return new TaskerError('backpressure', `${why}; try again in a second`, {
    details: { retry_after_seconds: RETRY_AFTER_SECONDS },
  });
}
