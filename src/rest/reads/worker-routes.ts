import { OpenAPIHono } from '@hono/zod-openapi';
import { queueJson, type WorkerInfo, workerDetailsJson, workerJson } from '../../app/json/overview.ts';
import { snakeKeys } from '../../app/json/views.ts';
import { listHandlers } from '../../app/overview/handlers.ts';
import type { Tasker } from '../../app/tasker.ts';
import { namespaces } from '../../contract/namespaces.ts';
import { workers } from '../../contract/workers.ts';
import { TaskerError } from '../../errors.ts';
import { type Caller, callerOf } from '../caller.ts';
import { pageOf } from '../positions.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { maySee } from '../scope.ts';

const WORKERS = describeRoute(workers.list);
const WORKER = describeRoute(workers.get);
const QUEUES = describeRoute(workers.queues);
const HANDLERS = describeRoute(workers.handlers);
const NAMESPACES = describeRoute(namespaces.list);

const DAY_MS = 86_400_000;
const WHOLE = { next_cursor: null, previous_cursor: null };

/** Routes for workers, queues, handlers and namespaces. */
export function workerRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(WORKERS, async (c) => {
      const { namespace, state, all, ...page } = c.req.valid('query');
      const caller = callerOf(c);
      const found = await tasker.listWorkers({
        ...(state !== undefined && { state: state as WorkerInfo['state'][] }),
        ...(all && { endedWithinMs: DAY_MS }),
      });
      const visible = found.filter((worker) => isVisible(worker, caller)).map((worker) => visiblePart(worker, caller));
      const wanted = visible.filter(
        ({ namespaces }) => namespace === undefined || namespaces.some((one) => namespace.includes(one)),
      );
      const { items, ...cursors } = pageOf(wanted, page);
      return c.json({ workers: items.map(workerJson), ...cursors }, 200);
    })
    .openapi(WORKER, async (c) => {
      const { name } = c.req.valid('param');
      const caller = callerOf(c);
      const worker = await tasker.getWorker(name);
      if (!isVisible(worker, caller)) {
        throw new TaskerError('worker_not_found', `worker ${name} not found`);
      }
      const steps = worker.steps.filter(({ namespace }) => maySee(caller, namespace));
      return c.json(workerDetailsJson({ ...visiblePart(worker, caller), steps }), 200);
    })
    .openapi(QUEUES, async (c) => {
      const caller = callerOf(c);
      const { namespace } = c.req.valid('query');
      // The error for an unknown namespace lists the existing namespaces.
      const only = namespace === undefined || caller.namespaces !== undefined ? {} : { namespace };
      const queues = await tasker.queues(only);
      const seen = queues.filter(
        (queue) => maySee(caller, queue.namespace) && (namespace === undefined || queue.namespace === namespace),
      );
      return c.json({ queues: seen.map(queueJson), ...WHOLE }, 200);
    })
    .openapi(HANDLERS, async (c) => {
      const { namespace, ...page } = c.req.valid('query');
      const caller = callerOf(c);
      const all = (await listHandlers(tasker.engine)).filter(
        (one) => (namespace === undefined || one.namespace === namespace) && maySee(caller, one.namespace),
      );
      const { items, ...cursors } = pageOf(all, page);
      return c.json({ handlers: items, ...cursors }, 200);
    })
    .openapi(NAMESPACES, async (c) => {
      const caller = callerOf(c);
      const [namespaces, pauses] = await Promise.all([tasker.engine.listNamespaces(), tasker.pauses()]);
      const paused = new Map(pauses.filter(({ scope }) => scope === 'namespace').map((pause) => [pause.target, pause]));
      const shown = namespaces
        .filter(({ name }) => maySee(caller, name))
        .map((one) => {
          const pause = paused.get(one.name);
          return { ...snakeKeys(one), pause: pause ? snakeKeys(pause) : null };
        });
      return c.json({ namespaces: shown, ...WHOLE }, 200);
    });
}

function isVisible({ namespaces }: WorkerInfo, caller: Caller): boolean {
  return caller.namespaces === undefined || namespaces.some((namespace) => maySee(caller, namespace));
}

/** Omits the data of other namespaces. */
function visiblePart<Worker extends WorkerInfo>(worker: Worker, caller: Caller): Worker {
  if (caller.namespaces === undefined) return worker;
  return {
    ...worker,
    namespaces: worker.namespaces.filter((namespace) => maySee(caller, namespace)),
    missingHandlers: worker.missingHandlers.filter(({ namespace }) => maySee(caller, namespace)),
  };
}
