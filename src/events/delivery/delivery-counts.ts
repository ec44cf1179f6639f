import type { Counter } from '../../metrics/instrument.ts';
import type { Metrics } from '../../metrics/metrics.ts';

/** What is counted of one group. */
export interface GroupCounts {
  delivered: Counter;
  failed: Counter;
  dead: Counter;
}

/** The counters of a group. */
export function groupCounts({ instruments }: Metrics, group: string): GroupCounts {
  const { eventsDelivered, eventsFailed, eventsDead } = instruments;
  return { delivered: eventsDelivered.of(group), failed: eventsFailed.of(group), dead: eventsDead.of(group) };
}
