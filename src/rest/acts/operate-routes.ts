import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { drainedJson, workerJson } from '../../app/json/acts.ts';
import type { Tasker } from '../../app/tasker.ts';
import { events } from '../../contract/events.ts';
import { as } from '../../contract/schemas/acts.ts';
import { ChangedSchema, DrainedSchema } from '../../contract/schemas/workers.ts';
import { workers } from '../../contract/workers.ts';
import { clockFor } from '../../engine/search/clock.ts';
import { timeOf } from '../../engine/search/filter.ts';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkSeesAll, maySee } from '../scope.ts';
import { operatorOf } from './operator.ts';

const DRAIN = describeRoute(workers.drain);
const RESUME = describeRoute(workers.resume);
const REPLAY = describeRoute(events.replay);
const REDELIVER = describeRoute(events.redeliver);
const DISCARD = describeRoute(events.discard);
const REMOVE_GROUP = describeRoute(events.removeGroup);

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
