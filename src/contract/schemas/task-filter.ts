import { z } from 'zod';
import { cursor, flag, jsonObject, listed, queryNumber, several, time } from './query.ts';

const text = z.string().optional();

/** The conditions of a search, as parameters of a query. They are the options of `tasker task list` in snake_case. */
export const filterQuery = {
  namespace: text,
  name: z.string().optional().meta({ description: 'The name of the template.' }),
  template_version: z.string().optional().meta({ description: 'A version, or a range.', example: '>=1.2.0 <2.0.0' }),
  state: listed
    .optional()
    .meta({ description: 'One state or several, separated by commas.', example: ['error', 'cancelled'] }),
  open: flag.optional().meta({ description: 'Only tasks that have not ended.' }),
  ended: flag.optional().meta({ description: 'Only tasks that have ended.' }),
  stale: flag.optional().meta({ description: 'Only tasks that exceed a limit of their lifecycle.' }),
  tag: several.optional().meta({ description: 'May be repeated. A task must have all given tags.' }),
  initiator: text,
  source: text,
  source_system: z.string().optional().meta({ description: 'The same as `source`.' }),
  reason: text,
  correlation_id: text,
  parent_correlation_id: text,
  key: z.string().optional().meta({ description: 'The idempotency key that the task was created with.' }),
  created_after: time.optional(),
  created_before: time.optional(),
  ended_after: time.optional(),
  ended_before: time.optional(),
  updated_after: time.optional(),
  updated_before: time.optional(),
  context: jsonObject.optional().meta({ description: 'JSON that the context contains. May be slow.' }),
  step: z
    .string()
    .optional()
    .meta({ description: 'The name of a step. The conditions below then apply to that step.' }),
  step_state: text,
  handler: text,
  error_type: text,
  error: z.string().optional().meta({ description: 'A part of the first line of the error. May be slow.' }),
  worker: z.string().optional().meta({
    description:
      'The worker that runs the step, or that last ran it before it failed. Steps that the worker completed are not found.',
  }),
};

/** Conditions that assistants are not offered, to keep the list of their tools short. */
export const RARE_CONDITIONS = [
  'ended',
  'stale',
  'initiator',
  'source',
  'source_system',
  'reason',
  'parent_correlation_id',
  'ended_before',
  'updated_after',
  'updated_before',
  'context',
] as const satisfies (keyof typeof filterQuery)[];

/** The query of the task list. */
export const TaskListQuery = z.object({
  page: queryNumber(1, { max: 1_000_000 }),
  per_page: queryNumber(25, { max: 100 }),
  limit: z.coerce.number().int().min(1).max(1000).optional().meta({ description: 'Replaces `per_page`.' }),
  cursor: cursor.meta({ description: '`next_cursor` or `previous_cursor` of another page. Replaces `page`.' }),
  status: z
    .string()
    .optional()
    .meta({ description: '`completed` or `pending`; other values are ignored. See `state`.' }),
  sort: z.enum(['created', 'ended', 'updated']).optional().meta({ description: 'Default `created`.' }),
  order: z.enum(['asc', 'desc']).optional().meta({ description: 'Default `desc`: the newest first.' }),
  ...filterQuery,
});
