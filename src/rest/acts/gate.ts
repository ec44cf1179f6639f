import type { MiddlewareHandler } from 'hono';
import { TaskerError } from '../../errors.ts';

/** Requests in progress per connection of the pool. At full rate, the last of them waits well under a second. */
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
 * Refuses requests with `BACKPRESSURE` while too many are in progress. They wait for connections of the pool, so that
 * without a limit each further request would make all of them slower. Streams count until their response has begun.
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

/** The content types of bodies, by path. All other paths take JSON. */
const TYPES: Readonly<Record<string, RegExp>> = {
  '/v1/tasks/bulk': /^application\/(x-)?(ndjson|jsonl)$/,
  '/v1/templates': /^(application\/((x-)?yaml|json)|text\/(x-)?(yaml|plain))$/,
  '/v1/templates/validate': /^(application\/((x-)?yaml|json)|text\/(x-)?(yaml|plain))$/,
};
const JSON_TYPE = /^application\/([\w.+-]+\+)?json$/;

/**
 * Refuses a body of another content type. A body that was ignored would leave out what the caller asked for, such as
 * `dry_run`.
 */
export function checkContentType(): MiddlewareHandler {
  return async (c, next) => {
    const type = (c.req.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
    const hasBody = isSent(c.req.header('content-length'), c.req.header('transfer-encoding'), c.req.raw.body, type);
    // Clients that always send a content type may send one without a body.
    if (!hasBody && type !== '') c.req.raw.headers.delete('content-type');
    const accepted = TYPES[c.req.path] ?? JSON_TYPE;
    if (hasBody && !accepted.test(type)) {
      const shown = type === '' ? 'no content type' : `content type ${JSON.stringify(type.slice(0, 100))}`;
      const wanted = c.req.path === '/v1/tasks/bulk' ? 'application/x-ndjson' : 'application/json';
      throw new TaskerError('unsupported_media_type', `the body has ${shown}; send ${wanted}`);
    }
    await next();
  };
}

/** Returns whether a request has a body. Requests of this process, without a socket, have neither of the two headers. */
function isSent(length: string | undefined, encoding: string | undefined, body: unknown, type: string): boolean {
  if (length !== undefined) return length !== '0';
  return encoding !== undefined || (type !== '' && body !== null);
}
