import type { Context, MiddlewareHandler } from 'hono';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { addressOf } from './address.ts';
import { RateLimit } from './rate-limit.ts';

/** Maximum number of credentials and addresses that are counted. */
const MOST = 10_000;

/** Limits the wrong credentials of an address, so that guessing does not load the database. */
export function wrongCredentials(limit: { burst: number; perSecond: number }): RateLimit {
  return new RateLimit({ ...limit, most: MOST });
}

/** Limits the requests of a credential, or of an address without one. 0 means unlimited. */
export function limitRequests(perSecond: number): MiddlewareHandler {
  if (perSecond === 0) return (_c, next) => next();
  const limit = new RateLimit({ perSecond, burst: 2 * perSecond, most: MOST });
  return async (c, next) => {
    if (isOpen(c)) return next();
    const { subject, keyId } = callerOf(c);
    const who = keyId ?? subject;
    const wait = limit.take(who === undefined ? `address ${addressOf(c)}` : `credential ${who}`);
    if (wait > 0) tooMany(c, wait, `more than ${perSecond} requests a second`);
    return next();
  };
}

/** Health and metrics are never limited. Otherwise an overloaded server would be restarted. */
function isOpen(c: Context): boolean {
  return /^\/(health(\/.*)?|metrics)$/.test(c.req.path);
}

/** Rejects a request that exceeds the rate. */
export function tooMany(c: Context, waitSeconds: number, what: string): never {
  c.header('retry-after', String(waitSeconds));
  throw new TaskerError('rate_limited', `${what}; try again in ${waitSeconds} s`, {
    details: { retry_after_seconds: waitSeconds },
  });
}
