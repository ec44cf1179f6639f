import { OpenAPIHono } from '@hono/zod-openapi';
import { pageJson } from '../../app/json/overview.ts';
import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { steps } from '../../contract/steps.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible } from '../scope.ts';
import { filterOf } from '../task-filter.ts';

const LIST = describeRoute(steps.search);
const LOGS = describeRoute(steps.logs);

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
