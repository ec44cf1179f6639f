import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { jsonRoute } from './route.ts';
import { WorkerMetricsSchema } from './schemas.ts';
import type { ServedWorker } from './served-worker.ts';

const PROMETHEUS = createRoute({
  method: 'get',
  path: '/metrics',
  summary: "every instrument, in Prometheus' text format",
  responses: { 200: { description: 'the metrics', content: { 'text/plain': { schema: z.string() } } } },
});
const JSON_METRICS = jsonRoute({
  method: 'get',
  path: '/metrics/worker',
  summary: 'the same as JSON',
  answer: WorkerMetricsSchema,
});

/** What the worker counts. */
export function metricsRoutes(worker: ServedWorker): OpenAPIHono {
  return new OpenAPIHono()
    .openapi(PROMETHEUS, async (c) => {
      const { metrics } = worker;
      return c.text(await metrics.text(), 200, { 'content-type': metrics.contentType });
    })
    .openapi(JSON_METRICS, async (c) => {
      const about = { timestamp: new Date().toISOString(), worker_id: worker.facts().workerId };
      return c.json({ metrics: await worker.metrics.json(), ...about }, 200);
    });
}
