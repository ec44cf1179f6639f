import type { EventLog } from '../../../engine/events/log.ts';
import { messageOf } from '../../../errors.ts';
import type { Logger } from '../../../logging/logger.ts';
import type { Metrics } from '../../../metrics/metrics.ts';
import { waitAtMost } from '../../../time/wait-at-most.ts';

/** However often somebody asks, the log is not counted more often. */
const COUNT_MS = 5_000;
/** A report does not wait longer for the database: the lag is in the next one. */
const REPORT_MS = 1_000;

/** Shows how far groups are behind, whenever somebody reads the metrics. */
export class LagGauges {
  readonly #log: EventLog;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #groups: ReadonlySet<{ name: string }>;
  readonly #forget: () => void;
  #countedAt = Number.NEGATIVE_INFINITY;

  /** The groups may come and go. */
  constructor(
    log: EventLog,
    groups: ReadonlySet<{ name: string }>,
    { metrics, logger }: { metrics: Metrics; logger: Logger },
  ) {
    this.#log = log;
    this.#groups = groups;
    this.#metrics = metrics;
    this.#logger = logger;
    this.#forget = metrics.onCollect(() => this.#collect());
  }

  async #collect(): Promise<void> {
    if (this.#groups.size === 0 || performance.now() - this.#countedAt < COUNT_MS) return;
    this.#countedAt = performance.now();
    await waitAtMost(REPORT_MS, this.#count());
  }

  async #count(): Promise<void> {
    const { eventsWaiting, eventsRetrying, eventLag } = this.#metrics.instruments;
    const names = new Set([...this.#groups].map(({ name }) => name));
    try {
      for (const { name, waiting, retrying, secondsBehind } of await this.#log.groups()) {
        if (!names.has(name)) continue;
        eventsWaiting.of(name).set(waiting);
        eventsRetrying.of(name).set(retrying);
        eventLag.of(name).set(secondsBehind);
      }
    } catch (error) {
      // Whoever watches must see the rest while the database is away; that it is away is among it.
      this.#logger.debug({ error: messageOf(error) }, 'how far groups are behind could not be counted');
    }
  }

  stop(): void {
    this.#forget();
  }
}
