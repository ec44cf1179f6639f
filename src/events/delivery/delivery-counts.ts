import type { Counter, Gauge } from '../../metrics/instrument.ts';
import type { Metrics } from '../../metrics/metrics.ts';

/** What is told of one group. */
export interface GroupCounts {
  delivered: Counter;
  failed: Counter;
  dead: Counter;
  late: Gauge;
}

/** The instruments of a group. */
export function groupCounts({ instruments }: Metrics, group: string): GroupCounts {
  const { eventsDelivered, eventsFailed, eventsDead, eventsLate } = instruments;
  return {
    delivered: eventsDelivered.of(group),
    failed: eventsFailed.of(group),
    dead: eventsDead.of(group),
    late: eventsLate.of(group),
  };
}
