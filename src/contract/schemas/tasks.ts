import { z } from 'zod';
import { DEAD_LETTER_REASONS, DEAD_LETTER_STATUSES } from '../../model/dead-letter.ts';
import { durationMs } from '../../model/duration.ts';
import { NAMES } from './names.ts';
import { orNull } from './or-null.ts';
import { stepState } from './states.ts';
import {
  Elements,
  EventProblems,
  OpenWaitSchema,
  output,
  PauseSchema,
  StaleSchema,
  StepResultsSchema,
  taskHead,
} from './task-details.ts';
import { givenFields, userFields, userJson } from './user-json.ts';

/** The JSON of tasks and steps, as clients of the earlier system read it. */

const nullableTime = z.string().nullable();
const label = z.string().max(128);

export const TaskRequestSchema = z
  .object({
    name: z.string().min(1),
    namespace: z.string().min(1),
    version: z.string().min(1).optional().meta({ description: 'Default: the active version of the template.' }),
    context: givenFields('context'),
    initiator: label,
    source_system: label,
    reason: label,
    tags: z.array(z.string().max(128)).max(1000).optional(),
    priority: z.int().min(-100).max(100).nullish(),
    correlation_id: z.uuid().nullish(),
    parent_correlation_id: z.uuid().nullish(),
    idempotency_key: z.string().min(1).max(1000).nullish(),
    start_at: z
      .string()
      .max(100)
      .nullish()
      .meta({ description: 'The start time of the task: ISO 8601 with a zone. Default: now.' }),
    start_in: z
      .string()
      .max(100)
      .refine((text) => durationMs(text) !== undefined, { error: 'must be a duration, such as 90s, 15m, 2h or 7d' })
      .nullish()
      .meta({ description: 'Instead of `start_at`: a duration from now, such as `2h`.' }),
    requested_at: z.string().nullish().meta({ description: 'Accepted, and ignored.' }),
    options: userJson('public', { description: 'Accepted, and ignored.' }).optional(),
  })
  .register(NAMES, { id: 'TaskRequest' });

const StepReadinessSchema = z
  .object({
    workflow_step_uuid: z.uuid(),
    task_uuid: z.uuid(),
    named_step_uuid: z.uuid(),
    name: z.string(),
    current_state: stepState,
    dependencies_satisfied: z.boolean(),
    retry_eligible: z.boolean(),
    ready_for_execution: z.boolean(),
    last_failure_at: nullableTime,
    next_retry_at: nullableTime,
    total_parents: z.int(),
    completed_parents: z.int(),
    attempts: z.int(),
    max_attempts: z.int(),
    backoff_request_seconds: z.int().nullable(),
    last_attempted_at: nullableTime,
  })
  .register(NAMES, { id: 'StepReadiness' });

const counts = {
  total_steps: z.int(),
  pending_steps: z.int(),
  in_progress_steps: z.int(),
  completed_steps: z.int(),
  failed_steps: z.int(),
};
const health = {
  execution_status: z.enum([
    'blocked_by_failures',
    'has_ready_steps',
    'processing',
    'all_complete',
    'waiting_for_dependencies',
  ]),
  recommended_action: z.string(),
  completion_percentage: z.number(),
  health_status: z.enum(['healthy', 'blocked']),
};

export const TaskResponseSchema = z
  .object({
    ...taskHead,
    completed_at: nullableTime,
    context: userFields('context'),
    ...output,
    initiator: z.string(),
    source_system: z.string(),
    reason: z.string(),
    priority: z.int(),
    tags: z.array(z.string()),
    correlation_id: z.uuid(),
    parent_correlation_id: z.uuid().nullable(),
    ...counts,
    ready_steps: z.int(),
    ...health,
    steps: z.array(StepReadinessSchema),
    waiting_steps: z.int(),
    skipped_steps: z.int(),
    handled_failures: z.int(),
    starts_at: nullableTime.meta({
      description: 'The start time of the task. Null if the task is not waiting for its start.',
    }),
    reruns: z.int(),
    rerun_at: nullableTime,
    copy_of: z.uuid().nullable(),
    created_with: z.string().nullable().meta({
      description:
        'The credential that created the task over HTTP. Null if a program created the task in the database.',
    }),
    stale: orNull(StaleSchema).meta({ description: 'The limit of its lifecycle that the task exceeds.' }),
    paused: z.array(PauseSchema).nullable().meta({ description: 'The pauses that apply to the task.' }),
  })
  .register(NAMES, { id: 'TaskResponse' });

const ListedTaskSchema = TaskResponseSchema.extend({
  first_error: z
    .object({ step: z.string(), error_type: z.string().nullable(), message: z.string().nullable() })
    .nullable()
    .meta({ description: 'The error of the first failed step of the task.' }),
}).register(NAMES, { id: 'ListedTask' });

export const CreatedTaskSchema = TaskResponseSchema.extend({
  created: z.boolean().meta({ description: 'False if the task existed.' }),
  outcome: z.enum(['created', 'returned', 'replaced']).meta({
    description: 'replaced: it is a new task, for which the open task of its key was cancelled. returned: it existed.',
  }),
  rule: z.enum(['identity', 'unique']).nullable().meta({
    description: 'The rule that returned or replaced a task. Null if neither did.',
  }),
  replaced_task_uuid: z.uuid().nullable().meta({ description: 'The task that was cancelled for this one.' }),
}).register(NAMES, { id: 'CreatedTask' });

export const TaskListSchema = z
  .object({
    tasks: z.array(ListedTaskSchema),
    pagination: z
      .object({
        page: z.int(),
        per_page: z.int(),
        total_count: z.int(),
        total_pages: z.int(),
        has_next: z.boolean(),
        has_previous: z.boolean(),
        next_cursor: z.string().nullable().meta({ description: 'Pass it as `cursor` for the next page.' }),
        previous_cursor: z.string().nullable(),
        total_is_exact: z.boolean().meta({
          description: 'False if `total_count` and `total_pages` are lower bounds. At most 10,000 tasks are counted.',
        }),
        timed_out: z.boolean().meta({ description: 'The search stopped after 2 seconds; the next page continues.' }),
        lag_ms: z.int().meta({ description: 'Changes younger than this may be missing.' }),
      })
      .register(NAMES, { id: 'Pagination' }),
  })
  .register(NAMES, { id: 'TaskListResponse' });

export const StepResponseSchema = z
  .object({
    step_uuid: z.uuid(),
    task_uuid: z.uuid(),
    name: z.string(),
    created_at: z.string(),
    updated_at: z.string(),
    completed_at: nullableTime,
    results: orNull(StepResultsSchema),
    current_state: stepState,
    dependencies_satisfied: z.boolean(),
    retry_eligible: z.boolean(),
    ready_for_execution: z.boolean(),
    total_parents: z.int(),
    completed_parents: z.int(),
    attempts: z.int(),
    max_attempts: z.int(),
    last_failure_at: nullableTime,
    next_retry_at: nullableTime,
    last_attempted_at: nullableTime,
    template_step_name: z.string().meta({ description: 'Differs from `name` for batch workers.' }),
    handler: z.string(),
    worker: z.string().nullable().meta({ description: 'The worker that runs the step, or ran it last.' }),
    wait: OpenWaitSchema.meta({ description: 'Null unless the step is in `waiting`.' }),
    ...Elements,
    rerun: z.int().meta({
      description: 'The number of the rerun that the current run of the step belongs to. 0 is the first run.',
    }),
    event_problems: EventProblems,
  })
  .register(NAMES, { id: 'StepResponse' });

const reason = z.string().min(1).max(4000).nullish();
const person = z.string().min(1).max(200);

export const StepActionSchema = z
  .discriminatedUnion('action_type', [
    z.object({ action_type: z.literal('reset_for_retry'), reason, reset_by: person }),
    z.object({
      action_type: z.literal('resolve_manually'),
      reason,
      resolved_by: person,
      result: userJson('result').optional(),
    }),
    z.object({
      action_type: z.literal('complete_manually'),
      reason,
      completed_by: person,
      completion_data: z.object({ result: userJson('result'), metadata: givenFields('public').nullish() }),
    }),
  ])
  .register(NAMES, { id: 'StepManualAction' });

export const StepAuditSchema = z
  .object({
    audit_uuid: z.uuid(),
    workflow_step_uuid: z.uuid(),
    transition_uuid: z.uuid(),
    task_uuid: z.uuid(),
    recorded_at: z.string(),
    worker_uuid: z.uuid().optional(),
    correlation_id: z.uuid().optional(),
    success: z.boolean(),
    execution_time_ms: z.int().optional(),
    result: userJson('result').optional(),
    step_name: z.string(),
    from_state: stepState.optional(),
    to_state: stepState,
  })
  .register(NAMES, { id: 'StepAuditResponse' });

export const TaskSummarySchema = z
  .object({
    task: z.object({
      ...taskHead,
      completed_at: nullableTime,
      initiator: z.string(),
      source_system: z.string(),
      reason: z.string(),
      correlation_id: z.uuid(),
      ...counts,
      ...health,
    }),
    template: z.object({
      steps: z.array(
        z.object({
          name: z.string(),
          step_type: z.string(),
          handler: z.string(),
          dependencies: z.array(z.string()),
          retryable: z.boolean(),
          max_attempts: z.int(),
          element_of: z.string().optional().meta({
            description: 'The step of the type for_each whose list it runs for, once for each element.',
          }),
        }),
      ),
    }),
    steps: z.array(
      z.object({
        step_uuid: z.uuid(),
        name: z.string(),
        current_state: stepState,
        created_at: z.string(),
        completed_at: nullableTime,
        last_attempted_at: nullableTime,
        attempts: z.int(),
        max_attempts: z.int(),
        dependencies_satisfied: z.boolean(),
        retry_eligible: z.boolean(),
        error: z
          .object({ error_type: z.string().nullable(), retryable: z.boolean(), status_code: z.int().nullable() })
          .nullable(),
      }),
    ),
    dlq: z.object({
      in_dlq: z.boolean(),
      dlq_reason: z.enum(DEAD_LETTER_REASONS).nullable(),
      resolution_status: z.enum(DEAD_LETTER_STATUSES).nullable(),
    }),
    links: z.object({ task: z.string(), steps: z.string(), dlq: z.string() }),
  })
  .register(NAMES, { id: 'TaskSummaryResponse' });
