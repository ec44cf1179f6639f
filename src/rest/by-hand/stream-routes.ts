import type { ServerResponse } from 'node:http';
import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Tasker } from '../../app/tasker.ts';
import { tasks } from '../../contract/tasks.ts';
import { readStreamFilter, type StreamKind } from '../../engine/streams/stream-filter.ts';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { onlyWaits } from '../gate.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible } from '../scope.ts';
import { EventStream, type EventStreamLimits } from './event-stream.ts';

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  // Proxies must not hold events back.
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

const ALL = streaming(describeRoute(tasks.watchAll));
const ONE = streaming(describeRoute(tasks.watch));

/** Describes the response of a route as a stream of events. */
function streaming<Route extends { responses: object }>(route: Route): Route {
  Object.assign(route.responses, {
    200: {
      description: 'Events `open`, `task`, `step`, `deleted`, `reset`, `position` and `closing`',
      content: { 'text/event-stream': { schema: z.string() } },
    },
  });
  return route;
}

/** Options of {@link streamRoutes}. */
export interface StreamRouteOptions {
  limits?: EventStreamLimits;
}

/** Routes that stream changes. */
export function streamRoutes(tasker: Tasker, { limits = {} }: StreamRouteOptions = {}): OpenAPIHono {
  const begin = async (c: Context, filter: Parameters<typeof readStreamFilter>[0], after: string | undefined) => {
    const selection = readStreamFilter(filter, callerOf(c).namespaces);
    // Nothing would read the stream.
    if (c.req.method === 'HEAD') return c.body(null, 200, HEADERS) as never;
    const { outgoing } = (c.env ?? {}) as { outgoing?: ServerResponse };
    const cut = outgoing && (() => void outgoing.destroy());
    // It begins after the next read of the log, which is up to three seconds away.
    onlyWaits(c);
    const { body } = await EventStream.begin(tasker.engine.changes, selection, { after, cut, limits });
    return c.body(body, 200, HEADERS) as never;
  };
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(ALL, async (c) => {
      const { last_event_id: id, kind = ['task'], ...filter } = c.req.valid('query');
      return begin(c, { ...filter, kind: kindsOf(c, kind) }, c.req.valid('header')['last-event-id'] ?? id);
    })
    .openapi(ONE, async (c) => {
      const { uuid } = c.req.valid('param');
      const { kind, last_event_id: id } = c.req.valid('query');
      const caller = callerOf(c);
      await Promise.all([checkVisible(tasker, caller, uuid), tasker.getTask(uuid)]);
      const byDefault = caller.allows('steps:read') ? ['task', 'step'] : ['task'];
      const filter = { task: uuid, kind: kindsOf(c, kind ?? byDefault) };
      return begin(c, filter, c.req.valid('header')['last-event-id'] ?? id);
    });
}

/** Returns the filter of a stream from its query. @throws TaskerError `forbidden` */
function kindsOf(c: Context, kinds: readonly string[]): StreamKind[] {
  if (kinds.includes('step') && !callerOf(c).allows('steps:read')) {
    throw new TaskerError('forbidden', 'kind=step needs the permission steps:read; ask for kind=task');
  }
  return kinds as StreamKind[];
}
