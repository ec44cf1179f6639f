import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { Tasker } from '../../app/tasker.ts';
import type { Logger } from '../../logging/logger.ts';
import { authenticate } from './authenticate.ts';
import { countRefusals } from './count-refusals.ts';
import { Credentials } from './credentials.ts';
import { crossOrigin } from './cross-origin.ts';
import { securityHeaders } from './headers.ts';
import { limitRequests, wrongCredentials } from './limits.ts';
import { OidcLogin } from './oidc/oidc-login.ts';
import { onlyOwnPages } from './origins.ts';
import type { RateLimit } from './rate-limit.ts';
import { RouteRules } from './route-rules.ts';
import { limitToNamespaces } from './scope.ts';
import { Sessions } from './sessions.ts';
import { LOCAL_SECURITY, type SecuritySettings } from './settings.ts';

/** The parts of {@link securityOf}. */
export interface SecurityParts {
  app: OpenAPIHono;
  tasker: Tasker;
  logger: Logger;
  settings: SecuritySettings | undefined;
}

/** The middleware of a server's security, in the order in which they run. */
export interface Guards {
  /** Counts requests for the metrics. */
  counting: MiddlewareHandler;
  headers: MiddlewareHandler;
  crossOrigin: MiddlewareHandler;
  origins: MiddlewareHandler;
  authentication: MiddlewareHandler;
  /** Limits callers to their namespaces. */
  scope: MiddlewareHandler;
  /** Limits the requests of each credential. */
  limits: MiddlewareHandler;
  sessions: Sessions;
  /** If undefined, login with an identity provider is disabled. */
  oidc: OidcLogin | undefined;
  /** Limits the failed logins of an address. */
  wrong: RateLimit;
}

/** Returns the middleware that protects an app, and describes the credentials in its OpenAPI document. */
export function securityOf({ app, tasker, logger, settings = LOCAL_SECURITY }: SecurityParts): Guards {
  const { keyHeader } = settings.auth;
  const sessions = new Sessions(tasker, settings);
  const credentials = new Credentials(tasker, { settings: settings.auth, sessions, logger });
  const registry = app.openAPIRegistry;
  registry.registerComponent('securitySchemes', 'ApiKey', { type: 'apiKey', in: 'header', name: keyHeader });
  registry.registerComponent('securitySchemes', 'Bearer', { type: 'http', scheme: 'bearer' });
  registry.registerComponent('securitySchemes', 'Session', { type: 'apiKey', in: 'cookie', name: 'tasker_session' });
  const rules = new RouteRules(app, settings);
  return {
    counting: countRefusals(tasker, rules),
    headers: securityHeaders(settings),
    crossOrigin: crossOrigin(settings),
    origins: onlyOwnPages(settings, credentials),
    authentication: authenticate(credentials, rules),
    scope: limitToNamespaces(tasker, rules),
    limits: limitRequests(settings.requestsPerSecond),
    sessions,
    oidc: settings.auth.oidc && new OidcLogin(settings.auth.oidc, logger),
    wrong: wrongCredentials(settings.auth.wrong),
  };
}
