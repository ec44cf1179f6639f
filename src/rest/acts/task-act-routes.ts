import { OpenAPIHono, z } from '@hono/zod-openapi';
import { pauseJson, rerunJson } from '../../app/json/acts.ts';
import { snakeKeys } from '../../app/json/views.ts';
import { durationMs } from '../../app/schedules/duration.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { KeyHeader, keyOf } from '../idempotency-key.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute, jsonBody } from '../route.ts';
import { jsonObject } from '../schemas/json-object.ts';
import { checkVisible } from '../scope.ts';
import { as, CopySchema, named, PauseResultSchema, RerunSchema, TaskPath, time } from './act-schemas.ts';
import { ActBody, OPERATOR, operatorOf, optionalBody } from './operator.ts';

const act = { params: TaskPath, ...optionalBody(ActBody) };

const RETRY = describeRoute({
  method: 'post',
  path: '/v1/tasks/{uuid}/retry',
  permission: 'tasks:update',
  summary: 'Retries the failed steps of a task, and its steps that wait for a retry',
  request: act,
  answer: z.object({ task_uuid: z.uuid(), steps: z.array(z.string()), status: z.string() }),
  errors: [404, 409],
});
const RESOLVE = describeRoute({
  method: 'post',
  path: '/v1/tasks/{uuid}/resolve',
  permission: 'tasks:update',
  summary: 'Ends a task by hand; a repeated request changes nothing',
  request: act,
  answer: z.object({ task_uuid: z.uuid(), resolved: z.boolean(), status: z.string() }),
  errors: [404, 409],
});
const RERUN = describeRoute({
  method: 'post',
  path: '/v1/tasks/{uuid}/rerun',
  permission: 'tasks:update',
  summary: 'Runs a step and everything after it again, or lists what would run',
  request: {
    params: TaskPath,
    ...jsonBody(
      z.strictObject({ ...OPERATOR, from: named(1000), dry_run: z.boolean().default(false) }).openapi('RerunRequest'),
    ),
  },
  answer: RerunSchema,
  errors: [404, 409],
});
const COPY = describeRoute({
  method: 'post',
  path: '/v1/tasks/{uuid}/copy',
  permission: 'tasks:create',
  summary: 'Creates a copy of a task, with its context or a new one',
  request: {
    params: TaskPath,
    headers: KeyHeader,
    ...optionalBody(
      z
        .strictObject({ ...OPERATOR, context: jsonObject().optional(), idempotency_key: named(1000).optional() })
        .openapi('CopyRequest'),
    ),
  },
  answer: CopySchema,
  status: 201,
  errors: [404, 409],
});
const pausing = (verb: 'pause' | 'resume') =>
  ({
    permission: 'tasks:update',
    summary: verb === 'pause' ? 'Pauses a task: running steps finish' : 'Ends the pause of a task',
    request: act,
    answer: PauseResultSchema,
    errors: verb === 'pause' ? ([404, 409] as const) : ([404] as const),
  }) as const;
const PAUSE = describeRoute({ method: 'post', path: '/v1/tasks/{uuid}/pause', ...pausing('pause') });
const RESUME = describeRoute({ method: 'post', path: '/v1/tasks/{uuid}/resume', ...pausing('resume') });
const START_NOW = describeRoute({
  method: 'post',
  path: '/v1/tasks/{uuid}/start-now',
  permission: 'tasks:update',
  summary: 'Starts a task now that was created to start later',
  request: act,
  answer: z.object({ task_uuid: z.uuid(), started: z.literal(true) }),
  errors: [404, 409],
});
const RESCHEDULE = describeRoute({
  method: 'post',
  path: '/v1/tasks/{uuid}/reschedule',
  permission: 'tasks:update',
  summary: 'Changes the start time of a task that was created to start later',
  request: {
    params: TaskPath,
    ...jsonBody(
      z
        .strictObject({
          ...OPERATOR,
          at: named(100).optional().openapi({ description: 'ISO 8601 with a zone.' }),
          in: named(100).optional().openapi({ description: 'A duration from now, such as `2h`.' }),
        })
        .openapi('RescheduleRequest'),
    ),
  },
  answer: z.object({ task_uuid: z.uuid(), start_at: time }),
  errors: [404, 409],
});
const DELETE = describeRoute({
  method: 'post',
  path: '/v1/tasks/{uuid}/delete',
  permission: 'tasks:delete',
  summary: 'Deletes a task that has ended, with its results and history',
  request: act,
  answer: z.object({ task_uuid: z.uuid(), deleted: z.literal(true) }),
  errors: [404, 409],
});

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
