import { OpenAPIHono } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import { durationMs } from '../../app/schedules/duration.ts';
import type { Tasker } from '../../app/tasker.ts';
import { completions } from '../../contract/completions.ts';
import { as, UseSchema } from '../../contract/schemas/acts.ts';
import { TaskerError } from '../../errors.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';

const COMPLETE = describeRoute(completions.complete);
const FAIL = describeRoute(completions.fail);
const EXTEND = describeRoute(completions.extend);

/** Routes for other systems that complete steps. The token is the credential. */
export function completionRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(COMPLETE, async (c) => {
      const { token, result } = c.req.valid('json');
      return c.json(as(UseSchema, snakeKeys(await tasker.completeByToken(token, result))), 200);
    })
    .openapi(FAIL, async (c) => {
      const { token, message, error_type: errorType, retryable } = c.req.valid('json');
      const error = { message, retryable, ...(errorType !== undefined && { errorType }) };
      return c.json(as(UseSchema, snakeKeys(await tasker.failByToken(token, error))), 200);
    })
    .openapi(EXTEND, async (c) => {
      const { token, timeout } = c.req.valid('json');
      const timeoutMs = durationMs(timeout);
      if (timeoutMs === undefined) {
        throw new TaskerError(
          'bad_request',
          `timeout: ${JSON.stringify(timeout)} is not a duration; use 90s, 15m or 2h`,
        );
      }
      return c.json({ until: await tasker.extendByToken(token, { timeoutMs }) }, 200);
    });
}
