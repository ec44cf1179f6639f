import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { CSRF_HEADER } from './sessions.ts';
import type { SecuritySettings } from './settings.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'];
/** Headers of requests and responses that pages of other origins may send and read. */
const SENT = ['authorization', 'content-type', 'idempotency-key', 'if-none-match', 'last-event-id', CSRF_HEADER];
const READ = ['etag', 'retry-after', 'x-auth-failure-reason', 'x-request-id'];
const PREFLIGHT_SECONDS = 600;

/**
 * Lets web pages of the configured origins read responses. If none are configured, no page of another origin can. Such
 * pages send a key or a token. Sessions are only for pages of this server.
 */
export function crossOrigin({ corsOrigins, auth }: SecuritySettings): MiddlewareHandler {
  if (corsOrigins.length === 0) return (_c, next) => next();
  return cors({
    origin: [...corsOrigins],
    allowMethods: METHODS,
    allowHeaders: [auth.keyHeader, ...SENT],
    exposeHeaders: READ,
    maxAge: PREFLIGHT_SECONDS,
  });
}
