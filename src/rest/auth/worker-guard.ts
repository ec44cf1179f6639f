import type { Context, MiddlewareHandler } from 'hono';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import type { Permission } from '../../model/permissions.ts';
import type { Caller } from '../caller.ts';
import { Credentials } from './credentials.ts';
import { Refused, refuse } from './refuse.ts';
import type { SecuritySettings } from './settings.ts';

const METRICS = /^\/metrics(\/|$)/;

/** The permission that a request to a worker's port needs. Undefined means any credential. */
function permissionFor({ path }: Context['req']): Permission | undefined {
  if (path === '/config') return 'worker:config_read';
  if (METRICS.test(path)) return 'system:analytics_read';
  if (/\/validate\/?$/.test(path)) return 'templates:validate';
  return path.startsWith('/v1/') ? 'worker:templates_read' : undefined;
}

/**
 * Authenticates requests to the port of a worker, with the keys and tokens that the server accepts. `tasker`: undefined
 * while the worker starts. Sessions are not accepted, because the port has no web page.
 */
export function workerGuard(
  tasker: () => Tasker | undefined,
  { settings, logger }: { settings: SecuritySettings; logger: Logger },
): MiddlewareHandler {
  let credentials: Credentials | undefined;
  return async (c, next) => {
    if (METRICS.test(c.req.path) && !settings.metricsNeedCredential) return next();
    const here = tasker();
    if (!here) throw new TaskerError('not_ready', 'the worker is not running; try again later');
    const sessions = { callerOf: () => Promise.resolve(undefined) };
    credentials ??= new Credentials(here, { settings: settings.auth, sessions, logger });
    const caller = await accepted(c, credentials);
    const permission = permissionFor(c.req);
    if (permission !== undefined && !caller.allows(permission)) {
      refuse(c, 'forbidden', `${c.req.path} needs the permission ${permission}, which ${caller.subject} does not have`);
    }
    if (caller.namespaces !== undefined) {
      refuse(c, 'forbidden', `${c.req.path} shows all namespaces, and ${caller.subject} is limited to some`);
    }
    return next();
  };
}

async function accepted(c: Context, credentials: Credentials): Promise<Caller> {
  try {
    return await credentials.callerOf(c);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return refuse(c, error.reason, error.message);
  }
}
