import type { Context, MiddlewareHandler } from 'hono';
import { ANYONE, type Caller, STRANGER } from '../caller.ts';
import type { Credentials } from './credentials.ts';
import { LACKED, Refused, refuse } from './refuse.ts';
import type { RouteRule, RouteRules } from './route-rules.ts';

/**
 * Authenticates every request, and checks the permission of its route. A route without a permission is rejected, so
 * that none can be forgotten. An unknown path is only reported as such to a caller with a credential.
 */
export function authenticate(credentials: Credentials, rules: RouteRules): MiddlewareHandler {
  return async (c, next) => {
    const rule = rules.of(c);
    const caller = await callerFor(c, credentials, rule);
    // Before the permission is checked, so that refused requests are counted by their credential.
    c.set('caller', caller);
    if (rule) checkPermission(c, caller, rule);
    await next();
  };
}

async function callerFor(c: Context, credentials: Credentials, rule: RouteRule | undefined): Promise<Caller> {
  // Does not use the database, because the health routes must work without it.
  if (rule?.permission === 'public') return credentials.wereRequired ? STRANGER : ANYONE;
  return (await credentials.areRequired()) ? known(c, credentials) : ANYONE;
}

function checkPermission(c: Context, caller: Caller, { permission, path }: RouteRule): void {
  if (permission === undefined) {
    refuse(c, 'forbidden', `${c.req.method} ${path} declares no permission, so no caller may use it`);
  }
  if (permission !== 'public' && permission !== 'authenticated' && !caller.allows(permission)) {
    c.set(LACKED, permission);
    refuse(
      c,
      'forbidden',
      `${c.req.method} ${path} needs the permission ${permission}, which ${caller.subject} does not have`,
    );
  }
}

async function known(c: Context, credentials: Credentials): Promise<Caller> {
  try {
    return await credentials.callerOf(c);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return refuse(c, error.reason, error.message);
  }
}
