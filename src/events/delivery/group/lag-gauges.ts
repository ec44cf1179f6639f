import type { EventLog } from '../../../engine/events/log.ts';
import { messageOf } from '../../../errors.ts';
import type { Logger } from '../../../logging/logger.ts';
import type { Metrics } from '../../../metrics/metrics.ts';
import { waitAtMost } from '../../../time/wait-at-most.ts';

/** However often somebody asks, the log is not counted more often. */
const COUNT_MS = 5_000;
/** A report does not wait longer for the database: the lag is in the next one. */
const REPORT_MS = 1_000;

/**
 * Updates the lag of the groups whenever metrics are collected. Groups may be added and removed meanwhile. Returns a
 * function that ends this.
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
      // Whoever watches must see the rest while the database is away; that it is away is among it.
      logger.debug({ error: messageOf(error) }, 'how far groups are behind could not be counted');
    }
  };
  return metrics.onCollect(async () => {
    if (groups.size === 0 || performance.now() - countedAt < COUNT_MS) return;
    countedAt = performance.now();
    await waitAtMost(REPORT_MS, count());
  });
}
