import { DEFAULTS } from '../../config/defaults.ts';
import type { Database } from '../../db/database.ts';
import { Listener } from '../../db/listener.ts';
import { CHANNEL_EVENTS } from '../../engine/engine.ts';
import type { EventLog } from '../../engine/events/log.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { type Metrics, silentMetrics } from '../../metrics/metrics.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import type { EventConsumer, RunningConsumers, StopOptions } from './event-consumer.ts';
import { type EventTidyingOptions, tidyEvents } from './event-tidying.ts';
import { type ConsumerDefaults, groupsOf } from './group/consumers.ts';
import { showLag } from './group/lag-gauges.ts';
import { type GroupLoad, GroupRunner, type GroupRunnerParts } from './group/runner.ts';
import { LogWatch } from './log-watch.ts';
import { Outage } from './outage.ts';
import { Sequencer } from './sequencer.ts';

/** Options of the delivery of durable events, and defaults for consumers that set none. Times in milliseconds. */
export interface EventDeliveryOptions extends Partial<ConsumerDefaults> {
  /** Who holds a part of the log and gives no sign of life for so long has lost it. Default 10,000. */
  leaseMs?: number;
  /** What takes longer keeps no events of other tasks waiting. Default 1,000. */
  slowMs?: number;
  /** Between looks into the log when nobody tells of new events. Default 1,000. */
  pollMs?: number;
  /** How old an event becomes that every group has passed; 0: events are kept. Default: seven days. */
  retentionMs?: number;
  /** Between two looks for old events. Default 300,000. */
  tidyEveryMs?: number;
  /** Between two signs that this process works for its groups; three minutes without one end that. Default 60,000. */
  signEveryMs?: number;
}

/** What an {@link EventDelivery} is made from. */
export interface EventDeliveryParts {
  log: EventLog;
  /** The room's. */
  logger: Logger;
  metrics?: Metrics;
  /** Listened to on a connection of its own; undefined: whoever made this calls {@link EventDelivery.heard}. */
  listenTo?: Database;
  options?: EventDeliveryOptions;
}

const DEFAULT_OPTIONS = {
  leaseMs: 10_000,
  slowMs: 1_000,
  pollMs: 1_000,
  signEveryMs: 60_000,
  retentionMs: DEFAULTS.eventRetentionMs,
  concurrency: DEFAULTS.eventConcurrency,
  timeoutMs: DEFAULTS.eventTimeoutMs,
  maxDeliveries: DEFAULTS.eventMaxDeliveries,
};
const LAST_LOOK_MS = 1_000;
/** How long a start waits for the database; what comes later, comes by itself. */
const JOIN_MS = 10_000;

/**
 * Delivers the durable events of the database to consumers of this process: one for all its groups, which may come and go
 * while it runs. It needs no worker here; any number of processes share the work of a group.
 *
 * @example
 * const delivery = new EventDelivery({ log: new EventLog(database), logger, listenTo: database });
 * await delivery.start();
 * await delivery.run(consumers).started;
 * await delivery.stop({ drainTimeoutMs: 5_000 });
 */
export class EventDelivery {
  readonly #parts: Omit<GroupRunnerParts, 'consumers'> & ConsumerDefaults;
  readonly #runs = new Set<RunningConsumers>();
  /** Of all runs. The watch and the gauges see it change. */
  readonly #groups = new Set<GroupRunner>();
  readonly #sequencer: Sequencer;
  readonly #watch: LogWatch;
  readonly #tidyingOptions: EventTidyingOptions;
  readonly #endLag: () => void;
  #endTidying = () => {};
  readonly #listener: Listener | undefined;
  #stopped: Promise<void> | undefined;

  constructor({ log, logger, metrics = silentMetrics, listenTo, options = {} }: EventDeliveryParts) {
    const { pollMs, retentionMs, tidyEveryMs, ...limits } = { ...DEFAULT_OPTIONS, ...options };
    const [groups, outage] = [this.#groups, new Outage(logger)];
    this.#parts = { log, logger, metrics, outage, ...limits };
    this.#sequencer = new Sequencer({ log, outage, placed: () => this.#wake() });
    this.#watch = new LogWatch({ log, groups, pollMs, outage, unplaced: () => this.#sequencer.run() });
    this.#tidyingOptions = { retentionMs, logger, everyMs: tidyEveryMs };
    this.#endLag = showLag(log, groups, { metrics, logger });
    this.#listener =
      listenTo &&
      new Listener(listenTo, [CHANNEL_EVENTS], { onNotify: () => this.heard(), onCatchUp: () => this.heard() }, logger);
  }

  /** What each group does in this process right now. */
  get load(): GroupLoad[] {
    return [...this.#groups].map((group) => group.load);
  }

  /** Listens, and tidies old events away. Whoever is delivered to comes by {@link run}. */
  async start(): Promise<void> {
    if (this.#stopped) return;
    this.#endTidying = tidyEvents(this.#parts.log, this.#tidyingOptions);
    await this.#listener?.start();
  }

  /**
   * Delivers to these too, until they are stopped. Consumers of one group go in one call: each call shares with the others.
   * After {@link stop} they are closed, and get nothing: a start that was slow may come to this only then.
   */
  run(consumers: readonly EventConsumer[]): RunningConsumers {
    const ofGroups = groupsOf(consumers, this.#parts);
    const groups = (this.#stopped ? [] : ofGroups).map(
      (group) => new GroupRunner({ ...this.#parts, consumers: group }),
    );
    for (const group of groups) this.#groups.add(group);
    let stopped: Promise<void> | undefined;
    const start = async () => {
      await waitAtMost(JOIN_MS, Promise.all(groups.map((group) => this.#join(group))));
      if (stopped) return;
      for (const group of groups) group.start();
      this.#goOn();
    };
    const stop = async (options: StopOptions) => {
      this.#runs.delete(run);
      for (const group of groups) this.#groups.delete(group);
      await Promise.all(groups.map((group) => group.stop(options)));
      const failures = await Promise.all(ofGroups.map((group) => group.close()));
      for (const error of failures.flat()) {
        this.#parts.logger.warn({ error: messageOf(error) }, 'a consumer of events did not close cleanly');
      }
    };
    const run: RunningConsumers = { started: start(), stop: (options = {}) => (stopped ??= stop(options)) };
    if (this.#stopped) void run.stop();
    else this.#runs.add(run);
    return run;
  }

  async #join(group: GroupRunner): Promise<void> {
    try {
      await group.member.join();
    } catch (error) {
      this.#parts.logger.debug({ group: group.name, error: messageOf(error) }, 'a group could not join yet');
    }
  }

  /** While there was nobody to deliver to, nobody looked. */
  #goOn(): void {
    if (this.#groups.size === 0 || this.#stopped) return;
    this.#watch.start();
    this.#sequencer.run();
  }

  /** Durable events were committed, here or in another process: `tasker_events` was notified. Costs nothing while it is busy. */
  heard(): void {
    if (this.#groups.size > 0) this.#sequencer.run();
  }

  #wake(): void {
    for (const group of this.#groups) group.wake();
  }

  /** Stops all that run, as {@link RunningConsumers.stop} does, and looks no more. */
  stop(options: StopOptions = {}): Promise<void> {
    this.#stopped ??= this.#stop(options);
    return this.#stopped;
  }

  async #stop(options: StopOptions): Promise<void> {
    await Promise.all([
      this.#listener?.stop(),
      // Both change nothing that counts, and may wait for the database.
      waitAtMost(LAST_LOOK_MS, Promise.all([this.#watch.stop(), this.#sequencer.stop()])),
      ...[...this.#runs].map((run) => run.stop(options)),
    ]);
    this.#endTidying();
    this.#endLag();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
