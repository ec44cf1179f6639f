import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { scheduleJson } from '../../app/json/acts.ts';
import { snakeKeys } from '../../app/json/views.ts';
import type { Schedule, ScheduleChange, ScheduleFilter, ScheduleOptions } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { schedules } from '../../contract/schedules.ts';
import { as } from '../../contract/schemas/acts.ts';
import type { ActBody } from '../../contract/schemas/operator.ts';
import { BackfilledSchema, ScheduleSchema } from '../../contract/schemas/schedules.ts';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { keyOf } from '../idempotency-key.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkNamespace, maySee } from '../scope.ts';
import { operatorOf } from './operator.ts';

const LIST = describeRoute(schedules.list);
const CREATE = describeRoute(schedules.create);
const SHOW = describeRoute(schedules.get);
const CHANGE = describeRoute(schedules.update);
const DELETE = describeRoute(schedules.delete);
const PAUSE = describeRoute(schedules.pause);
const RESUME = describeRoute(schedules.resume);
const TRIGGER = describeRoute(schedules.trigger);
const BACKFILL = describeRoute(schedules.backfill);

/** The largest page of schedules. */
const LARGEST_PAGE = 1000;
const namespaceOf = (template: string) => template.split('/')[0]!;

/** Routes for schedules. */
export function scheduleRoutes(tasker: Tasker): OpenAPIHono {
  const routes = new OpenAPIHono({ defaultHook: refuseInvalid });
  addReads(routes, tasker);
  addChanges(routes, tasker);
  addTasks(routes, tasker);
  return routes;
}

/** Returns a schedule that the caller may see. @throws TaskerError `schedule_not_found` */
async function visible(tasker: Tasker, c: Context, name: string): Promise<Schedule> {
  const schedule = await tasker.schedules.get(name);
  if (maySee(callerOf(c), namespaceOf(schedule.template))) return schedule;
  throw new TaskerError('schedule_not_found', `schedule ${name} not found`);
}

async function checkSchedule(tasker: Tasker, c: Context, name: string): Promise<void> {
  if (callerOf(c).namespaces !== undefined) await visible(tasker, c, name);
}

/** Returns a page of the schedules that the caller may see. The cursor is the name of such a schedule. */
async function visiblePage(
  tasker: Tasker,
  c: Context,
  { filter, limit, cursor }: { filter: ScheduleFilter; limit: number; cursor: string | undefined },
): Promise<{ seen: Schedule[]; next: string | null }> {
  const caller = callerOf(c);
  const size = caller.namespaces === undefined ? limit : LARGEST_PAGE;
  const seen: Schedule[] = [];
  let after = cursor;
  let more = true;
  // One item more than the page shows whether there is a next page.
  while (more && seen.length <= limit) {
    const found = await tasker.schedules.list(filter, { limit: size, after });
    seen.push(...found.filter(({ template }) => maySee(caller, namespaceOf(template))));
    after = found.at(-1)?.name;
    more = found.length === size && (caller.namespaces !== undefined || seen.length < limit);
  }
  const isFull = caller.namespaces === undefined ? seen.length === limit : seen.length > limit;
  const page = seen.slice(0, limit);
  return { seen: page, next: isFull ? page.at(-1)!.name : null };
}

const shown = (c: Context, schedule: Schedule) => {
  const readable = callerOf(c).allows('tasks:context_read') ? schedule : { ...schedule, context: {} };
  return as(ScheduleSchema, scheduleJson(readable));
};

function addReads(routes: OpenAPIHono, tasker: Tasker): void {
  const { schedules } = tasker;
  routes
    .openapi(LIST, async (c) => {
      const { limit, cursor, ...filter } = c.req.valid('query');
      const { seen, next } = await visiblePage(tasker, c, { filter, limit, cursor });
      return c.json({ schedules: seen.map((one) => shown(c, one)), next_cursor: next }, 200);
    })
    .openapi(SHOW, async (c) => {
      const { name } = c.req.valid('param');
      const { limit, before } = c.req.valid('query');
      const schedule = await visible(tasker, c, name);
      const last = await schedules.firings(name, { limit, ...(before !== undefined && { before }) });
      return c.json(shown(c, { ...schedule, last }), 200);
    });
}

function addChanges(routes: OpenAPIHono, tasker: Tasker): void {
  const { schedules } = tasker;
  const paused = async (c: Context, verb: 'pause' | 'resume', name: string, operator: z.infer<typeof ActBody>) => {
    await checkSchedule(tasker, c, name);
    const changed = await schedules[verb](name, operatorOf(c, operator));
    return { changed, ...shown(c, await schedules.get(name)) };
  };
  routes
    .openapi(CREATE, async (c) => {
      const { reason, by, paused, if_exists: ifExists, ...settings } = c.req.valid('json');
      checkNamespace(callerOf(c), namespaceOf(settings.template), `template ${settings.template}`);
      if (ifExists !== 'error') await checkExisting(tasker, c, settings.name);
      const options = { ...operatorOf(c, { reason, by }), paused, ifExists };
      const schedule = await schedules.create(camelKeys(settings) as unknown as ScheduleOptions, options);
      return c.json(shown(c, schedule), 201);
    })
    .openapi(CHANGE, async (c) => {
      const { name } = c.req.valid('param');
      const { reason, by, ...change } = c.req.valid('json');
      if (Object.keys(change).length === 0)
        throw new TaskerError(
          'bad_request',
          'the body has no setting to change; pass at least one, such as cron or input',
        );
      await checkSchedule(tasker, c, name);
      if (typeof change.template === 'string') {
        checkNamespace(callerOf(c), namespaceOf(change.template), `template ${change.template}`);
      }
      const changed = await schedules.update(name, camelKeys(change) as ScheduleChange, operatorOf(c, { reason, by }));
      return c.json(shown(c, changed), 200);
    })
    .openapi(DELETE, async (c) => {
      const { name } = c.req.valid('param');
      await checkSchedule(tasker, c, name);
      await schedules.delete(name, operatorOf(c, c.req.valid('json')));
      return c.json({ deleted: name }, 200);
    })
    .openapi(PAUSE, async (c) => c.json(await paused(c, 'pause', c.req.valid('param').name, c.req.valid('json')), 200))
    .openapi(RESUME, async (c) =>
      c.json(await paused(c, 'resume', c.req.valid('param').name, c.req.valid('json')), 200),
    );
}

/** A create request must not let a credential read or update a schedule of another namespace. */
async function checkExisting(tasker: Tasker, c: Context, name: string): Promise<void> {
  if (callerOf(c).namespaces === undefined) return;
  const found = await tasker.schedules.get(name).catch(() => undefined);
  if (!found || maySee(callerOf(c), namespaceOf(found.template))) return;
  throw new TaskerError('conflict', `schedule ${name} already exists; choose another name`);
}

function addTasks(routes: OpenAPIHono, tasker: Tasker): void {
  const { schedules } = tasker;
  routes
    .openapi(TRIGGER, async (c) => {
      const { name } = c.req.valid('param');
      const { context, idempotency_key: inBody, ...operator } = c.req.valid('json');
      const key = keyOf(c.req.valid('header'), { idempotency_key: inBody });
      await checkSchedule(tasker, c, name);
      const taskUuid = await schedules.trigger(name, {
        ...operatorOf(c, operator),
        ...(context !== undefined && { context }),
        ...(key !== undefined && { idempotencyKey: key }),
      });
      return c.json({ task_uuid: taskUuid }, 201);
    })
    .openapi(BACKFILL, async (c) => {
      const { name } = c.req.valid('param');
      const { from, to, dry_run: dryRun, ...operator } = c.req.valid('json');
      await checkSchedule(tasker, c, name);
      const dues = await schedules.backfill(name, { from, to, dryRun, ...operatorOf(c, operator) });
      return c.json(
        dues.map((due) => as(BackfilledSchema, snakeKeys(due))),
        200,
      );
    });
}

/** Returns settings with the keys of the library. */
function camelKeys(settings: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}
