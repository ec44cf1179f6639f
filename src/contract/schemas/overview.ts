import { z } from 'zod';
import { NAMES } from './names.ts';
import { orNull } from './or-null.ts';
import { PauseSchema } from './task-details.ts';
import { conditions } from './user-json.ts';
import { atLeast, UnservedSchema } from './workers.ts';

const count = z.int();
const nullableText = z.string().nullable();
const nullableNumber = z.number().nullable();
const StateCounts = z
  .record(z.string(), count)
  .meta({ description: 'Numbers of tasks by state, without zeros.' })
  .register(NAMES, { id: 'StateCounts' });

export const PruneSchema = z
  .object({
    id: count,
    by_policy: z.boolean(),
    deleted: count,
    started_at: z.string(),
    ended_at: nullableText,
    is_running: z.boolean(),
  })
  .register(NAMES, { id: 'Prune' });

export const RetentionRuleSchema = z
  .object({
    status: z.union([z.string(), z.array(z.string())]).optional(),
    namespace: z.string().optional(),
    name: z.string().optional(),
    template_version: z.string().optional(),
    keep_ms: z.number(),
  })
  .register(NAMES, { id: 'RetentionRule' });

export const StatusSchema = z
  .object({
    at: z.string(),
    workers: z.object({
      alive: count,
      lost: count,
      slots: count,
      slots_used: count,
      hung_slots: count,
      at_least: atLeast,
    }),
    queues: z.array(
      z.object({
        namespace: z.string(),
        ready: count,
        oldest_at: nullableText,
        running: count,
        workers: count,
        unserved: count,
        at_least: atLeast,
      }),
    ),
    open: StateCounts,
    open_at_least: z.array(z.string()).meta({ description: 'The states in `open` whose counts are lower bounds.' }),
    waits: z.array(z.object({ kind: z.string(), count, count_is_exact: z.boolean(), oldest_since: z.string() })),
    attention: z
      .object({
        blocked: count,
        stale: count,
        unserved: count,
        dead_letters: count,
        dead_deliveries: count,
        late_timers: count,
        late_schedules: count,
        approvals: count,
        failing_schedules: count,
        no_worker: z.boolean(),
        at_least: atLeast,
      })
      .meta({ description: 'Counts of problems that need a person.' }),
    pauses: z.array(PauseSchema),
    unserved: z.array(UnservedSchema.extend({ namespace: z.string() })),
    unserved_handlers: z
      .array(z.object({ namespace: z.string(), handler: z.string(), since: nullableText, steps: count }))
      .meta({
        description: 'Handlers that no live worker of their namespace has, and the steps that wait for them.',
      }),
    per_minute: z.object({
      created: z.number(),
      ended: z.number(),
      attempts: z.number(),
      failures: z.number(),
      estimated: z.boolean(),
    }),
    prune: orNull(PruneSchema),
    lag_ms: z.number(),
  })
  .register(NAMES, { id: 'Status' });

const groupFilter = conditions({
  description: 'Parameters of `GET /v1/tasks` that find the tasks of the group.',
});
const groupsOf = <Group extends z.ZodType>(one: Group) =>
  z.object({
    steps: count,
    groups: z.array(one),
    more_groups: count,
    timed_out: z.boolean().meta({ description: 'Grouping took too long; the group is missing.' }),
  });
const FailureGroup = z
  .object({
    namespace: z.string(),
    name: z.string(),
    version: z.string(),
    step: z.string(),
    handler: z.string(),
    count,
    filter: groupFilter,
    error_type: nullableText,
    pattern: nullableText,
    error: nullableText,
    task_uuid: z.uuid(),
    first_at: z.string(),
    last_at: z.string(),
  })
  .register(NAMES, { id: 'FailureGroup' });

const UnservedGroup = z
  .object({
    namespace: z.string(),
    reason: z.enum(['no_worker', 'no_handler']),
    handlers: z.array(z.string()),
    templates: z.array(z.string()),
    count,
    first_at: nullableText,
    filter: groupFilter,
  })
  .register(NAMES, { id: 'UnservedGroup' });

export const SummarySchema = z
  .object({
    filter: conditions(),
    templates: z.array(z.object({ namespace: z.string(), name: z.string(), version: z.string(), counts: StateCounts })),
    states: StateCounts,
    open_since: nullableText,
    ended_since: nullableText,
    failed: groupsOf(FailureGroup),
    waiting_for_retry: groupsOf(FailureGroup),
    unserved: groupsOf(UnservedGroup),
    lag_ms: z.number(),
  })
  .register(NAMES, { id: 'Summary' });

const Durations = z
  .object({
    count,
    total_ms: z.number(),
    average_ms: nullableNumber,
    min_ms: nullableNumber,
    max_ms: nullableNumber,
    p50_ms: nullableNumber,
    p95_ms: nullableNumber,
    p99_ms: nullableNumber,
  })
  .register(NAMES, { id: 'Durations' });
const TaskNumbers = z
  .object({
    ended: count,
    completed: count,
    failed: count,
    cancelled: count,
    resolved_manually: count,
    completion_rate: nullableNumber,
    error_rate: nullableNumber,
    ended_per_hour: z.number(),
    duration: Durations,
    slowest_task_uuid: nullableText,
    last_ended_at: nullableText,
  })
  .register(NAMES, { id: 'TaskNumbers' });
const stepNumbers = {
  attempts: count,
  completed: count,
  failed: count,
  lost: count,
  cancelled: count,
  released: count,
  retried: count,
  gave_up: count,
  success_rate: nullableNumber,
  error_rate: nullableNumber,
  attempts_per_hour: z.number(),
  still_running: count,
  duration: Durations,
  queueing: Durations,
  slowest_task_uuid: nullableText,
  last_ended_at: nullableText,
};
const StepNumbers = z.object(stepNumbers).register(NAMES, { id: 'StepNumbers' });
const OpenTasks = z
  .object({
    total: count,
    total_is_exact: z.boolean(),
    blocked: count,
    waiting_for_retry: count,
    waiting: count,
  })
  .register(NAMES, { id: 'OpenTasks' });

export const StatsSchema = z
  .object({
    from: z.string(),
    to: z.string(),
    counted_since: z.string(),
    counted_until: z.string(),
    percentile_error: z.number(),
    tasks: TaskNumbers,
    steps: StepNumbers,
    open: orNull(OpenTasks),
    templates: z.array(
      z.object({
        namespace: z.string(),
        name: z.string(),
        version: z.string(),
        tasks: TaskNumbers,
        steps: StepNumbers,
        average_step_count: nullableNumber,
        open: orNull(OpenTasks),
      }),
    ),
    more_templates: count,
    slow_steps: z.array(
      z.object({
        namespace: z.string(),
        name: z.string(),
        version: z.string(),
        step: z.string(),
        handler: z.string(),
        share_of_time: nullableNumber,
        ...stepNumbers,
      }),
    ),
    more_steps: count,
    timeline: z.array(
      z.object({
        at: z.string(),
        tasks_completed: count,
        tasks_not_completed: count,
        attempts_completed: count,
        attempts_failed: count,
      }),
    ),
    timeline_minutes: z.number(),
    recommendations: z.array(z.string()),
  })
  .register(NAMES, { id: 'Statistics' });
