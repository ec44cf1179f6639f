import { z } from 'zod';
import { NAMED_FILTER_FIELDS, type TASK_FILTER_FIELDS } from '../task-filter-fields.ts';
import { cursor, flag, jsonObject, listed, queryNumber, several, time } from './query.ts';

type Fields = typeof TASK_FILTER_FIELDS;

/** The schema of a condition, by its kind. */
const KINDS = { text: z.string(), texts: several, states: listed, flag, time, object: jsonObject } as const;

/** The conditions of a search, as parameters of a query. They are the options of `tasker task list` in snake_case. */
export const filterQuery = Object.fromEntries(
  NAMED_FILTER_FIELDS.map(({ parameter, kind, description, example }) => {
    const schema = KINDS[kind].optional();
    const about = { ...(description && { description }), ...(example && { example }) };
    return [parameter, Object.keys(about).length > 0 ? schema.meta(about) : schema];
  }),
) as { [Name in keyof Fields]: z.ZodOptional<(typeof KINDS)[Fields[Name]['kind']]> };

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
