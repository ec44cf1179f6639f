import type { MiddlewareHandler } from 'hono';
import { TaskerError } from '../../errors.ts';
import { isLoopback } from '../../server/bind-address.ts';
import type { Credentials } from './credentials.ts';
import type { SecuritySettings } from './settings.ts';

/** Paths that monitoring reads under any host name. */
const OPEN = /^\/(health(\/.*)?|metrics)$/;

/**
 * Rejects requests from web pages of other origins. Without authentication, it also rejects requests under a foreign
 * host name. Such a request can reach this machine, because a web page can make its own host name resolve to 127.0.0.1.
 */
export function onlyOwnPages(
  { exposed, corsOrigins }: SecuritySettings,
  credentials: Pick<Credentials, 'areRequired'>,
): MiddlewareHandler {
  return async (c, next) => {
    if (OPEN.test(c.req.path)) return next();
    const { hostname, host } = new URL(c.req.url);
    if (!exposed && !isLoopback(hostname) && !(await credentials.areRequired())) {
      throw new TaskerError(
        'forbidden',
        `${c.req.path} was requested from host ${hostname}; use localhost or 127.0.0.1`,
      );
    }
    const origin = c.req.header('origin');
    if (origin === undefined || corsOrigins.includes(origin)) return next();
    const from = URL.canParse(origin) ? new URL(origin) : undefined;
    if (from?.host !== host && (exposed || from === undefined || !isLoopback(from.hostname))) {
      throw new TaskerError(
        'forbidden',
        `requests from web pages of ${origin} are rejected; orchestration.web.cors.allowed_origins lists the origins that may send them`,
      );
    }
    return next();
  };
}
