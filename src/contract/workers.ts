import { z } from 'zod';
import { NAMES } from './schemas/names.ts';
import { ActBody } from './schemas/operator.ts';
import { flag, listed, pageFields, pageQuery } from './schemas/query.ts';
import {
  ChangedSchema,
  DrainedSchema,
  nullableText,
  QueueSchema,
  WorkerDetailsSchema,
  WorkerSchema,
} from './schemas/workers.ts';
import { verb } from './verb.ts';

const Worker = z.object({ name: z.string().meta({ description: 'The name or id of a worker.' }) });

/** The verbs for workers. */
export const workers = {
  list: verb({
    method: 'get',
    path: '/v1/workers',
    on: 'visible',
    permission: 'workers:read',
    summary: 'Lists the live workers of all processes, and recently ended workers',
    takes: {
      query: z.object({
        namespace: listed.optional().meta({ description: 'Only workers that serve one of these namespaces.' }),
        state: listed.optional(),
        all: flag
          .optional()
          .meta({ description: 'Includes workers that ended in the last day. Default: in the last hour.' }),
        ...pageQuery(1000),
      }),
    },
    gives: z.object({ workers: z.array(WorkerSchema), ...pageFields }).register(NAMES, { id: 'WorkerList' }),
    mcp: {
      name: 'worker_list',
      description: 'Lists workers, with their namespaces and running steps.',
      without: ['namespace', 'state', 'all'],
    },
  }),
  get: verb({
    method: 'get',
    path: '/v1/workers/{name}',
    on: 'visible',
    permission: 'workers:read',
    summary: 'Returns a worker, by its name or id, with its running steps',
    takes: { path: z.object({ name: z.string() }) },
    gives: WorkerDetailsSchema,
    errors: [404],
  }),
  queues: verb({
    method: 'get',
    path: '/v1/queues',
    on: 'visible',
    permission: 'workers:read',
    summary: 'Returns the queue of every namespace',
    takes: { query: z.object({ namespace: z.string().optional() }) },
    gives: z.object({ queues: z.array(QueueSchema), ...pageFields }).register(NAMES, { id: 'QueueList' }),
  }),
  handlers: verb({
    method: 'get',
    path: '/v1/handlers',
    on: 'visible',
    permission: 'system:handlers_read',
    summary: 'Lists the handlers that templates name, with the live workers that have each',
    takes: { query: z.object({ namespace: z.string().optional(), ...pageQuery(1000) }) },
    gives: z
      .object({
        handlers: z.array(
          z.object({
            namespace: z.string(),
            handler: z.string(),
            resolver: nullableText,
            steps: z.array(z.object({ template: z.string(), version: z.string(), step: z.string() })),
            workers: z.array(z.string()).meta({ description: 'Empty if no live worker can run these steps.' }),
          }),
        ),
        ...pageFields,
      })
      .register(NAMES, { id: 'HandlerList' }),
  }),
  drain: verb({
    method: 'post',
    path: '/v1/workers/{name}/drain',
    on: 'visible',
    permission: 'workers:drain',
    summary: 'Asks a worker to stop taking steps; GET /v1/workers/{name} shows the progress',
    takes: { path: Worker, optionalBody: ActBody },
    gives: DrainedSchema,
    errors: [404, 409],
  }),
  resume: verb({
    method: 'post',
    path: '/v1/workers/{name}/resume',
    on: 'visible',
    permission: 'workers:drain',
    summary: 'Lets a drained worker take steps again',
    takes: { path: Worker, optionalBody: ActBody },
    gives: ChangedSchema,
    errors: [404, 409],
  }),
};
