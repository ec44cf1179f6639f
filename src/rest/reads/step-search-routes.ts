import { OpenAPIHono, z } from '@hono/zod-openapi';
import { pageJson } from '../../app/json/overview.ts';
import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { callerOf } from '../caller.ts';
import { pageQuery } from '../query.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { filterQuery } from '../schemas/task-queries.ts';
import { checkVisible } from '../scope.ts';
import { filterOf } from '../task-filter.ts';
import { FoundStepSchema, searchFields } from './step-search-schemas.ts';
import { UuidParam } from './task-detail-schemas.ts';

const LIST = describeRoute({
  method: 'get',
  path: '/v1/steps',
  permission: 'steps:read',
  scoped: true,
  summary: 'Finds steps in all tasks that are ready, running, waiting, failed or resolved by hand',
  request: { query: z.object({ ...filterQuery, order: z.enum(['asc', 'desc']).optional(), ...pageQuery() }) },
  answer: z.object({ steps: z.array(FoundStepSchema), ...searchFields }).openapi('StepList'),
});
const LOGS = describeRoute({
  method: 'get',
  path: '/v1/tasks/{uuid}/workflow_steps/{step}/logs',
  permission: 'steps:read',
  summary: "Returns the log lines of a step's handler, by attempt",
  description: 'By default, only the last 200 lines of failed attempts are kept.',
  request: {
    params: UuidParam.extend({
      step: z.string().openapi({ description: 'The name or id of the step.', example: 'charge' }),
    }),
    query: z.object({ attempt: z.coerce.number().int().min(1).optional() }),
  },
  answer: z
    .object({
      logs: z.array(
        z.object({
          attempt: z.int(),
          lines: z.array(
            z.object({
              at: z.string(),
              level: z.string(),
              message: z.string(),
              fields: z.record(z.string(), z.unknown()),
            }),
          ),
          dropped: z.int().openapi({ description: 'Number of earlier lines that were dropped.' }),
        }),
      ),
    })
    .openapi('StepLogs'),
  errors: [404],
  etag: true,
});

/** Routes for steps of all tasks, and for the logs of a step. */
export function stepSearchRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(LIST, async (c) => {
      const { order, limit, cursor, ...query } = c.req.valid('query');
      const page = await tasker.listSteps(filterOf(query, callerOf(c)), { order, limit, cursor });
      return c.json({ steps: page.steps.map((step) => snakeKeys(step)), ...pageJson(page) }, 200);
    })
    .openapi(LOGS, async (c) => {
      const { uuid, step } = c.req.valid('param');
      const { attempt } = c.req.valid('query');
      await checkVisible(tasker, callerOf(c), uuid);
      const logs = await tasker.getStepLogs(uuid, step);
      const wanted = logs.filter((one) => attempt === undefined || one.attempt === attempt);
      return c.json({ logs: wanted.map((one) => snakeKeys(one)) }, 200);
    });
}
