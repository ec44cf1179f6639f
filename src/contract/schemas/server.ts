import { z } from 'zod';
import { NAMES } from './names.ts';
import { userFields } from './user-json.ts';

/** The codes of errors over HTTP. `docs/errors.md` lists the errors of the library. */
const WIRE_CODES = [
  'BAD_REQUEST',
  'INVALID_UUID',
  'JSON_ERROR',
  'UNAUTHORIZED',
  'AUTHENTICATION_FAILED',
  'FORBIDDEN',
  'NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'TIMEOUT',
  'CONFLICT',
  'STEP_TAKEN_AWAY',
  'WORKER_LOST',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'RATE_LIMITED',
  'INTERNAL_ERROR',
  'DATABASE_ERROR',
  'SERVICE_UNAVAILABLE',
  'BACKPRESSURE',
];

/** The body of every error. */
export const ErrorSchema = z
  .object({
    error: z.object({
      code: z.string().meta({ enum: WIRE_CODES, example: 'NOT_FOUND' }),
      message: z.string(),
      details: userFields('public').optional(),
      retry_after_seconds: z.number().optional(),
    }),
  })
  .register(NAMES, { id: 'Error' });

const CheckSchema = z
  .object({
    status: z.enum(['healthy', 'degraded', 'unhealthy', 'unknown']),
    message: z.string().optional(),
    duration_ms: z.number().int(),
    last_checked: z.iso.datetime(),
  })
  .register(NAMES, { id: 'HealthCheck' });

const shared = { timestamp: z.iso.datetime(), worker_id: z.string() };
const checks = z.record(z.string(), CheckSchema);
const info = z
  .object({
    version: z.string(),
    environment: z.string(),
    operational_state: z.string(),
    uptime_seconds: z.number(),
    worker_type: z.string(),
    database_pool_size: z.number().int(),
    command_processor_active: z.boolean(),
    supported_namespaces: z.array(z.string()),
  })
  .register(NAMES, { id: 'SystemInfo' });

export const HealthSchema = z.object({ ...shared, status: z.literal('healthy') }).register(NAMES, { id: 'Health' });
export const LiveSchema = z.object({ ...shared, status: z.literal('alive') }).register(NAMES, { id: 'Live' });
export const ReadySchema = z
  .object({ ...shared, status: z.literal('ready'), checks, system_info: info })
  .register(NAMES, { id: 'Ready' });
export const DetailedSchema = z
  .object({
    ...shared,
    status: z.enum(['healthy', 'degraded', 'unhealthy']),
    checks,
    system_info: info,
    distributed_cache: z.object({ enabled: z.boolean(), provider: z.string(), healthy: z.boolean() }),
  })
  .register(NAMES, { id: 'DetailedHealth' });

export const TemplateListSchema = z
  .object({
    supported_namespaces: z.array(z.string()),
    template_count: z.number().int(),
    templates: z.array(
      z.object({
        namespace: z.string(),
        name: z.string(),
        version: z.string(),
        description: z.string().nullable(),
        step_count: z.number().int(),
      }),
    ),
    cache_stats: z
      .object({
        total_cached: z.number().int(),
        cache_hits: z.number().int(),
        cache_misses: z.number().int(),
        cache_evictions: z.number().int(),
        oldest_entry_age_seconds: z.number().nullable(),
        average_access_count: z.number(),
        supported_namespaces: z.array(z.string()),
      })
      .optional()
      .meta({ description: 'Statistics of the template cache; only with include_cache_stats=true.' }),
    worker_capabilities: z.array(z.string()),
  })
  .register(NAMES, { id: 'TemplateList' });

export const TemplateDetailSchema = z
  .object({
    template: z.object({
      template: userFields('public'),
      environment: z.string(),
      resolved_at: z.iso.datetime(),
    }),
    handler_metadata: z.object({
      namespace: z.string(),
      name: z.string(),
      version: z.string(),
      handler_class: z.string().meta({ description: 'The handlers that the steps name, separated by commas.' }),
      registered_at: z.iso.datetime(),
    }),
    cached: z.boolean(),
    cache_age_seconds: z.number(),
    access_count: z.number().int(),
  })
  .register(NAMES, { id: 'TemplateDetail' });

export const TemplateVerdictSchema = z
  .object({
    valid: z.boolean(),
    errors: z.array(z.string()),
    required_capabilities: z.array(z.string()),
    step_handlers: z.array(z.string()),
  })
  .register(NAMES, { id: 'TemplateValidation' });

export const WorkerMetricsSchema = z
  .object({
    metrics: z.record(
      z.string(),
      z.object({
        value: z.number(),
        metric_type: z.string(),
        labels: z.record(z.string(), z.string()),
        help: z.string(),
      }),
    ),
    ...shared,
  })
  .register(NAMES, { id: 'WorkerMetrics' });

const count = z.number().int();
export const EventMetricsSchema = z
  .object({
    router: z
      .object({
        total_routed: count,
        durable_routed: count,
        fast_routed: count,
        broadcast_routed: count,
        fast_delivery_errors: count,
        routing_errors: count,
      })
      .meta({ description: 'Events committed with their results, by delivery mode.' }),
    unpublished: z.object({ invalid: count, failed: count, refused: count }).meta({
      description: 'Declared events that were not published: invalid payload, failed publisher, or rejected result.',
    }),
    in_process_bus: z
      .object({
        total_events_dispatched: count,
        dropped: count,
        waiting: count,
        subscriber_count: count,
        rust_handler_dispatches: count,
        rust_handler_errors: count,
        rust_subscriber_patterns: count,
        rust_handler_count: count,
        ffi_channel_dispatches: count,
        ffi_channel_drops: count,
        ffi_subscriber_count: count,
      })
      .meta({ description: 'Fast and broadcast events in this process.' }),
    deliveries: z
      .object({ delivered: count, failed: count, dead: count })
      .meta({ description: 'Deliveries of durable events to the groups of this process.' }),
    groups: z
      .array(
        z.object({
          name: z.string(),
          patterns: z.array(z.string()),
          waiting: count,
          seconds_behind: z.number(),
          retrying: count,
          dead: count,
          members: count,
          members_differ: z.boolean(),
        }),
      )
      .nullable()
      .meta({ description: 'All groups in the database; null while the database does not respond.' }),
    captured_at: z.iso.datetime(),
    worker_id: z.string(),
  })
  .register(NAMES, { id: 'EventMetrics' });

export const ConfigSchema = z
  .object({
    metadata: z.object({ timestamp: z.iso.datetime(), environment: z.string(), version: z.string() }),
    worker_id: z.string(),
    worker_type: z.string(),
    auth: z.object({ enabled: z.boolean() }),
    messaging: z.object({ backend: z.string(), queues: z.array(z.string()) }),
    configuration: userFields('public', { description: 'The effective configuration, with secrets hidden.' }),
  })
  .register(NAMES, { id: 'WorkerConfig' });
