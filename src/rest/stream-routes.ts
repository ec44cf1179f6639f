import type { ServerResponse } from 'node:http';
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Tasker } from '../app/tasker.ts';
import { readStreamFilter, type StreamKind } from '../engine/streams/stream-filter.ts';
import { TaskerError } from '../errors.ts';
import { onlyWaits } from './acts/gate.ts';
import { callerOf } from './caller.ts';
import { EventStream, type EventStreamLimits } from './event-stream.ts';
import { refuseInvalid } from './refuse-invalid.ts';
import { describeRoute } from './route.ts';
import { checkVisible } from './scope.ts';

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  // Proxies must not hold events back.
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

const list = z
  .string()
  .transform((text) => text.split(',').map((part) => part.trim()))
  .optional();
const Resumable = {
  last_event_id: z.string().max(100).optional().openapi({
    description: 'The last id that was received, for clients that cannot send the header `Last-Event-ID`.',
  }),
};
const LastEventId = z.object({ 'last-event-id': z.string().max(100).optional() });
const several = (what: string) =>
  list.openapi({ type: 'string', description: `${what} Several are separated by commas.` });
const AllQuery = z.object({
  namespace: several('Only tasks of this namespace.'),
  name: several('Only tasks with this name.'),
  state: several('Only tasks in this state. A task that was sent is sent once more when it leaves the state.'),
  tag: several('Only tasks with this tag, or with all tags if there are several.'),
  kind: several('`task` (default) or `step`.'),
  ...Resumable,
});
const OneQuery = z.object({ kind: several('`task` or `step`. Default: both.'), ...Resumable });

const ALL = streamRoute({
  path: '/v1/stream',
  scoped: true,
  summary: 'Streams the changes of all tasks as server-sent events',
  request: { query: AllQuery, headers: LastEventId },
});
const ONE = streamRoute({
  path: '/v1/tasks/{uuid}/stream',
  summary: 'Streams the state of a task and its steps as server-sent events',
  request: { params: z.object({ uuid: z.string() }), query: OneQuery, headers: LastEventId },
  errors: [404],
});

function streamRoute<
  const Path extends string,
  Request extends NonNullable<Parameters<typeof createRoute>[0]['request']>,
>(route: { path: Path; summary: string; request: Request; scoped?: boolean; errors?: readonly 404[] }) {
  const described = describeRoute({ method: 'get', permission: 'tasks:read', answer: z.string(), ...route });
  return createRoute({
    ...described,
    request: route.request,
    responses: {
      ...described.responses,
      200: {
        description: 'Events `open`, `task`, `step`, `deleted`, `reset`, `position` and `closing`',
        content: { 'text/event-stream': { schema: z.string() } },
      },
    },
  });
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
    if (c.req.method === 'HEAD') return c.body(null, 200, HEADERS);
    const { outgoing } = (c.env ?? {}) as { outgoing?: ServerResponse };
    const cut = outgoing && (() => void outgoing.destroy());
    // It begins after the next read of the log, which is up to three seconds away.
    onlyWaits(c);
    const { body } = await EventStream.begin(tasker.engine.changes, selection, { after, cut, limits });
    return c.body(body, 200, HEADERS);
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
