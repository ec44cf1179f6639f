import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { matchedRoutes } from 'hono/route';
import { PERMISSIONS, type Permission } from '../../model/permissions.ts';
import { PAGE_PATHS } from '../web-page.ts';
import type { SecuritySettings } from './settings.ts';

/** The requirements of a route for its callers. */
export interface RouteRule {
  /** Undefined if the route declares no permission. No caller may then use the route. */
  permission: Permission | 'public' | 'authenticated' | undefined;
  /** The route's path, with `:` before parameters. */
  path: string;
  /** Whether the route limits its reads and changes to the namespaces of the caller. */
  scoped: boolean;
}

/** Pages and documents that are not in the OpenAPI document, and need no credential. */
const PUBLIC = /^\/(metrics|api-docs\/.*|v1\/auth\/oidc\/(login|callback))$/;

const METRICS = /^\/metrics(\/events)?$/;

interface DescribedRoute {
  method: string;
  path: string;
  'x-permission'?: unknown;
  'x-scoped'?: unknown;
}

/** The rules of all routes of an app, from their descriptions. */
export class RouteRules {
  readonly #app: OpenAPIHono;
  readonly #metricsNeedCredential: boolean;
  #rules: Map<string, RouteRule> | undefined;

  constructor(
    app: OpenAPIHono,
    { metricsNeedCredential = false }: Pick<SecuritySettings, 'metricsNeedCredential'> = {},
  ) {
    this.#app = app;
    this.#metricsNeedCredential = metricsNeedCredential;
  }

  /** Returns the rule of the route that handles the request. Undefined if no route matches. */
  of(c: Context): RouteRule | undefined {
    const route = matchedRoutes(c).find(({ method }) => method !== 'ALL');
    return route && this.ruleFor(route.method, route.path);
  }

  /** Returns the rule of a route by its method and its path, with `:` before parameters. */
  ruleFor(method: string, path: string): RouteRule {
    this.#rules ??= this.#read();
    const found = this.#rules.get(`${method} ${path}`);
    if (this.#metricsNeedCredential && METRICS.test(path)) {
      return { permission: 'system:analytics_read', path, scoped: false };
    }
    if (found) return found;
    const isPublic = method === 'GET' && (PUBLIC.test(path) || PAGE_PATHS.includes(path));
    return { permission: isPublic ? 'public' : undefined, path, scoped: false };
  }

  #read(): Map<string, RouteRule> {
    const rules = new Map<string, RouteRule>();
    for (const definition of this.#app.openAPIRegistry.definitions) {
      if (definition.type !== 'route') continue;
      const route = definition.route as DescribedRoute;
      const path = route.path.replaceAll(/\/\{(.+?)\}/g, '/:$1');
      const permission = route['x-permission'];
      const known =
        permission === 'public' ||
        permission === 'authenticated' ||
        (PERMISSIONS as readonly unknown[]).includes(permission);
      rules.set(`${route.method.toUpperCase()} ${path}`, {
        permission: known ? (permission as RouteRule['permission']) : undefined,
        path,
        scoped: route['x-scoped'] === true,
      });
    }
    return rules;
  }
}
