import { OpenAPIHono } from '@hono/zod-openapi';
import { pauseJson, rerunJson } from '../../app/json/acts.ts';
import { snakeKeys } from '../../app/json/views.ts';
import { durationMs } from '../../app/schedules/duration.ts';
import type { Tasker } from '../../app/tasker.ts';
import { as, CopySchema, PauseResultSchema, RerunSchema } from '../../contract/schemas/acts.ts';
import { tasks } from '../../contract/tasks.ts';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { keyOf } from '../idempotency-key.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible } from '../scope.ts';
import { operatorOf } from './operator.ts';

const RETRY = describeRoute(tasks.retry);
const RESOLVE = describeRoute(tasks.resolve);
const RERUN = describeRoute(tasks.rerun);
const COPY = describeRoute(tasks.copy);
const PAUSE = describeRoute(tasks.pause);
const RESUME = describeRoute(tasks.resume);
const START_NOW = describeRoute(tasks.startNow);
const RESCHEDULE = describeRoute(tasks.reschedule);
const DELETE = describeRoute(tasks.delete);

/** Routes that act on one task. */
export function taskActRoutes(tasker: Tasker): OpenAPIHono {
  const routes = new OpenAPIHono({ defaultHook: refuseInvalid });
  addEndings(routes, tasker);
  addStarts(routes, tasker);
  return routes
    .openapi(RERUN, async (c) => {
      const { uuid } = c.req.valid('param');
      const { from, dry_run: dryRun, ...operator } = c.req.valid('json');
      await checkVisible(tasker, callerOf(c), uuid);
      const rerun = await tasker.rerunTask(uuid, { from, dryRun, ...operatorOf(c, operator) });
      return c.json(as(RerunSchema, rerunJson(rerun)), 200);
    })
    .openapi(COPY, async (c) => {
      const { uuid } = c.req.valid('param');
      const { context, idempotency_key: inBody, ...operator } = c.req.valid('json');
      const key = keyOf(c.req.valid('header'), { idempotency_key: inBody });
      await checkVisible(tasker, callerOf(c), uuid);
      const copy = await tasker.copyTask(uuid, {
        ...operatorOf(c, operator),
        ...(context !== undefined && { context }),
        ...(key !== undefined && { idempotencyKey: key }),
      });
      return c.json(as(CopySchema, { ...snakeKeys(copy), copy_of: uuid.toLowerCase() }), 201);
    });
}

function addEndings(routes: OpenAPIHono, tasker: Tasker): void {
  const statusOf = async (uuid: string) => (await tasker.getTask(uuid)).status;
  routes
    .openapi(RETRY, async (c) => {
      const { uuid } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), uuid);
      const steps = await tasker.retryTask(uuid, operatorOf(c, c.req.valid('json')));
      return c.json({ task_uuid: uuid.toLowerCase(), steps, status: await statusOf(uuid) }, 200);
    })
    .openapi(RESOLVE, async (c) => {
      const { uuid } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), uuid);
      const resolved = await tasker.resolveTask(uuid, operatorOf(c, c.req.valid('json')));
      const status = await statusOf(uuid);
      if (!resolved && status !== 'resolved_manually') {
        throw new TaskerError('illegal_transition', `task ${uuid} cannot be resolved: it has ended in ${status}`);
      }
      return c.json({ task_uuid: uuid.toLowerCase(), resolved, status }, 200);
    })
    .openapi(DELETE, async (c) => {
      const { uuid } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), uuid);
      await tasker.deleteTask(uuid, operatorOf(c, c.req.valid('json')));
      return c.json({ task_uuid: uuid.toLowerCase(), deleted: true as const }, 200);
    });
}

function addStarts(routes: OpenAPIHono, tasker: Tasker): void {
  routes
    .openapi(PAUSE, async (c) => {
      const { uuid: task } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), task);
      const result = await tasker.pause({ task }, operatorOf(c, c.req.valid('json')));
      return c.json(as(PauseResultSchema, pauseJson(result)), 200);
    })
    .openapi(RESUME, async (c) => {
      const { uuid: task } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), task);
      const result = await tasker.resume({ task }, operatorOf(c, c.req.valid('json')));
      return c.json(as(PauseResultSchema, pauseJson(result)), 200);
    })
    .openapi(START_NOW, async (c) => {
      const { uuid } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), uuid);
      await tasker.startTaskNow(uuid, operatorOf(c, c.req.valid('json')));
      return c.json({ task_uuid: uuid.toLowerCase(), started: true as const }, 200);
    })
    .openapi(RESCHEDULE, async (c) => {
      const { uuid } = c.req.valid('param');
      const { at, in: span, ...operator } = c.req.valid('json');
      await checkVisible(tasker, callerOf(c), uuid);
      const startAt = await tasker.rescheduleTask(uuid, startOf(at, span), operatorOf(c, operator));
      return c.json({ task_uuid: uuid.toLowerCase(), start_at: startAt }, 200);
    });
}

function startOf(at: string | undefined, span: string | undefined): string | { delayMs: number } {
  if ((at === undefined) === (span === undefined)) {
    throw new TaskerError('bad_request', 'pass the new start as at (ISO 8601) or as in (such as 2h)');
  }
  if (at !== undefined) return at;
  const delayMs = durationMs(span);
  if (delayMs !== undefined) return { delayMs };
  throw new TaskerError(
    'bad_request',
    `in: ${JSON.stringify(span)} is not a duration; use 90s, 15m, 2h, 7d or P1DT12H`,
  );
}
