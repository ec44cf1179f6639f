import { DEFAULTS } from '../../config/defaults.ts';
import type { Database } from '../../db/database.ts';
import { Listener } from '../../db/listener.ts';
import { CHANNEL_EVENTS } from '../../engine/engine.ts';
import type { EventLog } from '../../engine/event-log.ts';
import { settledWithin } from '../../engine/settled-within.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { type Metrics, silentMetrics } from '../../metrics/metrics.ts';
import type { EventConsumer } from './event-consumer.ts';
import { EventTidying } from './event-tidying.ts';
import { groupsOf } from './group-consumers.ts';
import { type GroupLoad, GroupRunner } from './group-runner.ts';
import { LagGauges } from './lag-gauges.ts';
import { LogWatch } from './log-watch.ts';
import { Outage } from './outage.ts';
import { Sequencer } from './sequencer.ts';

/** How durable events are delivered. Times in milliseconds. */
export interface EventDeliveryOptions {
  /** Who holds a part of the log and gives no sign of life for so long has lost it. Default 10,000. */
  leaseMs?: number;
  /** Between looks into the log when nobody tells of new events. Default 1,000. */
  pollMs?: number;
  /** How old an event becomes that every group has passed; 0: events are kept. Default: seven days. */
  retentionMs?: number;
  /** Between two looks for old events. Default 300,000. */
  tidyEveryMs?: number;
  /** For consumers that don't say it: events handled at once (10), time for one (30,000), deliveries of one (10). */
  concurrency?: number;
  timeoutMs?: number;
  maxDeliveries?: number;
}

/** What an {@link EventDelivery} is made from. */
export interface EventDeliveryParts {
  log: EventLog;
  consumers: readonly EventConsumer[];
  /** The room's. */
  logger: Logger;
  metrics?: Metrics;
  /** Listened to on a connection of its own; undefined: whoever made this calls {@link EventDelivery.heard}. */
  listenTo?: Database;
  options?: EventDeliveryOptions;
}

const LEASE_MS = 10_000;
const POLL_MS = 1_000;
/** How long a start waits for the database; what comes later, comes by itself. */
const JOIN_MS = 10_000;
const LAST_LOOK_MS = 1_000;

/**
 * Delivers the durable events of the database to consumers of this process: one for all its groups. It needs no worker
 * here; any number of processes share the work of a group.
 *
 * @example
 * const delivery = new EventDelivery({ log: new EventLog(database), consumers, logger, listenTo: database });
 * await delivery.start();
 * await delivery.stop({ drainTimeoutMs: 5_000 });
 */
export class EventDelivery {
  readonly #groups: readonly GroupRunner[];
  readonly #logger: Logger;
  readonly #sequencer: Sequencer;
  readonly #watch: LogWatch;
  readonly #tidying: EventTidying;
  readonly #lag: LagGauges;
  readonly #listener: Listener | undefined;
  readonly #close: () => Promise<unknown[]>;
  #stopped: Promise<void> | undefined;

  constructor({ log, consumers, logger, metrics = silentMetrics, listenTo, options = {} }: EventDeliveryParts) {
    const { leaseMs = LEASE_MS, pollMs = POLL_MS, retentionMs = DEFAULTS.eventRetentionMs } = options;
    const outage = new Outage(logger);
    const groups = groupsOf(consumers, {
      concurrency: options.concurrency ?? DEFAULTS.eventConcurrency,
      timeoutMs: options.timeoutMs ?? DEFAULTS.eventTimeoutMs,
      maxDeliveries: options.maxDeliveries ?? DEFAULTS.eventMaxDeliveries,
    });
    this.#logger = logger;
    this.#groups = groups.map((of) => new GroupRunner({ log, consumers: of, leaseMs, logger, metrics, outage }));
    this.#close = async () => (await Promise.all(groups.map((group) => group.close()))).flat();
    this.#sequencer = new Sequencer(log, { outage, placed: () => this.#wake() });
    this.#watch = new LogWatch({ log, groups: this.#groups, pollMs, outage, unplaced: () => this.#sequencer.run() });
    this.#tidying = new EventTidying(log, { retentionMs, logger, everyMs: options.tidyEveryMs });
    const names = groups.map(({ name }) => name);
    this.#lag = new LagGauges(log, names, { metrics, logger });
    this.#listener =
      listenTo &&
      new Listener(listenTo, [CHANNEL_EVENTS], { onNotify: () => this.heard(), onCatchUp: () => this.heard() }, logger);
  }

  /** What each group does in this process right now. */
  get load(): GroupLoad[] {
    return this.#groups.map((group) => group.load);
  }

  /**
   * Joins the groups and begins to deliver. When this resolves, new groups get all that is committed from now on; while the
   * database is away it resolves too, and goes on by itself when that is back.
   */
  async start(): Promise<void> {
    this.#tidying.start();
    if (this.#groups.length === 0) return;
    await settledWithin(JOIN_MS, Promise.all(this.#groups.map((group) => this.#join(group))));
    if (this.#stopped) return;
    for (const group of this.#groups) group.start();
    this.#watch.start();
    await this.#listener?.start();
  }

  async #join(group: GroupRunner): Promise<void> {
    try {
      await group.join();
    } catch (error) {
      this.#logger.debug({ group: group.name, error: messageOf(error) }, 'a group could not join yet');
    }
  }

  /** Durable events were committed, here or in another process: `tasker_events` was notified. Costs nothing while it is busy. */
  heard(): void {
    if (this.#groups.length > 0) this.#sequencer.run();
  }

  #wake(): void {
    for (const group of this.#groups) group.wake();
  }

  /**
   * Begins nothing more, lets what runs finish for `drainTimeoutMs` (30,000), then fires its signal and lets go of what is
   * left: other processes take it at once. What was handled is not delivered again. Closes the consumers.
   */
  stop({ drainTimeoutMs = DEFAULTS.drainTimeoutMs }: { drainTimeoutMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(drainTimeoutMs);
    return this.#stopped;
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    await Promise.all([
      this.#listener?.stop(),
      // Both change nothing that counts, and may wait for the database.
      settledWithin(LAST_LOOK_MS, Promise.all([this.#watch.stop(), this.#sequencer.stop()])),
      ...this.#groups.map((group) => group.stop({ drainTimeoutMs })),
    ]);
    this.#tidying.stop();
    this.#lag.stop();
    for (const error of await this.#close()) {
      this.#logger.warn({ error: messageOf(error) }, 'a consumer of events did not close cleanly');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
