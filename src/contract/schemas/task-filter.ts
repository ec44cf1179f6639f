import { z } from 'zod';
import { TASK_CONDITIONS } from '../filters/tasks.ts';
import { queryOf } from './conditions.ts';
import { cursor, queryNumber } from './query.ts';

/** The conditions of a search, as parameters of a query. They are the options of `tasker task list` in snake_case. */
export const filterQuery = queryOf(TASK_CONDITIONS);

/** Conditions that assistants are not offered, to keep the list of their tools short. */
export const RARE_CONDITIONS = [
  'ended',
  'stale',
  'initiator',
  'source',
  'source_system',
  'reason',
  'parent_correlation_id',
  'parent_task',
  'root_task',
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
