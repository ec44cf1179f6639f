import { OpenAPIHono, z } from '@hono/zod-openapi';
import { queueJson, type WorkerInfo, workerDetailsJson, workerJson } from '../../app/json/overview.ts';
import { snakeKeys } from '../../app/json/views.ts';
import { listHandlers } from '../../app/overview/handlers.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { type Caller, callerOf } from '../caller.ts';
import { orNull } from '../or-null.ts';
import { flag, listed, pageFields, pageOf, pageQuery } from '../query.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { maySee } from '../scope.ts';
import { PauseSchema } from './task-detail-schemas.ts';
import { nullableText, QueueSchema, WorkerDetailsSchema, WorkerSchema } from './worker-schemas.ts';

const WORKERS = describeRoute({
  method: 'get',
  path: '/v1/workers',
  permission: 'workers:read',
  scoped: true,
  summary: 'Lists the live workers of all processes, and recently ended workers',
  request: {
    query: z.object({
      namespace: listed.optional().openapi({ description: 'Only workers that serve one of these namespaces.' }),
      state: listed.optional(),
      all: flag
        .optional()
        .openapi({ description: 'Includes workers that ended in the last day. Default: in the last hour.' }),
      ...pageQuery(1000),
    }),
  },
  answer: z.object({ workers: z.array(WorkerSchema), ...pageFields }).openapi('WorkerList'),
});
const WORKER = describeRoute({
  method: 'get',
  path: '/v1/workers/{name}',
  permission: 'workers:read',
  scoped: true,
  summary: 'Returns a worker, by its name or id, with its running steps',
  request: { params: z.object({ name: z.string() }) },
  answer: WorkerDetailsSchema,
  errors: [404],
});
const QUEUES = describeRoute({
  method: 'get',
  path: '/v1/queues',
  permission: 'workers:read',
  scoped: true,
  summary: 'Returns the queue of every namespace',
  request: { query: z.object({ namespace: z.string().optional() }) },
  answer: z.object({ queues: z.array(QueueSchema), ...pageFields }).openapi('QueueList'),
});
const HANDLERS = describeRoute({
  method: 'get',
  path: '/v1/handlers',
  permission: 'system:handlers_read',
  scoped: true,
  summary: 'Lists the handlers that templates name, with the live workers that have each',
  request: { query: z.object({ namespace: z.string().optional(), ...pageQuery(1000) }) },
  answer: z
    .object({
      handlers: z.array(
        z.object({
          namespace: z.string(),
          handler: z.string(),
          resolver: nullableText,
          steps: z.array(z.object({ template: z.string(), version: z.string(), step: z.string() })),
          workers: z.array(z.string()).openapi({ description: 'Empty if no live worker can run these steps.' }),
        }),
      ),
      ...pageFields,
    })
    .openapi('HandlerList'),
});
const NAMESPACES = describeRoute({
  method: 'get',
  path: '/v1/namespaces',
  permission: 'templates:read',
  scoped: true,
  summary: 'Lists the namespaces, with their ready steps and their pause',
  answer: z
    .object({
      namespaces: z.array(
        z.object({
          name: z.string(),
          templates: z.int(),
          ready_steps: z.int(),
          paused_steps: z.int(),
          pause: orNull(PauseSchema),
        }),
      ),
      ...pageFields,
    })
    .openapi('NamespaceList'),
});

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
