import type { MiddlewareHandler } from 'hono';
import type { Tasker } from '../../app/tasker.ts';
import { callerOf } from '../caller.ts';
import { LACKED, REASON_HEADER } from './refuse.ts';
import type { RouteRules } from './route-rules.ts';

/** Counts requests by kind of credential, and rejected requests by their reason, for the metrics. */
export function countRefusals(tasker: Tasker, rules: RouteRules): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const { status, headers } = c.res;
    const reason = headers.get(REASON_HEADER);
    const lacked = c.get(LACKED) as string | undefined;
    if (rules.of(c)?.permission !== 'public')
      tasker.instruments.authRequests.of(callerOf(c).credential ?? 'none').add();
    if (reason !== null) tasker.instruments.authFailures.of(reason).add();
    if (lacked !== undefined) tasker.instruments.permissionDenials.of(lacked).add();
    if (status === 429) tasker.instruments.requestsRejected.of('rate_limited').add();
    else if (status === 503 && headers.has('retry-after')) tasker.instruments.requestsRejected.of('overloaded').add();
  };
}
