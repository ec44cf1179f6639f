import { z } from '@hono/zod-openapi';
import { PauseSchema } from './task-detail-schemas.ts';

const timeOrNull = z.string().nullable();

export const PauseListSchema = z.object({ pauses: z.array(PauseSchema) }).openapi('PauseList');

export const TaskRunsSchema = z
  .object({
    earlier_runs: z.array(
      z.object({
        step: z.string(),
        step_uuid: z.uuid(),
        rerun: z.int().openapi({ description: 'The number of the run; 0 is the first.' }),
        ended_by_rerun: z.int(),
        state: z.string(),
        last_attempt: z.int(),
        result: z.unknown().openapi({ description: 'Null without the permission tasks:context_read.' }),
        completed_at: timeOrNull,
      }),
    ),
    copies: z.array(z.uuid()),
  })
  .openapi('TaskRuns');

/** The snapshot and the notes are only in the answer for one entry. */
export const DeadLetterRowSchema = z
  .object({
    dlq_entry_uuid: z.uuid(),
    task_uuid: z.uuid(),
    dlq_reason: z.string(),
    dlq_timestamp: z.string(),
    resolution_status: z.string(),
    cause: z.string(),
    assignee: z.string().nullable(),
    priority: z.int(),
    current_state: z.string().nullable(),
  })
  .loose()
  .openapi('DeadLetterRow');

export const DeadLetterPageSchema = z
  .object({
    entries: z.array(DeadLetterRowSchema),
    total: z.int(),
    total_is_exact: z.boolean(),
    next_cursor: z.string().nullable(),
  })
  .openapi('DeadLetterPage');
