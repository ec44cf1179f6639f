import type { Context, MiddlewareHandler } from 'hono';
import { ANYONE, type Caller, STRANGER } from '../caller.ts';
import type { Credentials } from './credentials.ts';
import { Refused, refuse } from './refuse.ts';
import type { RouteRule, RouteRules } from './route-rules.ts';

/**
 * Authenticates every request, and checks the permission of its route. A route without a permission is refused, so that
 * none can be forgotten. An unknown path is only reported as such to a caller with a credential.
 */
export function authenticate(credentials: Credentials, rules: RouteRules): MiddlewareHandler {
  return async (c, next) => {
    const rule = rules.of(c);
    c.set('caller', await callerFor(c, credentials, rule));
    await next();
  };
}

async function callerFor(c: Context, credentials: Credentials, rule: RouteRule | undefined): Promise<Caller> {
  // Does not use the database, because the health pages must answer without it.
  if (rule?.permission === 'public') return credentials.wereRequired ? STRANGER : ANYONE;
  const caller = (await credentials.areRequired()) ? await known(c, credentials) : ANYONE;
  if (rule === undefined) return caller;
  const { permission, path } = rule;
  if (permission === undefined) {
    refuse(c, 'forbidden', `${c.req.method} ${path} declares no permission, so no caller may use it`);
  }
  if (permission !== 'authenticated' && !caller.allows(permission)) {
    refuse(
      c,
      'forbidden',
      `${c.req.method} ${path} needs the permission ${permission}, which ${caller.subject} does not have`,
    );
  }
  return caller;
}

async function known(c: Context, credentials: Credentials): Promise<Caller> {
  try {
    return await credentials.callerOf(c);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return refuse(c, error.reason, error.message);
  }
}
