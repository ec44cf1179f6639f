import { OpenAPIHono } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { events } from '../../contract/events.ts';
import { clockFor } from '../../engine/search/clock.ts';
import { timeOf } from '../../engine/search/filter.ts';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { fillPage } from '../fill-page.ts';
import { cursorAt, positionOf } from '../positions.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { maySee } from '../scope.ts';

type LoggedEvent = Awaited<ReturnType<Tasker['events']['list']>>[number];

const LIST = describeRoute(events.list);
const GROUPS = describeRoute(events.groups);
const DEAD = describeRoute(events.dead);
const SHOW = describeRoute(events.get);

/** Returns an event as JSON. */
export function eventJson(event: LoggedEvent) {
  return snakeKeys(event);
}

interface EventSearch {
  name?: string | undefined;
  taskUuid?: string | undefined;
  after?: string | undefined;
  before?: string | undefined;
}

/** Returns a page of the log. Its cursor is the position of its last event, which stays valid when events are added. */
export async function eventPage(
  tasker: Tasker,
  search: EventSearch,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
) {
  const given = Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined));
  const place = cursor === undefined ? {} : { beforeId: positionOf(cursor) };
  // One item more than requested shows whether there is a next page.
  const found = await tasker.events.list({ ...given, ...place, limit: Math.min(limit + 1, 1000) });
  const items = found.slice(0, limit);
  const more = found.length > limit || (limit === 1000 && found.length === limit);
  return { items, next_cursor: more ? cursorAt(items.at(-1)!.id) : null, previous_cursor: null };
}

const MOST_DEAD = 1000;

/** Routes for the log of durable events and the groups that receive them. */
export function eventRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(GROUPS, async (c) => {
      const groups = await tasker.events.groups();
      const shown = groups.map((group) => ({ ...snakeKeys(group), patterns: [...group.patterns] }));
      return c.json({ groups: shown, next_cursor: null, previous_cursor: null }, 200);
    })
    .openapi(DEAD, async (c) => {
      const { group, event: eventId, limit } = c.req.valid('query');
      const caller = callerOf(c);
      // The list has no cursor, so deliveries of other namespaces must not use up the page.
      const most = caller.namespaces === undefined ? limit : MOST_DEAD;
      const which = { ...(group !== undefined && { group }), ...(eventId !== undefined && { eventId }), limit: most };
      const dead = (await tasker.events.dead(which)).filter(({ event }) => maySee(caller, event.namespace));
      const shown = dead.slice(0, limit).map((one) => ({ ...snakeKeys(one), event: eventJson(one.event) }));
      return c.json({ dead: shown, next_cursor: null, previous_cursor: null }, 200);
    })
    .openapi(LIST, async (c) => {
      const { name, task: taskUuid, limit, cursor, ...times } = c.req.valid('query');
      const caller = callerOf(c);
      const now = await clockFor(tasker.engine.database, times.after, times.before);
      const after = timeOf(times.after, 'after', now) ?? undefined;
      const before = timeOf(times.before, 'before', now) ?? undefined;
      const visible = ({ namespace }: LoggedEvent) => maySee(caller, namespace);
      const { items, ...cursors } = await fillPage({ limit, cursor }, visible, (page) =>
        eventPage(tasker, { name, taskUuid, after, before }, page),
      );
      return c.json({ events: items.map(eventJson), ...cursors }, 200);
    })
    .openapi(SHOW, async (c) => {
      const { event_id: id } = c.req.valid('param');
      const event = await tasker.events.get(id);
      if (!maySee(callerOf(c), event.namespace)) {
        throw new TaskerError('event_not_found', `durable event ${id} not found`);
      }
      return c.json({ ...eventJson(event), envelope: { ...(await tasker.events.envelope(id)) } }, 200);
    });
}
