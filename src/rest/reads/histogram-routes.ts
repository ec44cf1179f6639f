import { OpenAPIHono, z } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { callerOf } from '../caller.ts';
import { time } from '../query.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute, queryNumber } from '../route.ts';
import { filterQuery } from '../schemas/task-queries.ts';
import { filterOf } from '../task-filter.ts';

const count = z.int();
const HISTOGRAM = describeRoute({
  method: 'get',
  path: '/v1/task-histogram',
  permission: 'tasks:list',
  scoped: true,
  summary: 'Counts tasks, or failures, by time',
  description:
    'Counts the tasks that `GET /v1/tasks` finds with the same parameters by the time of their creation, at most the newest 100,000. With `by=failed`, counts the failed steps of open tasks by the time of their failure.',
  request: {
    query: z.object({
      ...filterQuery,
      by: z.enum(['created', 'failed']).default('created'),
      buckets: queryNumber(60, { min: 2, max: 500 }),
      since: time.optional().openapi({ description: 'With `by=failed`: only failures since this time.' }),
    }),
  },
  answer: z
    .object({
      from: z.string(),
      to: z.string(),
      bucket_ms: count,
      complete: z
        .boolean()
        .openapi({ description: 'False if there are more tasks; only tasks since `from` are counted.' }),
      total: count,
      buckets: z.array(z.object({ at: z.string(), total: count, failed: count, open: count })).openapi({
        description: 'Buckets without tasks are omitted. `failed` includes blocked tasks; `open` does not.',
      }),
    })
    .openapi('TaskHistogram'),
});

/** The route for numbers of tasks by time. */
export function histogramRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid }).openapi(HISTOGRAM, async (c) => {
    const { by, buckets, since, ...query } = c.req.valid('query');
    const found = await tasker.taskHistogram(filterOf(query, callerOf(c)), { by, buckets, since });
    return c.json({ ...snakeKeys(found), buckets: found.buckets }, 200);
  });
}
