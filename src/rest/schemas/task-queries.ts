import { z } from '@hono/zod-openapi';
import { queryNumber } from '../route.ts';

/** The query of the list of tasks. */
export const TaskListQuery = z.object({
  page: queryNumber(1, { max: 1_000_000 }),
  per_page: queryNumber(25, { max: 100 }),
  cursor: z.string().optional().openapi({ description: 'The `next_cursor` of the previous page. Replaces `page`.' }),
  namespace: z.string().optional(),
  name: z.string().optional(),
  status: z.string().optional().openapi({ description: '`completed` or `pending`; other values are ignored.' }),
  state: z.string().optional().openapi({ description: 'One state or several, separated by commas.' }),
  initiator: z.string().optional(),
  source_system: z.string().optional(),
  tag: z.string().optional(),
  correlation_id: z.string().optional(),
});
