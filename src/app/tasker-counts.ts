import { packageVersion } from '../config/package-version.ts';
import type { Engine } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { EventBus } from '../events/subscribing/event-bus.ts';
import type { Logger } from '../logging/logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { waitAtMost } from '../time/wait-at-most.ts';

/** However often somebody asks, the queue is not counted more often. */
const DEPTH_MS = 5_000;
/** A report does not wait longer for the database: the depths are in the next one. */
const REPORT_MS = 1_000;

/** Counts what a tasker hears, and looks how deep its queues are when somebody asks. */
export class TaskerCounts {
  readonly #metrics: Metrics;
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #namespaces: () => readonly string[];
  readonly #bus: EventBus;
  readonly #startedAt = performance.now();
  readonly #forget: () => void;
  #depthsAt = Number.NEGATIVE_INFINITY;

  constructor(
    { metrics, engine, logger, name }: { metrics: Metrics; engine: Engine; logger: Logger; name: string },
    { namespaces, bus }: { namespaces(): readonly string[]; bus: EventBus },
  ) {
    this.#metrics = metrics;
    this.#engine = engine;
    this.#logger = logger;
    this.#namespaces = namespaces;
    this.#bus = bus;
    this.#forget = metrics.onCollect(() => this.#collect(name));
  }

  heard(channel: string): void {
    this.#metrics.instruments.messagesReceived.of(channel).add();
  }

  async #collect(name: string): Promise<void> {
    const { workerInfo, workerUptime, eventsDispatched, eventsDropped, eventsQueued } = this.#metrics.instruments;
    eventsDispatched.reach(this.#bus.dispatched);
    eventsDropped.reach(this.#bus.dropped);
    eventsQueued.set(this.#bus.waiting);
    workerInfo.of(packageVersion(), name).set(1);
    workerUptime.set((performance.now() - this.#startedAt) / 1000);
    if (performance.now() - this.#depthsAt < DEPTH_MS) return;
    this.#depthsAt = performance.now();
    await waitAtMost(REPORT_MS, this.#countQueues());
  }

  async #countQueues(): Promise<void> {
    const namespaces = this.#namespaces();
    if (namespaces.length === 0) return;
    try {
      const depths = await this.#engine.queueDepths(namespaces, { timeoutMs: DEPTH_MS });
      for (const [namespace, depth] of depths) this.#metrics.instruments.queueDepth.of(namespace).set(depth);
    } catch (error) {
      // Whoever watches must see the rest while the database is away; that it is away is among it.
      this.#logger.debug({ error: messageOf(error) }, 'the queue could not be counted');
    }
  }

  /** Takes the instruments out of the registry that was given. */
  stop(): void {
    this.#forget();
    this.#metrics.close();
  }
}
