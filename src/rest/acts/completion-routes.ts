import { OpenAPIHono, z } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import { durationMs } from '../../app/schedules/duration.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute, jsonBody } from '../route.ts';
import { as, named, time, UseSchema } from './act-schemas.ts';

const token = named(500).openapi({
  description: 'The return value of `context.completionToken()`. It is the credential of the request.',
});

const COMPLETE = describeRoute({
  method: 'post',
  path: '/v1/completions/complete',
  permission: 'public',
  summary: 'Completes a step from outside with its token',
  request: jsonBody(z.strictObject({ token, result: z.unknown().optional() }).openapi('CompleteRequest')),
  answer: UseSchema,
  errors: [409],
});
const FAIL = describeRoute({
  method: 'post',
  path: '/v1/completions/fail',
  permission: 'public',
  summary: 'Fails the attempt of a token',
  request: jsonBody(
    z
      .strictObject({
        token,
        message: z.string().min(1).max(10_000),
        error_type: named().optional(),
        retryable: z.boolean().default(true),
      })
      .openapi('FailRequest'),
  ),
  answer: UseSchema,
  errors: [409],
});
const EXTEND = describeRoute({
  method: 'post',
  path: '/v1/completions/extend',
  permission: 'public',
  summary: 'Extends the wait for a completion',
  request: jsonBody(
    z
      .strictObject({ token, timeout: named(100).openapi({ description: 'A duration from now, such as `15m`.' }) })
      .openapi('ExtendRequest'),
  ),
  answer: z.object({ until: time }).openapi('Extended'),
  errors: [409],
});

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
