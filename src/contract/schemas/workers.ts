import { z } from 'zod';
import { NAMES } from './names.ts';
import { FIELD_NAMES } from './user-json.ts';

export const nullableText = z.string().nullable();
export const nullableNumber = z.number().nullable();
export const WorkerSchema = z
  .object({
    id: z.int(),
    name: z.string(),
    host: z.string(),
    pid: z.int(),
    version: nullableText,
    state: z.enum(['running', 'draining', 'drained', 'lost', 'stopped']),
    drain: z.object({ requested_at: z.string(), by: z.string(), reason: nullableText }).nullable(),
    namespaces: z.array(z.string()),
    handlers: z.array(z.string()),
    resolvers: z.array(z.string()),
    missing_handlers: z.array(
      z.object({
        namespace: z.string(),
        template: z.string(),
        version: z.string(),
        step: z.string(),
        handler: z.string(),
      }),
    ),
    concurrency: z.int(),
    running: z.int(),
    hung: nullableNumber,
    oldest_step_at: nullableText,
    oldest_step_ms: nullableNumber,
    started_at: z.string(),
    seen_at: nullableText,
    silent_ms: nullableNumber,
    ended_at: nullableText,
    completed: nullableNumber,
    failed: nullableNumber,
    completed_per_second: nullableNumber,
    failed_per_second: nullableNumber,
    loop_lag_ms: nullableNumber,
  })
  .register(NAMES, { id: 'Worker' });

export const WorkerDetailsSchema = WorkerSchema.extend({
  steps: z.array(
    z.object({
      task_uuid: z.uuid(),
      step: z.string(),
      namespace: z.string(),
      template: z.string(),
      version: z.string(),
      handler: z.string(),
      attempt: z.int(),
      started_at: z.string(),
      age_ms: z.number(),
    }),
  ),
}).register(NAMES, { id: 'WorkerDetails' });

export const UnservedSchema = z
  .object({
    handler: z.string(),
    reason: z.enum(['no_worker', 'no_handler', 'draining']),
    steps: z.int(),
    templates: z.array(z.string()),
    since: nullableText,
  })
  .register(NAMES, { id: 'UnservedSteps' });

/** The names of counts that are lower bounds. */
export const atLeast = z
  .array(z.string())
  .meta({ description: 'The names of the counts that are lower bounds, because counting stopped at a limit.' })
  .register(FIELD_NAMES, {});

export const QueueSchema = z
  .object({
    namespace: z.string(),
    ready: z.int(),
    ready_is_exact: z.boolean(),
    paused: z.int(),
    highest_priority: nullableNumber,
    oldest_ready_at: nullableText,
    oldest_ready_ms: nullableNumber,
    running: z.int(),
    in_per_minute: nullableNumber,
    out_per_minute: nullableNumber,
    is_growing: z.boolean().nullable(),
    flow_since: nullableText,
    ready_by_minute: z.array(z.int().nullable()).meta({
      description: 'Ready steps in each minute of the last hour, the oldest first. Null if no process stored it.',
    }),
    retries: z.int(),
    next_retry_at: nullableText,
    next_retry_ms: nullableNumber,
    workers: z.array(z.string()),
    draining: z.array(z.string()),
    slots: z.int(),
    slots_taken: z.int(),
    hung_slots: z.int(),
    lost: z.array(z.string()),
    approvals: z.int(),
    failing_schedules: z.int(),
    stale: z.int(),
    dead_deliveries: z.int(),
    late_timers: z.int(),
    late_schedules: z.int(),
    unserved: z.array(UnservedSchema),
    unserved_steps: z.int(),
    at_least: atLeast,
  })
  .register(NAMES, { id: 'Queue' });

export const ChangedSchema = WorkerDetailsSchema.extend({ changed: z.boolean() }).register(NAMES, {
  id: 'ChangedWorker',
});
export const DrainedSchema = WorkerDetailsSchema.extend({
  changed: z.boolean(),
  left_namespaces: z.array(z.string()).meta({ description: 'Namespaces from which no other live worker takes steps.' }),
}).register(NAMES, { id: 'DrainedWorker' });
