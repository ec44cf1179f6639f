import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Tasker } from '../../app/tasker.ts';
import { type AuthConfigSchema, serverProcess } from '../../contract/process.ts';
import { eventMetricsJson } from '../../server/metrics-routes.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { callerOf } from '../caller.ts';
import { describeRoute } from '../route.ts';
import type { ServerFacts } from './health-routes.ts';

/** The settings that `GET /config` shows. */
export interface ServedConfig {
  /** The authentication of the server. Default: none. `enabled` depends on the request. */
  auth?: Omit<z.infer<typeof AuthConfigSchema>, 'enabled'>;
  /** The effective configuration by the keys of the file, with secrets hidden. */
  configuration(): Record<string, unknown>;
}

const NO_AUTH: z.infer<typeof AuthConfigSchema> = {
  enabled: false,
  verification_method: 'none',
  jwt_issuer: '',
  jwt_audience: '',
  api_key_header: 'X-API-Key',
  api_key_count: 0,
  strict_validation: true,
  allowed_algorithms: [],
};

const CONFIG = describeRoute(serverProcess.config);
const PROMETHEUS = describeRoute(serverProcess.metrics);
const EVENT_METRICS = describeRoute(serverProcess.eventMetrics);

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
