import { OpenAPIHono, z } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import type { Pause } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { callerOf } from '../caller.ts';
import { cursor, flag, limitOf, time } from '../query.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible, maySee } from '../scope.ts';
import { DeadLetterDetailsSchema, DeadLetterPageSchema, PauseListSchema, TaskRunsSchema } from './operator-schemas.ts';
import { UuidParam } from './task-detail-schemas.ts';

const text = z.string().optional();

const PAUSES = describeRoute({
  method: 'get',
  path: '/v1/pauses',
  permission: 'tasks:list',
  scoped: true,
  summary: 'Lists the pauses in force. A credential for some namespaces sees only pauses within these namespaces',
  request: { query: z.object({ limit: limitOf(1000) }) },
  answer: PauseListSchema,
});
const RUNS = describeRoute({
  method: 'get',
  path: '/v1/tasks/{uuid}/runs',
  permission: 'tasks:read',
  summary: 'Returns the results that reruns replaced, and the copies of a task',
  request: { params: UuidParam },
  answer: TaskRunsSchema,
  errors: [404],
});
const ENTRIES = describeRoute({
  method: 'get',
  path: '/v1/dlq/entries',
  permission: 'dlq:read',
  scoped: true,
  summary: 'Finds dead letters by any of these conditions, by default the open entries with the highest priority first',
  request: {
    query: z.object({
      status: z.enum(['pending', 'manually_resolved', 'permanently_failed', 'cancelled', 'all']).optional(),
      namespace: text,
      name: z.string().optional().openapi({ description: 'The name of the template.' }),
      template_version: text,
      task: z.string().optional().openapi({ description: 'The id of a task.' }),
      dlq_reason: text,
      assignee: text,
      unassigned: flag.optional(),
      added_after: time.optional(),
      added_before: time.optional(),
      sort: z.enum(['priority', 'added']).optional(),
      limit: limitOf(50),
      cursor,
    }),
  },
  answer: DeadLetterPageSchema,
});
const ENTRY = describeRoute({
  method: 'get',
  path: '/v1/dlq/entry/{dlq_entry_uuid}',
  permission: 'dlq:read',
  summary: 'Returns a dead letter, by its id or the id of its task, with its notes and the snapshot of the task',
  request: { params: z.object({ dlq_entry_uuid: z.string() }) },
  answer: DeadLetterDetailsSchema,
  errors: [404],
});

/** Routes for pauses, dead letters and replaced runs, in the form of the command line. */
export function operatorReadRoutes(tasker: Tasker): OpenAPIHono {
  const { deadLetters } = tasker;
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(PAUSES, async (c) => {
      const { namespaces } = callerOf(c);
      const all = await tasker.pauses({ limit: c.req.valid('query').limit });
      const seen = namespaces ? all.filter((pause) => maySee(callerOf(c), namespaceOf(pause))) : all;
      return c.json({ pauses: seen.map((pause) => snakeKeys(pause)) }, 200);
    })
    .openapi(RUNS, async (c) => {
      const { uuid } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), uuid);
      const [runs, copies] = await Promise.all([tasker.getEarlierRuns(uuid), tasker.getCopies(uuid)]);
      const readable = callerOf(c).allows('tasks:context_read');
      const shown = runs.map((run) => snakeKeys(readable ? run : { ...run, result: null }));
      return c.json({ earlier_runs: shown, copies }, 200);
    })
    .openapi(ENTRIES, async (c) => {
      const { template_version, dlq_reason, added_after, added_before, sort, limit, cursor, ...given } =
        c.req.valid('query');
      const named = {
        templateVersion: template_version,
        dlqReason: dlq_reason,
        addedAfter: added_after,
        addedBefore: added_before,
        namespaces: callerOf(c).namespaces,
      };
      const filter = Object.entries({ ...given, ...named }).filter(([, value]) => value !== undefined);
      const page = await deadLetters.list(Object.fromEntries(filter), { sort, limit, cursor });
      const { entries, total, totalIsExact, nextCursor } = page;
      const facts = { total, total_is_exact: totalIsExact, next_cursor: nextCursor };
      return c.json({ entries: entries.map((entry) => snakeKeys(entry)), ...facts } as never, 200);
    })
    .openapi(ENTRY, async (c) =>
      c.json(snakeKeys(await deadLetters.get(c.req.valid('param').dlq_entry_uuid)) as never, 200),
    );
}

/** A pause of a task does not name the task's namespace. */
function namespaceOf({ scope, target }: Pause): string | undefined {
  return scope === 'task' ? undefined : target.split('/')[0];
}
