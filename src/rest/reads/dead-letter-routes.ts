import { OpenAPIHono, z } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { DEAD_LETTER_REASONS, DEAD_LETTER_STATUSES } from '../../engine/dead-letters/filter.ts';
import { callerOf } from '../caller.ts';
import { flag, pageFields, pageQuery, time } from '../query.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';

const text = z.string().optional();
const nullableText = z.string().nullable();
const LETTER = {
  dlq_entry_uuid: z.uuid(),
  task_uuid: z.uuid(),
  original_state: z.string(),
  dlq_reason: z.string(),
  dlq_timestamp: z.string(),
  resolution_status: z.string(),
  resolution_timestamp: nullableText,
  resolution_notes: nullableText,
  resolved_by: nullableText,
  cause: z.string(),
  assignee: nullableText,
  priority: z.int(),
  namespace_name: z.string(),
  task_name: z.string(),
  task_version: z.string(),
  current_state: nullableText.openapi({ description: 'Null: the task was deleted.' }),
  time_in_state_minutes: z.number().nullable(),
  has_moved_on: z.boolean(),
  minutes_in_dlq: z.number(),
  priority_score: z.number(),
  entries_of_task: z.int(),
  metadata: z.record(z.string(), z.unknown()).nullable(),
  created_at: z.string(),
  updated_at: z.string(),
};

const LIST = describeRoute({
  method: 'get',
  path: '/v1/dlq/entries',
  permission: 'dlq:read',
  scoped: true,
  summary: 'Lists dead letters with their assignees: by default the open ones, the most urgent first',
  request: {
    query: z.object({
      status: z.enum([...DEAD_LETTER_STATUSES, 'all']).default('pending'),
      dlq_reason: z.enum(DEAD_LETTER_REASONS).optional(),
      assignee: text,
      unassigned: flag.optional().openapi({ description: 'Only entries without an assignee.' }),
      namespace: text,
      name: z.string().optional().openapi({ description: 'The name of the template.' }),
      template_version: text,
      added_after: time.optional(),
      added_before: time.optional(),
      sort: z.enum(['priority', 'added']).optional(),
      ...pageQuery(),
    }),
  },
  answer: z
    .object({
      entries: z.array(z.object(LETTER).openapi('DeadLetterEntry')),
      total: z.int(),
      total_is_exact: z.boolean(),
      ...pageFields,
    })
    .openapi('DeadLetterEntries'),
});
const SHOW = describeRoute({
  method: 'get',
  path: '/v1/dlq/entry/{dlq_entry_uuid}',
  permission: 'dlq:read',
  summary: 'Returns a dead letter with the snapshot of its task and its notes',
  request: { params: z.object({ dlq_entry_uuid: z.string() }) },
  answer: z
    .object({
      ...LETTER,
      task_snapshot: z.record(z.string(), z.unknown()),
      notes: z.array(z.object({ at: z.string(), author: z.string(), note: z.string() })),
    })
    .openapi('DeadLetterDetails'),
  errors: [404],
});

/** Routes that read dead letters as the library shows them. */
export function deadLetterReadRoutes(tasker: Tasker): OpenAPIHono {
  const { deadLetters } = tasker;
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(LIST, async (c) => {
      const { limit, cursor, sort, ...query } = c.req.valid('query');
      const { namespaces } = callerOf(c);
      const filter = {
        status: query.status,
        dlqReason: query.dlq_reason,
        assignee: query.assignee,
        unassigned: query.unassigned,
        namespace: query.namespace,
        ...(namespaces && { namespaces }),
        name: query.name,
        templateVersion: query.template_version,
        addedAfter: query.added_after,
        addedBefore: query.added_before,
      };
      const { entries, total, totalIsExact, nextCursor } = await deadLetters.list(filter, { limit, cursor, sort });
      return c.json(
        {
          entries: entries.map(snakeKeys),
          total,
          total_is_exact: totalIsExact,
          next_cursor: nextCursor,
          previous_cursor: null,
        },
        200,
      );
    })
    .openapi(SHOW, async (c) => {
      const found = await deadLetters.get(c.req.valid('param').dlq_entry_uuid);
      return c.json({ ...snakeKeys(found), task_snapshot: { ...found.taskSnapshot } }, 200);
    });
}
