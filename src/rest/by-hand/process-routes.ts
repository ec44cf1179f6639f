import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Tasker } from '../../app/tasker.ts';
import { EventMetricsSchema } from '../../contract/schemas/server.ts';
import { eventMetricsJson } from '../../server/metrics-routes.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { callerOf } from '../caller.ts';
import { describeRoute } from '../route.ts';
import type { ServerFacts } from './health-routes.ts';

/** The settings that `GET /config` shows. */
export interface ServedConfig {
  /** The authentication of the server. Default: none. `enabled` depends on the request. */
  auth?: Omit<z.infer<typeof AuthSchema>, 'enabled'>;
  /** The effective configuration by the keys of the file, with secrets hidden. */
  configuration(): Record<string, unknown>;
}

const AuthSchema = z
  .object({
    enabled: z.boolean(),
    verification_method: z.string(),
    jwt_issuer: z.string(),
    jwt_audience: z.string(),
    api_key_header: z.string(),
    api_key_count: z.int(),
    strict_validation: z.boolean(),
    allowed_algorithms: z.array(z.string()),
  })
  .openapi('AuthConfig');

const NO_AUTH: z.infer<typeof AuthSchema> = {
  enabled: false,
  verification_method: 'none',
  jwt_issuer: '',
  jwt_audience: '',
  api_key_header: 'X-API-Key',
  api_key_count: 0,
  strict_validation: true,
  allowed_algorithms: [],
};

const CONFIG = describeRoute({
  method: 'get',
  tolerant: true,
  path: '/config',
  on: 'installation',
  permission: 'system:config_read',
  summary: 'Returns the configuration of the server, with secrets hidden',
  gives: z
    .object({
      metadata: z.object({ timestamp: z.string(), environment: z.string(), version: z.string() }),
      auth: AuthSchema,
      circuit_breakers: z.object({
        enabled: z.boolean(),
        failure_threshold: z.int(),
        timeout_seconds: z.int(),
        success_threshold: z.int(),
      }),
      database_pools: z.object({ web_api_pool_size: z.int(), web_api_max_connections: z.int() }),
      deployment_mode: z.string(),
      messaging: z.object({ backend: z.string(), queues: z.array(z.string()) }),
      configuration: z.record(z.string(), z.unknown()),
    })
    .openapi('ServerConfig'),
});
const PROMETHEUS = describeRoute({
  method: 'get',
  tolerant: true,
  path: '/metrics',
  on: 'installation',
  permission: 'public',
  summary: 'Returns all metrics in the Prometheus text format',
  gives: z.never(),
  otherForms: { 'text/plain': 'The metrics.' },
});
const EVENT_METRICS = describeRoute({
  method: 'get',
  tolerant: true,
  path: '/metrics/events',
  on: 'installation',
  permission: 'public',
  summary: 'Counts the domain events of this process, and returns the lag of each group',
  description: 'Names that begin with `rust_` or `ffi_` come from the original system.',
  gives: EventMetricsSchema,
});

/** A request for the positions of groups waits this long for the database. */
const GROUPS_MS = 2_000;

/** Routes for the metrics of the process, and its configuration if it is shown. */
export function processRoutes(tasker: Tasker, facts: ServerFacts, config: ServedConfig | undefined): OpenAPIHono {
  const app = new OpenAPIHono();
  if (config) app.route('/', configRoute(tasker, facts, config));
  return app
    .openapi(PROMETHEUS, async (c) => {
      const { metrics } = tasker;
      return c.text(await metrics.text(), 200, { 'content-type': metrics.contentType }) as never;
    })
    .openapi(EVENT_METRICS, async (c) => {
      let groups: Awaited<ReturnType<Tasker['events']['groups']>> | null = null;
      const reading = tasker.events.groups().then(
        (found) => {
          groups = found;
        },
        () => undefined,
      );
      const [values] = await Promise.all([tasker.metrics.json(), waitAtMost(GROUPS_MS, reading)]);
      const listeners = tasker.eventBus.listeners;
      return c.json(eventMetricsJson({ values, groups, listeners, workerId: `server ${process.pid}` }), 200);
    });
}

function configRoute(tasker: Tasker, facts: ServerFacts, { auth, configuration }: ServedConfig): OpenAPIHono {
  return new OpenAPIHono().openapi(CONFIG, (c) => {
    const { poolSize } = tasker.vitals;
    return c.json(
      {
        metadata: { timestamp: new Date().toISOString(), environment: facts.environment, version: facts.version },
        auth: { ...NO_AUTH, ...auth, enabled: callerOf(c).permissions !== undefined },
        // The server has no circuit breakers: a request fails immediately while the database is unreachable, and
        // succeeds when it is back.
        circuit_breakers: { enabled: false, failure_threshold: 0, timeout_seconds: 0, success_threshold: 0 },
        database_pools: { web_api_pool_size: poolSize, web_api_max_connections: poolSize },
        deployment_mode: 'hybrid',
        messaging: { backend: 'postgresql', queues: [] },
        configuration: configuration(),
      },
      200,
    );
  });
}
