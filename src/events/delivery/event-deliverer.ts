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

/** Options for the delivery of durable events, and defaults for the options of consumers. Times in milliseconds. */
export interface EventDelivererOptions extends Partial<ConsumerDefaults> {
  /** How long a process holds a part of the log without renewing its lease. Default 10,000. */
  leaseMs?: number;
  /** A delivery that takes longer than this no longer delays events of other tasks. Default 1,000. */
  slowMs?: number;
  /** The interval for polling the log when there are no notifications. Default 1,000. */
  pollMs?: number;
  /** The age at which events are deleted, once every group has passed them. 0 keeps all events. Default: seven days. */
  retentionMs?: number;
  /** The interval between deletions of old events. Default 300,000. */
  tidyEveryMs?: number;
  /**
   * The interval at which a process renews its membership in groups, which expires after three minutes. Default 60,000.
   */
  signEveryMs?: number;
}

/** Options of the {@link EventDeliverer} constructor. */
export interface EventDelivererParts {
  log: EventLog;
  /** The logger of the module `events`. */
  logger: Logger;
  metrics?: Metrics;
  /**
   * The database to listen to on a separate connection. Default: none, and the owner calls {@link EventDeliverer.heard}.
   */
  listenTo?: Database;
  options?: EventDelivererOptions;
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
/** How long {@link EventDeliverer.run} waits to join the groups. After that, the groups are joined in the background. */
const JOIN_MS = 10_000;

/**
 * Delivers the durable events of a database to the consumers of this process. One instance serves all groups, which can
 * be added and removed while it runs. A worker is not needed. Any number of processes can share the work of a group.
 *
 * @example
 * const delivery = new EventDeliverer({ log: new EventLog(database), logger, listenTo: database });
 * await delivery.start();
 * await delivery.run(consumers).started;
 * await delivery.stop({ drainTimeoutMs: 5_000 });
 */
export class EventDeliverer {
  readonly #parts: Omit<GroupRunnerParts, 'consumers'> & ConsumerDefaults;
  readonly #runs = new Set<RunningConsumers>();
  /** The groups of all runs. The watch and the gauges share this set. */
  readonly #groups = new Set<GroupRunner>();
  readonly #sequencer: Sequencer;
  readonly #watch: LogWatch;
  readonly #tidyingOptions: EventTidyingOptions;
  readonly #endLag: () => void;
  #endTidying = () => {};
  readonly #listener: Listener | undefined;
  #stopped: Promise<void> | undefined;

  constructor({ log, logger, metrics = silentMetrics, listenTo, options = {} }: EventDelivererParts) {
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

  /** The current load of each group in this process. */
  get load(): GroupLoad[] {
    return [...this.#groups].map((group) => group.load);
  }

  /** Starts listening and deleting old events. Consumers are added with {@link run}. */
  async start(): Promise<void> {
    if (this.#stopped) return;
    this.#endTidying = tidyEvents(this.#parts.log, this.#tidyingOptions);
    await this.#listener?.start();
  }

  /**
   * Adds consumers, until they are stopped. All consumers of a group belong in one call, because separate calls would
   * share the group's events. After {@link stop}, which may be called during a slow startup, this method only closes
   * the consumers.
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
      this.#startPolling();
    };
    const stop = async (options: StopOptions) => {
      this.#runs.delete(run);
      for (const group of groups) this.#groups.delete(group);
      await Promise.all(groups.map((group) => group.stop(options)));
      const failures = await Promise.all(ofGroups.map((group) => group.close()));
      for (const error of failures.flat()) {
        this.#parts.logger.warn({ error: messageOf(error) }, 'event consumer failed to close');
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
      this.#parts.logger.debug({ group: group.name, error: messageOf(error) }, 'event group not joined; retrying');
    }
  }

  /** Starts polling, which pauses while there are no groups. */
  #startPolling(): void {
    if (this.#groups.size === 0 || this.#stopped) return;
    this.#watch.start();
    this.#sequencer.run();
  }

  /**
   * Reports that durable events were committed, after a notification on `tasker_events`. Cheap to call while delivery
   * is busy.
   */
  heard(): void {
    if (this.#groups.size > 0) this.#sequencer.run();
  }

  #wake(): void {
    for (const group of this.#groups) group.eventsMayWait();
  }

  /** Stops all consumers, like {@link RunningConsumers.stop}, and stops polling. */
  stop(options: StopOptions = {}): Promise<void> {
    this.#stopped ??= this.#stop(options);
    return this.#stopped;
  }

  async #stop(options: StopOptions): Promise<void> {
    await Promise.all([
      this.#listener?.stop(),
      // The watch and the sequencer may be waiting for the database. Abandoning them leaves no unfinished changes.
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
