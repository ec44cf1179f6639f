import type { MetricValue } from '../metrics/metrics.ts';

type Values = Record<string, MetricValue>;

/** What a worker counted of domain events, in the form of `/metrics/events`. */
export function eventCounts(values: Values) {
  const published = (mode?: string) => sumOf(values, 'published_total', mode === undefined ? {} : { mode });
  const unpublished = (reason: string) => sumOf(values, 'unpublished_total', { reason });
  return {
    router: {
      total_routed: published(),
      durable_routed: published('durable'),
      fast_routed: published('fast'),
      broadcast_routed: published('broadcast'),
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

/** All samples of an instrument that have these labels. */
function sumOf(values: Values, what: string, wanted: Record<string, string> = {}): number {
  const name = `tasker_domain_events_${what}`;
  let sum = 0;
  for (const [key, { value, labels }] of Object.entries(values)) {
    if (key !== name && !key.startsWith(`${name}{`)) continue;
    if (Object.entries(wanted).every(([label, text]) => labels[label] === text)) sum += value;
  }
  return sum;
}
