import { z } from 'zod';
import { DEAD_LETTER_REASONS, DEAD_LETTER_STATUSES } from '../../model/dead-letter.ts';
import { NAMES } from './names.ts';
import { pageFields } from './query.ts';
import { stepState, taskState } from './states.ts';
import { PauseSchema } from './task-details.ts';
import { SAME_NAMES, userFields, userJson } from './user-json.ts';

const textOrNull = z.string().nullable();

export const PauseListSchema = z
  .object({ pauses: z.array(PauseSchema), ...pageFields })
  .register(NAMES, { id: 'PauseList' });

export const TaskRunsSchema = z
  .object({
    earlier_runs: z.array(
      z.object({
        step: z.string(),
        step_uuid: z.uuid(),
        rerun: z.int().meta({ description: 'The number of the run; 0 is the first.' }),
        ended_by_rerun: z.int(),
        state: stepState,
        last_attempt: z.int(),
        result: userJson('result', { description: 'Null without the permission tasks:context_read.' }),
        completed_at: textOrNull,
      }),
    ),
    copies: z.array(z.uuid()),
  })
  .register(NAMES, { id: 'TaskRuns' });

const RELATED = {
  task_uuid: z.uuid(),
  step: z.string().meta({ description: 'The step of the parent that started the child.' }),
  namespace: z.string(),
  name: z.string(),
  version: z.string(),
  status: taskState,
  created_at: z.string(),
  completed_at: textOrNull,
};

export const TaskFamilySchema = z
  .object({
    parent: z.object(RELATED).nullable().meta({ description: 'The task that started it.' }),
    root_task_uuid: z.uuid().nullable().meta({ description: 'The task without a parent, above all others.' }),
    children: z
      .array(
        z.object({
          ...RELATED,
          awaited: z.boolean().meta({ description: 'Whether the step waits for the child.' }),
          key: z.string().nullable().meta({
            description: 'The key with which the handler of the step started it. Null for a step of the type task.',
          }),
        }),
      )
      .meta({ description: 'Newest first, at most 100.' }),
    open_children: z.int().meta({ description: 'Number of children that have not ended.' }),
  })
  .register(NAMES, { id: 'TaskFamily' });

const LETTER = {
  dlq_entry_uuid: z.uuid(),
  task_uuid: z.uuid(),
  original_state: z.string(),
  dlq_reason: z.enum(DEAD_LETTER_REASONS),
  dlq_timestamp: z.string(),
  resolution_status: z.enum(DEAD_LETTER_STATUSES),
  resolution_timestamp: textOrNull,
  resolution_notes: textOrNull,
  resolved_by: textOrNull,
  cause: z.string(),
  assignee: textOrNull,
  priority: z.int(),
  namespace_name: z.string(),
  task_name: z.string(),
  task_version: z.string(),
  current_state: textOrNull.meta({ description: 'Null if the task was deleted.' }),
  time_in_state_minutes: z.number().nullable(),
  has_moved_on: z.boolean(),
  minutes_in_dlq: z.number(),
  priority_score: z.number(),
  entries_of_task: z.int(),
  metadata: userFields('public').nullable(),
  created_at: z.string(),
  updated_at: z.string(),
};

export const DeadLetterRowSchema = z.object(LETTER).register(NAMES, { id: 'DeadLetterRow' });

const SnapshotSchema = z
  .object({
    task_uuid: z.uuid(),
    namespace: z.string(),
    task_name: z.string(),
    task_version: z.string(),
    current_state: z.string(),
    time_in_state_minutes: z.number(),
    threshold_minutes: z.number().nullable().meta({ description: 'The limit that the task exceeded.' }),
    snapshot_timestamp: z.string(),
    task_details: z
      .object({
        correlation_id: z.string(),
        priority: z.int(),
        requested_at: z.string(),
        created_at: z.string(),
      })
      .register(SAME_NAMES, {}),
    step_count: z.int(),
    steps: z
      .array(
        z
          .object({
            name: z.string(),
            state: z.string(),
            attempts: z.int(),
            max_attempts: z.int(),
            error_type: z.string().optional(),
            error: z.string().optional(),
            started_at: z.string().optional(),
            next_retry_at: z.string().optional(),
          })
          .register(SAME_NAMES, {}),
      )
      .meta({ description: 'At most 50, failed and running steps first. Errors are cut after 300 characters.' }),
  })
  .register(SAME_NAMES, {})
  .register(NAMES, { id: 'DeadLetterSnapshot' });

export const DeadLetterDetailsSchema = z
  .object({
    ...LETTER,
    task_snapshot: SnapshotSchema,
    notes: z.array(z.object({ at: z.string(), author: z.string(), note: z.string() })),
  })
  .register(NAMES, { id: 'DeadLetterDetails' });

export const DeadLetterPageSchema = z
  .object({
    entries: z.array(DeadLetterRowSchema),
    total: z.int(),
    total_is_exact: z.boolean(),
    next_cursor: z.string().nullable(),
  })
  .register(NAMES, { id: 'DeadLetterPage' });
