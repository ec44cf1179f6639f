import { z } from 'zod';
import * as server from './schemas/health.ts';
import { NAMES } from './schemas/names.ts';
import {
  ConfigSchema,
  DetailedSchema,
  EventMetricsSchema,
  HealthSchema,
  LiveSchema,
  ReadySchema,
  TemplateDetailSchema,
  TemplateListSchema,
  TemplateVerdictSchema,
  WorkerMetricsSchema,
} from './schemas/server.ts';
import { userFields } from './schemas/user-json.ts';
import { type Verb, verb } from './verb.ts';

const shared = { tolerant: true, method: 'get', on: 'installation', permission: 'public' } as const;
const metrics = verb({
  ...shared,
  path: '/metrics',
  summary: 'Returns all metrics in the Prometheus text format',
  gives: z.never(),
  otherForms: { 'text/plain': 'The metrics.' },
});
const eventMetrics = verb({
  ...shared,
  path: '/metrics/events',
  summary: 'Counts the domain events of this process, and returns the lag of each group',
  description: 'Names that begin with `rust_` or `ffi_` come from the original system.',
  gives: EventMetricsSchema,
});

export const AuthConfigSchema = z
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
  .register(NAMES, { id: 'AuthConfig' });

/** The pages about the process of `tasker server`: its health, metrics and configuration. */
export const serverProcess = {
  health: verb({ ...shared, path: '/health', summary: 'Whether the process responds', gives: server.HealthSchema }),
  live: verb({
    ...shared,
    path: '/health/live',
    summary: 'Whether the process responds; restart it if it does not',
    gives: server.LiveSchema,
  }),
  ready: verb({
    ...shared,
    path: '/health/ready',
    summary: 'Whether the server can handle requests; a 503 response names the part that prevents it',
    gives: server.ReadySchema,
  }),
  detailed: verb({
    ...shared,
    path: '/health/detailed',
    summary: 'The state of every part; always 200',
    gives: server.DetailedHealthSchema,
    mcp: { name: 'system_health', description: 'Returns the state of every part of the server.' },
  }),
  metrics,
  eventMetrics,
  config: verb({
    ...shared,
    path: '/config',
    permission: 'system:config_read',
    summary: 'Returns the configuration of the server, with secrets hidden',
    gives: z
      .object({
        metadata: z.object({ timestamp: z.string(), environment: z.string(), version: z.string() }),
        auth: AuthConfigSchema,
        circuit_breakers: z.object({
          enabled: z.boolean(),
          failure_threshold: z.int(),
          timeout_seconds: z.int(),
          success_threshold: z.int(),
        }),
        database_pools: z.object({ web_api_pool_size: z.int(), web_api_max_connections: z.int() }),
        deployment_mode: z.string(),
        messaging: z.object({ backend: z.string(), queues: z.array(z.string()) }),
        configuration: userFields('public'),
      })
      .register(NAMES, { id: 'ServerConfig' }),
    mcp: { name: 'system_config', description: 'Returns the effective configuration.' },
  }),
} as const satisfies Record<string, Verb>;

const TemplatePath = z.object({ namespace: z.string(), name: z.string(), version: z.string() });

/** The pages of a worker with `worker.web`: its health, metrics, configuration and templates. */
export const workerProcess = {
  health: verb({ ...shared, path: '/health', summary: 'Whether the process responds', gives: HealthSchema }),
  live: verb({
    ...shared,
    path: '/health/live',
    summary: 'Whether the process responds; restart it if it does not',
    gives: LiveSchema,
  }),
  ready: verb({
    ...shared,
    path: '/health/ready',
    summary: 'Whether the worker runs steps; a 503 response names the part that prevents it',
    gives: ReadySchema,
  }),
  detailed: verb({
    ...shared,
    path: '/health/detailed',
    summary: 'The state of every part; always 200',
    gives: DetailedSchema,
  }),
  metrics,
  eventMetrics,
  metricsJson: verb({
    ...shared,
    path: '/metrics/worker',
    summary: 'Returns all metrics as JSON',
    gives: WorkerMetricsSchema,
  }),
  config: verb({
    ...shared,
    path: '/config',
    summary: 'Returns the configuration of the worker, with secrets hidden',
    gives: ConfigSchema,
  }),
  templates: verb({
    ...shared,
    path: '/v1/templates',
    summary: 'Lists the templates registered in the namespaces of this worker',
    takes: {
      query: z.object({
        namespace: z.string().optional().meta({
          description: 'Lists the templates of this namespace, even if the worker does not serve it.',
        }),
        include_cache_stats: z
          .string()
          .optional()
          .meta({ description: '`true` adds statistics of the template cache.', example: 'true' }),
      }),
    },
    gives: TemplateListSchema,
  }),
  template: verb({
    ...shared,
    path: '/v1/templates/{namespace}/{name}/{version}',
    summary: 'Returns the template that new tasks of this version use',
    takes: { path: TemplatePath },
    gives: TemplateDetailSchema,
    errors: [404],
  }),
  validateTemplate: verb({
    ...shared,
    method: 'post',
    path: '/v1/templates/{namespace}/{name}/{version}/validate',
    summary: 'Checks whether this worker has every handler that the template names',
    takes: { path: TemplatePath },
    gives: TemplateVerdictSchema,
    errors: [404],
  }),
} as const satisfies Record<string, Verb>;
