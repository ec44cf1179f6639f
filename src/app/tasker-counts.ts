import { packageVersion } from '../config/package-version.ts';
import { messageOf } from '../errors.ts';
import type { EventBus } from '../events/subscribing/event-bus.ts';
import { waitAtMost } from '../time/wait-at-most.ts';
import { OverviewGauges } from './overview/gauges.ts';
import type { TaskerParts } from './tasker-parts.ts';

/** How long a collection waits for the overview; a late result is part of the next collection. */
const REPORT_MS = 1_000;

/**
 * Sets the metrics of a tasker that are read at collection, including those of the whole database. Returns a function
 * that removes the instruments from the given registry.
 */
export function countTasker(parts: TaskerParts, bus: EventBus): () => void {
  const { engine, metrics, name, logger } = parts;
  const { workerInfo, workerUptime, eventsDispatched, eventsDropped, eventsQueued } = metrics.instruments;
  const startedAt = performance.now();
  const overview = new OverviewGauges(engine.database, metrics.instruments);
  const forget = metrics.onCollect(async () => {
    eventsDispatched.reach(bus.dispatched);
    eventsDropped.reach(bus.dropped);
    eventsQueued.set(bus.waiting);
    workerInfo.of(packageVersion(), name, engine.database.schema.name).set(1);
    workerUptime.set((performance.now() - startedAt) / 1000);
    // The other metrics must stay readable during a database outage, because they help to diagnose it.
    const read = overview
      .collect()
      .catch((error: unknown) => logger.debug({ error: messageOf(error) }, 'read of the overview for metrics failed'));
    await waitAtMost(REPORT_MS, read);
    overview.age();
  });
  return () => {
    forget();
    metrics.close();
  };
}
