import type { EventLog } from '../../../engine/events/log.ts';
import { messageOf } from '../../../errors.ts';
import type { Logger } from '../../../logging/logger.ts';
import type { Metrics } from '../../../metrics/metrics.ts';
import { waitAtMost } from '../../../time/wait-at-most.ts';

/** Minimum time between two counts of the log, regardless of how often metrics are collected. */
const COUNT_MS = 5_000;
/** How long a report waits for the database. A later result appears in the next report. */
const REPORT_MS = 1_000;

/**
 * Updates the lag of the groups whenever metrics are collected. Groups can be added and removed at any time. Returns a
 * function that stops the updates.
 */
export function showLag(
  log: EventLog,
  groups: ReadonlySet<{ name: string }>,
  { metrics, logger }: { metrics: Metrics; logger: Logger },
): () => void {
  const { eventsWaiting, eventsRetrying, eventLag } = metrics.instruments;
  let countedAt = Number.NEGATIVE_INFINITY;
  const count = async () => {
    const names = new Set([...groups].map(({ name }) => name));
    try {
      for (const { name, waiting, retrying, secondsBehind } of await log.groups()) {
        if (!names.has(name)) continue;
        eventsWaiting.of(name).set(waiting);
        eventsRetrying.of(name).set(retrying);
        eventLag.of(name).set(secondsBehind);
      }
    } catch (error) {
      // The other metrics must stay readable during a database outage, because they help to diagnose it.
      logger.debug({ error: messageOf(error) }, 'lag of event groups not counted');
    }
  };
  return metrics.onCollect(async () => {
    if (groups.size === 0 || performance.now() - countedAt < COUNT_MS) return;
    countedAt = performance.now();
    await waitAtMost(REPORT_MS, count());
  });
}
