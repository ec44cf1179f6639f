import type { MiddlewareHandler } from 'hono';
import { TaskerError } from '../../errors.ts';

/** Requests in progress per connection of the pool. At full load, the last of them waits well under a second. */
const REQUESTS_PER_CONNECTION = 50;
const RETRY_AFTER_SECONDS = 1;

/** Options of {@link limitRequests}. */
export interface GateOptions {
  /** Maximum number of connections to the database. */
  poolSize: number;
  /** Maximum number of requests in progress. Default: 50 for each connection of the pool. */
  mostRequests?: number | undefined;
}

/**
 * Refuses requests with `BACKPRESSURE` while too many are in progress. Requests wait for connections of the pool.
 * Without a limit, each additional request would slow down all others. A stream counts until its response begins.
 */
export function limitRequests({
  poolSize,
  mostRequests = poolSize * REQUESTS_PER_CONNECTION,
}: GateOptions): MiddlewareHandler {
  let open = 0;
  return async (_, next) => {
    if (open >= mostRequests) {
      throw new TaskerError('backpressure', `${open} requests are in progress; try again in a second`, {
        details: { retry_after_seconds: RETRY_AFTER_SECONDS },
      });
    }
    open++;
    try {
      await next();
    } finally {
      open--;
    }
  };
}
