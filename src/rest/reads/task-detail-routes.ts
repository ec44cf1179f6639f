import { OpenAPIHono, z } from '@hono/zod-openapi';
import { type HistoryEntry, snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { callerOf } from '../caller.ts';
import { pageFields, pageOf, pageQuery } from '../query.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible } from '../scope.ts';
import { eventJson, eventPage } from './event-routes.ts';
import { EventSchema } from './event-schemas.ts';
import { ExplanationSchema, HistoryEntrySchema, UuidParam, WaitSchema } from './task-detail-schemas.ts';

const CONTEXT = describeRoute({
  method: 'get',
  path: '/v1/tasks/{uuid}/context',
  permission: 'tasks:context_read',
  summary: 'Returns the context of a task',
  request: { params: UuidParam },
  answer: z.object({ task_uuid: z.uuid(), context: z.record(z.string(), z.unknown()) }).openapi('TaskContext'),
  errors: [404],
  etag: true,
});
const WHY = describeRoute({
  method: 'get',
  path: '/v1/tasks/{uuid}/why',
  permission: 'tasks:read',
  summary: 'Explains why each step of a task is in its state',
  request: { params: UuidParam },
  answer: ExplanationSchema,
  errors: [404],
});
const HISTORY = describeRoute({
  method: 'get',
  path: '/v1/tasks/{uuid}/history',
  permission: 'tasks:read',
  summary: 'Lists the attempts and operator actions of a task, oldest first',
  request: {
    params: UuidParam,
    query: z.object({
      step: z.string().optional().openapi({ description: 'The name of a step: only its entries.' }),
      ...pageQuery(1000),
    }),
  },
  answer: z.object({ entries: z.array(HistoryEntrySchema), ...pageFields }).openapi('TaskHistory'),
  errors: [404],
  etag: true,
});
const EVENTS = describeRoute({
  method: 'get',
  path: '/v1/tasks/{uuid}/events',
  permission: 'events:read',
  summary: 'Lists the durable events of a task, newest first',
  request: { params: UuidParam, query: z.object(pageQuery()) },
  answer: z.object({ events: z.array(EventSchema), ...pageFields }).openapi('TaskEvents'),
  errors: [404],
});
const WAITS = describeRoute({
  method: 'get',
  path: '/v1/tasks/{uuid}/waits',
  permission: 'tasks:read',
  summary: 'Lists the last wait of each step in a task, including ended waits',
  description:
    'A wait for a time, a signal, votes, a completion from outside, or the next call of a handler. The wait of a task that starts later has no step.',
  request: { params: UuidParam },
  answer: z.object({ waits: z.array(WaitSchema), ...pageFields }).openapi('TaskWaits'),
  errors: [404],
  etag: true,
});

/** Routes for the details of a task: its context, history, events and waits, and why it is in its state. */
export function taskDetailRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(CONTEXT, async (c) => {
      const { uuid } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), uuid);
      const { taskUuid, context } = await tasker.getTask(uuid);
      return c.json({ task_uuid: taskUuid, context }, 200);
    })
    .openapi(WHY, async (c) => {
      const { uuid } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), uuid);
      const { task, summary, steps } = await tasker.why(uuid);
      return c.json({ task: snakeKeys(task), summary, steps: steps.map((step) => snakeKeys(step)) }, 200);
    })
    .openapi(HISTORY, async (c) => {
      const { uuid } = c.req.valid('param');
      const { step, ...page } = c.req.valid('query');
      await checkVisible(tasker, callerOf(c), uuid);
      const { items, ...cursors } = pageOf(await historyOf(tasker, uuid, step), page);
      return c.json({ entries: items.map((entry) => snakeKeys(entry)), ...cursors }, 200);
    })
    .openapi(EVENTS, async (c) => {
      const { uuid } = c.req.valid('param');
      await Promise.all([checkVisible(tasker, callerOf(c), uuid), tasker.getTask(uuid)]);
      const { items, ...cursors } = await eventPage(tasker, { taskUuid: uuid }, c.req.valid('query'));
      return c.json({ events: items.map(eventJson), ...cursors }, 200);
    })
    .openapi(WAITS, async (c) => {
      const { uuid } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), uuid);
      const waits = await tasker.getWaits(uuid);
      return c.json({ waits: waits.map((wait) => snakeKeys(wait)), next_cursor: null, previous_cursor: null }, 200);
    });
}

/** Returns the history of a task, or of one of its steps, which a rerun may have removed. */
async function historyOf(tasker: Tasker, uuid: string, step: string | undefined): Promise<HistoryEntry[]> {
  const all = await tasker.getHistory(uuid);
  if (step === undefined) return all;
  const name = all.some((entry) => entry.step === step) ? step : (await tasker.getStep(uuid, step)).name;
  return all.filter((entry) => entry.step === name);
}
