import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { workerProcess } from '../contract/process.ts';
import type { EventGroup } from '../engine/events/groups.ts';
import type { MetricValue } from '../metrics/metrics.ts';
import { jsonRoute } from './route.ts';
import type { ServedWorker } from './served-worker.ts';

const { path, summary } = workerProcess.metrics;
const PROMETHEUS = createRoute({
  method: 'get',
  path,
  summary,
  responses: { 200: { description: summary, content: { 'text/plain': { schema: z.string() } } } },
});
const JSON_METRICS = jsonRoute(workerProcess.metricsJson);
const EVENT_METRICS = jsonRoute(workerProcess.eventMetrics);

/** The metrics of the worker. */
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
      const { workerId } = worker.facts();
      return c.json(eventMetricsJson({ values, groups, listeners: worker.eventListeners(), workerId }), 200);
    });
}

/** The parts of `/metrics/events`. */
export interface EventMetricsParts {
  values: Values;
  /** Null if the database does not respond. */
  groups: readonly EventGroup[] | null;
  /** Number of listeners for fast events in this process. */
  listeners: number;
  workerId: string;
}

/** Returns the response of `/metrics/events`. */
export function eventMetricsJson({ values, groups, listeners, workerId }: EventMetricsParts) {
  const { in_process_bus: bus, ...counts } = eventCounts(values);
  return {
    ...counts,
    in_process_bus: {
      ...bus,
      subscriber_count: listeners,
      // Uses the names of the original system, whose subscribers in other languages were behind a channel.
      rust_handler_dispatches: 0,
      rust_handler_errors: 0,
      rust_subscriber_patterns: 0,
      rust_handler_count: 0,
      ffi_channel_dispatches: bus.total_events_dispatched,
      ffi_channel_drops: bus.dropped,
      ffi_subscriber_count: listeners,
    },
    groups: groups?.map(groupJson) ?? null,
    captured_at: new Date().toISOString(),
    worker_id: workerId,
  };
}

function groupJson({ name, patterns, waiting, secondsBehind, retrying, dead, members, membersDiffer }: EventGroup) {
  const differ = { members, members_differ: membersDiffer };
  return { name, patterns: [...patterns], waiting, seconds_behind: secondsBehind, retrying, dead, ...differ };
}

type Values = Record<string, MetricValue>;

/** The metrics of domain events, in the form of `/metrics/events`. */
function eventCounts(values: Values) {
  const published = (mode?: string) => sumOf(values, 'published_total', mode === undefined ? {} : { mode });
  const unpublished = (reason: string) => sumOf(values, 'unpublished_total', { reason });
  return {
    router: {
      total_routed: published(),
      durable_routed: published('durable'),
      fast_routed: published('fast'),
      broadcast_routed: published('broadcast'),
      fast_delivery_errors: sumOf(values, 'dropped_total'),
      routing_errors: unpublished('invalid') + unpublished('failed'),
    },
    unpublished: { invalid: unpublished('invalid'), failed: unpublished('failed'), refused: unpublished('refused') },
    in_process_bus: {
      total_events_dispatched: sumOf(values, 'dispatched_total'),
      dropped: sumOf(values, 'dropped_total'),
      waiting: sumOf(values, 'channel_depth'),
    },
    deliveries: {
      delivered: sumOf(values, 'delivered_total'),
      failed: sumOf(values, 'failed_total'),
      dead: sumOf(values, 'dead_total'),
    },
  };
}

/** The sum of an instrument's samples with these labels. */
function sumOf(values: Values, what: string, wanted: Record<string, string> = {}): number {
  const name = `tasker_domain_events_${what}`;
  let sum = 0;
  for (const [key, { value, labels }] of Object.entries(values)) {
    if (key !== name && !key.startsWith(`${name}{`)) continue;
    if (Object.entries(wanted).every(([label, text]) => labels[label] === text)) sum += value;
  }
  return sum;
}
