import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { eventCounts } from './event-counts.ts';
import { jsonRoute } from './route.ts';
import { EventMetricsSchema, WorkerMetricsSchema } from './schemas.ts';
import type { EventGroupFacts, ServedWorker } from './served-worker.ts';

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
const EVENT_METRICS = jsonRoute({
  method: 'get',
  path: '/metrics/events',
  summary: 'domain events: published, delivered, failed; and how far each group is behind',
  answer: EventMetricsSchema,
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
    })
    .openapi(EVENT_METRICS, async (c) => {
      const [values, groups] = await Promise.all([worker.metrics.json(), worker.eventGroups()]);
      const { in_process_bus, ...counts } = eventCounts(values);
      return c.json(
        {
          ...counts,
          in_process_bus: { ...in_process_bus, subscriber_count: worker.eventListeners() },
          groups: groups?.map(groupJson) ?? null,
          captured_at: new Date().toISOString(),
          worker_id: worker.facts().workerId,
        },
        200,
      );
    });
}

function groupJson({ patterns, secondsBehind, membersDiffer, ...group }: EventGroupFacts) {
  const { name, waiting, retrying, dead, members } = group;
  const differ = { members, members_differ: membersDiffer };
  return { name, patterns: [...patterns], waiting, seconds_behind: secondsBehind, retrying, dead, ...differ };
}
