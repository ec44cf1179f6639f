import type { TaskerConfig } from '../../config/config-keys.ts';
import type { Engine } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';

/** The settings that define the thresholds. */
export type ThresholdSettings = Pick<
  TaskerConfig,
  | 'deadLetters'
  | 'stalenessDetection'
  | 'stalenessDryRun'
  | 'stalenessIntervalMs'
  | 'waitingForDependenciesMinutes'
  | 'waitingForRetryMinutes'
  | 'stepsInProcessMinutes'
  | 'taskLifetimeHours'
>;

/**
 * The thresholds of the configuration, in minutes (null means none), and the interval of the search for tasks that
 * reach them.
 */
export interface StalenessThresholds {
  intervalMs: number;
  /** In the order of `task_watch.thresholds`. */
  minutes: {
    lifetime: number | null;
    waitingForDependencies: number | null;
    waitingForRetry: number | null;
    stepsInProcess: number | null;
  };
}

/** Returns the thresholds of a configuration. Undefined if it has none, or they are disabled. */
export function thresholdsOf(config: Partial<ThresholdSettings>): StalenessThresholds | undefined {
  const { deadLetters = true, stalenessDetection = true, stalenessDryRun = false, stalenessIntervalMs = 0 } = config;
  const { taskLifetimeHours } = config;
  const minutes = {
    lifetime: taskLifetimeHours === undefined ? null : taskLifetimeHours * 60,
    waitingForDependencies: config.waitingForDependenciesMinutes ?? null,
    waitingForRetry: config.waitingForRetryMinutes ?? null,
    stepsInProcess: config.stepsInProcessMinutes ?? null,
  };
  if (!deadLetters || !stalenessDetection || stalenessDryRun) return undefined;
  if (Object.values(minutes).every((value) => value === null)) return undefined;
  return { intervalMs: stalenessIntervalMs, minutes };
}

/** Minimum time between two checks by this process. One process checks at a time, twice a minute. */
const LOOK_MS = 30_000;
/** Maximum number of entries that one log line names. */
const NAMED = 10;

/** Checks the dead letters on behalf of all processes. */
export class DeadLetterLooks {
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #thresholds: StalenessThresholds | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking = false;
  /** The first check also replaces the thresholds of an earlier configuration. */
  #first = true;

  constructor(engine: Engine, thresholds: StalenessThresholds | undefined, logger: Logger) {
    this.#engine = engine;
    this.#thresholds = thresholds;
    this.#logger = logger;
  }

  /** Runs the check if it is due. `stopped`: whether to end early. */
  async look(stopped: () => boolean): Promise<void> {
    if (this.#looking || performance.now() - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = performance.now();
    this.#looking = true;
    try {
      await this.#watch(stopped);
      for await (const { added, closed } of this.#engine.findStuckTasks()) {
        if (added.length > 0) this.#warn(added);
        for (const { taskUuid, resolution } of closed) {
          this.#logger.debug({ task_uuid: taskUuid, resolution }, 'dead letter closed');
        }
        if (stopped()) break;
      }
    } catch (error) {
      if (!stopped()) this.#logger.warn({ error: messageOf(error) }, 'check for dead letters failed; retrying');
    } finally {
      this.#looking = false;
    }
  }

  #warn(added: readonly { taskUuid: string; dlqReason: string; cause: string }[]): void {
    const named = added.slice(0, NAMED).map(({ taskUuid }) => taskUuid);
    const { dlqReason, cause } = added[0]!;
    this.#logger.warn(
      { count: added.length, task_uuids: named, reason: dlqReason, cause },
      'tasks added to the dead letters; an operator must act',
    );
  }

  /** Applies the thresholds of the configuration to open tasks. */
  async #watch(stopped: () => boolean): Promise<void> {
    if (!this.#thresholds) return;
    const { intervalMs, minutes } = this.#thresholds;
    if (this.#first) {
      const given = Object.fromEntries(Object.entries(minutes).filter(([, value]) => value !== null));
      this.#logger.info(
        { minutes: given },
        'orchestration.dlq.thresholds: open tasks that reach them are noted as stale',
      );
    }
    const renew = this.#first;
    for await (const _ of this.#engine.watchOpenTasks({ ...minutes, leastMs: intervalMs, renew })) {
      if (stopped()) return;
    }
    this.#first = false;
  }
}
