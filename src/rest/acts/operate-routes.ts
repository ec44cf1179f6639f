import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { drainedJson, workerJson } from '../../app/json/acts.ts';
import type { Tasker } from '../../app/tasker.ts';
import { clockFor } from '../../engine/search/clock.ts';
import { timeOf } from '../../engine/search/filter.ts';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { time } from '../query.ts';
import { ChangedSchema, DrainedSchema } from '../reads/worker-schemas.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute, jsonBody } from '../route.ts';
import { checkSeesAll, maySee } from '../scope.ts';
import { as, named } from './act-schemas.ts';
import { ActBody, OPERATOR, operatorOf, optionalBody } from './operator.ts';

const Worker = z.object({ name: z.string().openapi({ description: 'The name or id of a worker.' }) });

const DRAIN = describeRoute({
  method: 'post',
  path: '/v1/workers/{name}/drain',
  permission: 'workers:drain',
  scoped: true,
  summary: 'Asks a worker to stop taking steps; GET /v1/workers/{name} shows the progress',
  request: { params: Worker, ...optionalBody(ActBody) },
  answer: DrainedSchema,
  errors: [404, 409],
});
const RESUME = describeRoute({
  method: 'post',
  path: '/v1/workers/{name}/resume',
  permission: 'workers:drain',
  scoped: true,
  summary: 'Lets a drained worker take steps again',
  request: { params: Worker, ...optionalBody(ActBody) },
  answer: ChangedSchema,
  errors: [404, 409],
});

const group = named(128);
const REPLAY = describeRoute({
  method: 'post',
  path: '/v1/events/replay',
  permission: 'events:replay',
  summary: 'Delivers past events to a group again, or counts them',
  request: jsonBody(
    z
      .strictObject({
        ...OPERATOR,
        group,
        name: named().optional().openapi({ description: 'A pattern of event names, such as `payment.*`.' }),
        task: named().optional(),
        after: time.optional(),
        before: time.optional(),
        dry_run: z.boolean().default(false),
      })
      .openapi('ReplayRequest'),
  ),
  answer: z.object({ group: z.string(), replayed: z.int(), would_replay: z.int().optional() }).openapi('Replay'),
  errors: [404],
});
const DeadBody = z
  .strictObject({
    ...OPERATOR,
    group,
    event: named()
      .optional()
      .openapi({ description: 'The id of one event. Default: all dead deliveries of the group.' }),
  })
  .openapi('DeadDeliveriesRequest');
const REDELIVER = describeRoute({
  method: 'post',
  path: '/v1/events/dead/redeliver',
  permission: 'events:replay',
  summary: 'Delivers the dead deliveries of a group again',
  request: jsonBody(DeadBody),
  answer: z.object({ group: z.string(), redelivered: z.int() }),
  errors: [404],
});
const DISCARD = describeRoute({
  method: 'post',
  path: '/v1/events/dead/discard',
  permission: 'events:replay',
  summary: 'Deletes the dead deliveries of a group',
  request: jsonBody(DeadBody),
  answer: z.object({ group: z.string(), discarded: z.int() }),
  errors: [404],
});
const REMOVE_GROUP = describeRoute({
  method: 'delete',
  path: '/v1/events/groups/{group}',
  permission: 'events:replay',
  summary: 'Removes a group with its waiting events and dead deliveries',
  request: { params: z.object({ group: z.string() }), ...optionalBody(ActBody) },
  answer: z.object({ group: z.string(), removed: z.literal(true) }),
  errors: [404],
});

/** Routes that act on workers and on groups of subscribers. */
export function operateRoutes(tasker: Tasker): OpenAPIHono {
  const routes = new OpenAPIHono({ defaultHook: refuseInvalid });
  addEvents(routes, tasker);
  return routes
    .openapi(DRAIN, async (c) => {
      const { name } = c.req.valid('param');
      await checkWorker(tasker, c, name);
      const drained = await tasker.drainWorker(name, operatorOf(c, c.req.valid('json')));
      return c.json(as(DrainedSchema, drainedJson(drained)), 200);
    })
    .openapi(RESUME, async (c) => {
      const { name } = c.req.valid('param');
      await checkWorker(tasker, c, name);
      const { worker, changed } = await tasker.resumeWorker(name, operatorOf(c, c.req.valid('json')));
      return c.json(as(ChangedSchema, { ...workerJson(worker), changed }), 200);
    });
}

/**
 * A worker serves several namespaces. A credential may drain the worker only if the credential covers all its
 * namespaces.
 */
async function checkWorker(tasker: Tasker, c: Context, name: string): Promise<void> {
  const caller = callerOf(c);
  if (caller.namespaces === undefined) return;
  const { namespaces } = await tasker.getWorker(name);
  if (namespaces.every((namespace) => maySee(caller, namespace))) return;
  if (!namespaces.some((namespace) => maySee(caller, namespace))) {
    throw new TaskerError('worker_not_found', `worker ${name} not found`);
  }
  throw new TaskerError('forbidden', `worker ${name} also serves namespaces that this credential does not cover`);
}

function addEvents(routes: OpenAPIHono, tasker: Tasker): void {
  const everywhere = (c: Context) => checkSeesAll(callerOf(c), 'a group of subscribers');
  routes
    .openapi(REPLAY, async (c) => {
      everywhere(c);
      const { group, name, task, after, before, dry_run: dryRun, ...operator } = c.req.valid('json');
      const now = await clockFor(tasker.engine.database, after, before);
      const which = {
        group,
        ...(name !== undefined && { name }),
        ...(task !== undefined && { taskUuid: task }),
        after: timeOf(after, 'after', now) ?? undefined,
        before: timeOf(before, 'before', now) ?? undefined,
      };
      if (dryRun) {
        return c.json({ group, replayed: 0, would_replay: await tasker.events.countReplay(which) }, 200);
      }
      return c.json({ group, replayed: await tasker.events.replay(which, operatorOf(c, operator)) }, 200);
    })
    .openapi(REDELIVER, async (c) => {
      everywhere(c);
      const { group, event, ...operator } = c.req.valid('json');
      const which = { group, ...(event !== undefined && { eventId: event }) };
      return c.json({ group, redelivered: await tasker.events.redeliver(which, operatorOf(c, operator)) }, 200);
    })
    .openapi(DISCARD, async (c) => {
      everywhere(c);
      const { group, event, ...operator } = c.req.valid('json');
      const which = { group, ...(event !== undefined && { eventId: event }) };
      return c.json({ group, discarded: await tasker.events.discard(which, operatorOf(c, operator)) }, 200);
    })
    .openapi(REMOVE_GROUP, async (c) => {
      everywhere(c);
      const { group } = c.req.valid('param');
      await tasker.events.removeGroup(group, operatorOf(c, c.req.valid('json')));
      return c.json({ group, removed: true as const }, 200);
    });
}
