import { OpenAPIHono } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { tasks } from '../../contract/tasks.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { filterOf } from '../task-filter.ts';

const HISTOGRAM = describeRoute(tasks.histogram);

/** The route for numbers of tasks by time. */
export function histogramRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid }).openapi(HISTOGRAM, async (c) => {
    const { by, buckets, since, ...query } = c.req.valid('query');
    const found = await tasker.taskHistogram(filterOf(query, callerOf(c)), { by, buckets, since });
    return c.json({ ...snakeKeys(found), buckets: found.buckets }, 200);
  });
}
