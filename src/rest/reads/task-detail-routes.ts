import { OpenAPIHono } from '@hono/zod-openapi';
import { type HistoryEntry, snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { tasks } from '../../contract/tasks.ts';
import { callerOf } from '../caller.ts';
import { pageOf } from '../positions.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible } from '../scope.ts';
import { eventJson, eventPage } from './event-routes.ts';

const CONTEXT = describeRoute(tasks.context);
const WHY = describeRoute(tasks.why);
const HISTORY = describeRoute(tasks.history);
const EVENTS = describeRoute(tasks.events);
const WAITS = describeRoute(tasks.waits);

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
