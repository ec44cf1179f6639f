import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { snakeKeys } from '../../app/json/views.ts';
import { durationMs } from '../../app/schedules/duration.ts';
import type { Tasker } from '../../app/tasker.ts';
import { ActedStepSchema, as } from '../../contract/schemas/acts.ts';
import type { StepPath } from '../../contract/schemas/paths.ts';
import { steps } from '../../contract/steps.ts';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible } from '../scope.ts';
import { operatorOf } from './operator.ts';

const RETRY = describeRoute(steps.retry);
const FIRE = describeRoute(steps.fire);
const MOVE = describeRoute(steps.move);

/** Routes that act on one step. */
export function stepActRoutes(tasker: Tasker): OpenAPIHono {
  const shown = async (c: Context, { uuid, step }: z.infer<typeof StepPath>) => {
    const after = await tasker.getStep(uuid, step);
    const readable = callerOf(c).allows('tasks:context_read') ? after : { ...after, results: null };
    return as(ActedStepSchema, snakeKeys(readable));
  };
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(RETRY, async (c) => {
      const place = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), place.uuid);
      await tasker.retryStep(place.uuid, place.step, operatorOf(c, c.req.valid('json')));
      return c.json(await shown(c, place), 200);
    })
    .openapi(FIRE, async (c) => {
      const place = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), place.uuid);
      await tasker.fireTimer(place.uuid, place.step, operatorOf(c, c.req.valid('json')));
      return c.json(await shown(c, place), 200);
    })
    .openapi(MOVE, async (c) => {
      const { uuid, step } = c.req.valid('param');
      const { until, in: span, ...operator } = c.req.valid('json');
      await checkVisible(tasker, callerOf(c), uuid);
      const moved = await tasker.moveTimer(uuid, step, timeOf(until, span), operatorOf(c, operator));
      return c.json({ task_uuid: uuid.toLowerCase(), step, until: moved }, 200);
    });
}

function timeOf(until: string | undefined, span: string | undefined): string | { delayMs: number } {
  const delayMs = durationMs(span);
  if (until !== undefined && span === undefined) return until;
  if (until === undefined && delayMs !== undefined) return { delayMs };
  throw new TaskerError('bad_request', 'pass the new time as until (ISO 8601), or as in (a duration such as 2h)');
}
