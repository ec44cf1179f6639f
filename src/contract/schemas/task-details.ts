import { z } from 'zod';
import { WAIT_KINDS } from '../../model/waits.ts';
import { NAMES } from './names.ts';
import { orNull } from './or-null.ts';
import { stepState, taskState } from './states.ts';
import { SAME_NAMES, userFields, userJson } from './user-json.ts';

/** The JSON of tasks and steps as the command line prints it with `--json`. */

const nullableText = z.string().nullable();
const nullableCount = z.int().nullable();

export const PauseSchema = z
  .object({
    scope: z.enum(['task', 'template', 'namespace']),
    target: z.string(),
    paused_at: z.string(),
    paused_by: z.string(),
    reason: nullableText,
  })
  .register(NAMES, { id: 'Pause' });

const StepWaitSchema = z
  .object({
    kind: z.enum(WAIT_KINDS).exclude(['start']),
    since: z.string(),
    until: nullableText,
    due_at: nullableText,
    calls: z.int(),
    settings: userFields('public'),
    progress: userFields('public'),
  })
  .register(NAMES, { id: 'StepWait' });

export const OpenWaitSchema = orNull(StepWaitSchema);

const ListProgressSchema = z
  .object({
    total: z.int(),
    started: z.int().meta({ description: 'Elements that have started, including the ended ones.' }),
    open: z.int().meta({ description: 'Elements that have started and not ended.' }),
    completed: z.int(),
    failed: z.int(),
  })
  .register(NAMES, { id: 'ListProgress' });

const StepElementSchema = z
  .object({
    number: z.int().meta({ description: 'Its place in the list, from 0.' }),
    key: z.string().nullable().meta({ description: 'Its label. Null if the list has none.' }),
  })
  .register(NAMES, { id: 'StepElement' });

/** The list of a step, and the element that it runs for. */
export const Elements = {
  elements: orNull(ListProgressSchema).meta({
    description: 'The progress of its list. Null unless it is a step of the type for_each whose list has begun.',
  }),
  element: orNull(StepElementSchema).meta({
    description: 'The element that it runs for. Null unless it is a step inside a for_each.',
  }),
};

/** The events of a step that could not be published. */
export const EventProblems = z.array(
  z.object({ event: z.string(), kind: z.string(), message: z.string(), path: z.string().nullable() }),
);

export const StaleSchema = z
  .object({ rule: z.string(), minutes: z.number(), since: z.string(), at: z.string() })
  .register(NAMES, { id: 'StaleNote' });

/** The first fields of a task. */
export const taskHead = {
  task_uuid: z.uuid(),
  name: z.string(),
  namespace: z.string(),
  version: z.string(),
  status: taskState,
  created_at: z.string(),
  updated_at: z.string(),
};

/** The output of a complete task. */
export const output = {
  output: userFields('result').optional().meta({
    description: 'The values of `output` in the template. Only a complete task has it, and tasks in lists do not.',
  }),
  output_error: z.string().optional().meta({ description: 'Why a complete task has no output.' }),
};

export const TaskSchema = z
  .object({
    ...taskHead,
    completed_at: nullableText,
    context: userFields('context'),
    ...output,
    initiator: nullableText,
    source_system: nullableText,
    created_with: nullableText,
    reason: nullableText,
    priority: z.int(),
    tags: z.array(z.string()),
    correlation_id: z.string(),
    parent_correlation_id: nullableText,
    reruns: z.int(),
    rerun_at: nullableText,
    copy_of: nullableText,
    total_steps: z.int(),
    pending_steps: z.int(),
    in_progress_steps: z.int(),
    completed_steps: z.int(),
    failed_steps: z.int(),
    ready_steps: z.int(),
    waiting_steps: z.int(),
    skipped_steps: z.int(),
    handled_failures: z.int(),
    starts_at: nullableText,
    execution_status: z.string(),
    recommended_action: z.string(),
    completion_percentage: z.number(),
    health_status: z.string(),
    stale: orNull(StaleSchema),
    paused: z.array(PauseSchema).nullable(),
  })
  .register(NAMES, { id: 'Task' });

export const ExplanationSchema = z
  .object({
    task: TaskSchema,
    summary: z.string().meta({ description: 'The reason why the task is in its state, as a sentence.' }),
    steps: z.array(
      z.object({
        step: z.string(),
        template_step_name: z.string(),
        state: stepState,
        why: z.string().meta({ description: 'The reason why the step is in its state, as a sentence.' }),
        error_type: nullableText,
        waits_for: z.array(z.string()),
        until: nullableText,
        wait: OpenWaitSchema,
        handler: z.string(),
        held_by: nullableText,
      }),
    ),
  })
  .register(NAMES, { id: 'TaskExplanation' });

export const StepErrorSchema = z
  .object({
    message: z.string(),
    error_type: nullableText,
    retryable: z.boolean(),
    backtrace: z.array(z.string()),
    status_code: z.number().nullable(),
    context: userFields('public'),
  })
  .register(NAMES, { id: 'StepError' })
  .register(SAME_NAMES, {});

export const StepResultsSchema = z
  .object({
    step_uuid: z.uuid(),
    success: z.boolean(),
    result: userJson('result'),
    metadata: z
      .object({
        execution_time_ms: z.number().nullable(),
        handler_version: nullableText,
        retryable: z.boolean(),
        completed_at: nullableText,
        worker_id: nullableText,
        worker_hostname: nullableText,
        started_at: nullableText,
        custom: userFields('result', { description: 'The fields that the handler added.' }),
        error_code: nullableText,
        error_type: nullableText,
        context: userFields('result'),
      })
      .register(SAME_NAMES, {}),
    status: z.enum(['completed', 'failed']),
    error: orNull(StepErrorSchema),
    orchestration_metadata: userFields('result'),
  })
  .register(SAME_NAMES, {})
  .register(NAMES, { id: 'StepResults' });

export const HistoryEntrySchema = z
  .object({
    step: nullableText,
    kind: z.enum(['attempt', 'operator']),
    attempt: nullableCount,
    rerun: nullableCount,
    what: z.string(),
    to_state: z.string(),
    started_at: nullableText,
    at: z.string(),
    duration_ms: z.number().nullable(),
    who: z.string(),
    why: nullableText,
    error: orNull(StepErrorSchema),
    error_code: nullableText,
    metadata: userFields('public'),
    retry_delay_ms: z.number().nullable(),
    calls: z.object({ count: z.int(), first: z.string(), last: z.string() }).nullable(),
    dropped_result: userJson('result'),
  })
  .register(NAMES, { id: 'HistoryEntry' });

export const WaitSchema = z
  .object({
    step: nullableText.meta({ description: 'Null if the task waits for its start.' }),
    step_uuid: z.uuid().nullable(),
    kind: z.enum(WAIT_KINDS),
    attempt: z.int(),
    since: z.string(),
    until: nullableText,
    due_at: nullableText,
    calls: z.int(),
    settings: userFields('public'),
    progress: userFields('public'),
    ended_at: nullableText.meta({ description: 'Null if the wait has not ended.' }),
    ended_by: nullableText,
  })
  .register(NAMES, { id: 'TaskWait' });
