import { packageVersion } from '../config/package-version.ts';
import { messageOf } from '../errors.ts';
import type { EventBus } from '../events/subscribing/event-bus.ts';
import { waitAtMost } from '../time/wait-at-most.ts';
import type { TaskerParts } from './tasker-parts.ts';

/** Minimum time between two counts of the queue, however often metrics are collected. */
const DEPTH_MS = 5_000;
/** How long a collection waits for the count; a late result is part of the next collection. */
const REPORT_MS = 1_000;

/**
 * Sets the metrics of a tasker that are read at collection, among them the depth of its queues. Returns a function that
 * removes the instruments from the registry that was given.
 */
export function countTasker(
  parts: TaskerParts,
  { namespaces, bus }: { namespaces(): readonly string[]; bus: EventBus },
): () => void {
  const { metrics, name } = parts;
  const { workerInfo, workerUptime, eventsDispatched, eventsDropped, eventsQueued } = metrics.instruments;
  const startedAt = performance.now();
  let depthsAt = Number.NEGATIVE_INFINITY;
  const forget = metrics.onCollect(async () => {
    eventsDispatched.reach(bus.dispatched);
    eventsDropped.reach(bus.dropped);
    eventsQueued.set(bus.waiting);
    workerInfo.of(packageVersion(), name).set(1);
    workerUptime.set((performance.now() - startedAt) / 1000);
    if (performance.now() - depthsAt < DEPTH_MS) return;
    depthsAt = performance.now();
    await waitAtMost(REPORT_MS, countQueues(parts, namespaces()));
  });
  return () => {
    forget();
    metrics.close();
  };
}

async function countQueues({ engine, metrics, logger }: TaskerParts, namespaces: readonly string[]): Promise<void> {
  if (namespaces.length === 0) return;
  try {
    const depths = await engine.queueDepths(namespaces, { timeoutMs: DEPTH_MS });
    for (const [namespace, depth] of depths) metrics.instruments.queueDepth.of(namespace).set(depth);
  } catch (error) {
    // The other metrics must be readable while the database is down; they show that it is.
    logger.debug({ error: messageOf(error) }, 'queue depth query failed');
  }
}
