import { OpenAPIHono } from '@hono/zod-openapi';
import { jsonRoute } from './route.ts';
import { ConfigSchema } from './schemas.ts';
import type { ServedWorker } from './served-worker.ts';

const CONFIG = jsonRoute({
  method: 'get',
  path: '/config',
  summary: 'what the worker was configured with, secrets hidden',
  answer: ConfigSchema,
  errors: [403],
});

/** The effective configuration, where it is to be shown. */
export function configRoute(worker: ServedWorker, config: () => Record<string, unknown>): OpenAPIHono {
  return new OpenAPIHono().openapi(CONFIG, (c) => {
    const { workerId, version, environment } = worker.facts();
    return c.json(
      {
        metadata: { timestamp: new Date().toISOString(), environment, version },
        worker_id: workerId,
        worker_type: 'typescript',
        auth: { enabled: false },
        messaging: { backend: 'postgresql', queues: ['worker_dispatch_queue', 'worker_completion_queue'] },
        configuration: config(),
      },
      200,
    );
  });
}
