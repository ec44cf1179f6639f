import { packageVersion } from '../config/package-version.ts';
import { messageOf } from '../errors.ts';
import type { EventBus } from '../events/subscribing/event-bus.ts';
import { waitAtMost } from '../time/wait-at-most.ts';
import type { TaskerParts } from './tasker-parts.ts';

/** Minimum time between two counts of the queue, however often metrics are collected. */
const DEPTH_MS = 5_000;
/** How long a collection waits for the count; a late result is part of the next collection. */
const REPORT_MS = 1_000;

/** The metrics of a tasker that are read at collection, among them the depth of its queues. */
export class TaskerCounts {
  readonly #parts: TaskerParts;
  readonly #namespaces: () => readonly string[];
  readonly #bus: EventBus;
  readonly #startedAt = performance.now();
  readonly #forget: () => void;
  #depthsAt = Number.NEGATIVE_INFINITY;

  constructor(parts: TaskerParts, { namespaces, bus }: { namespaces(): readonly string[]; bus: EventBus }) {
    this.#parts = parts;
    this.#namespaces = namespaces;
    this.#bus = bus;
    this.#forget = parts.metrics.onCollect(() => this.#collect());
  }

  async #collect(): Promise<void> {
    const { workerInfo, workerUptime, eventsDispatched, eventsDropped, eventsQueued } = this.#parts.metrics.instruments;
    eventsDispatched.reach(this.#bus.dispatched);
    eventsDropped.reach(this.#bus.dropped);
    eventsQueued.set(this.#bus.waiting);
    workerInfo.of(packageVersion(), this.#parts.name).set(1);
    workerUptime.set((performance.now() - this.#startedAt) / 1000);
    if (performance.now() - this.#depthsAt < DEPTH_MS) return;
    this.#depthsAt = performance.now();
    await waitAtMost(REPORT_MS, this.#countQueues());
  }

  async #countQueues(): Promise<void> {
    const namespaces = this.#namespaces();
    if (namespaces.length === 0) return;
    try {
      const depths = await this.#parts.engine.queueDepths(namespaces, { timeoutMs: DEPTH_MS });
      for (const [namespace, depth] of depths) this.#parts.metrics.instruments.queueDepth.of(namespace).set(depth);
    } catch (error) {
      // The other metrics must be readable while the database is down; they show that it is.
      this.#parts.logger.debug({ error: messageOf(error) }, 'counting the queue failed');
    }
  }

  /** Removes the instruments from the registry that was given. */
  stop(): void {
    this.#forget();
    this.#parts.metrics.close();
  }
}
