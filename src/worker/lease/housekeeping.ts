import type { Engine, QueueCheck } from '../../engine/engine.ts';
import { prunePolicy, type RetentionPolicy } from '../../engine/retention/policy.ts';
import { FIRST_KEY } from '../../engine/unique/tidy-keys.ts';
import { isTaskerError, messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { DeadLetterLooks, type StalenessThresholds } from './dead-letter-looks.ts';

/** Interval between searches for stale tasks. */
const LIFECYCLE_MS = 30_000;
/** Interval between deletions of workers that ended long ago, and between slices of the search for orphaned waits. */
const FORGET_MS = 3_600_000;
/** Interval between searches for pauses whose process died. */
const PAUSES_MS = 10_000;
/** Interval between offers of steps whose handler was missing, if no worker announces one. */
const OFFERS_MS = 10_000;
/** Interval between searches for withheld steps that were cancelled. */
const TIDY_MISSING_MS = 300_000;
/** Interval between deletions of keys whose tasks have ended. */
const TIDY_KEYS_MS = 60_000;
/** Interval at which a worker checks whether it is its turn to prune. */
const PRUNE_TURN_MS = 60_000;
/** Minimum time between two checks of the whole queue. */
const QUEUE_CHECK_MS = 120_000;
/** Time until this worker checks again whether it is its turn. */
const QUEUE_TURN_MS = 30_000;
/**
 * The pause after a slice of the check is this many times its duration, so that the check uses half a percent of a
 * core.
 */
const PAUSE_PER_SLICE = 200;
/**
 * The longest of these pauses. With this limit, the four slices of a million open tasks are done within 5 minutes, even
 * on a busy machine.
 */
const LONGEST_PAUSE_MS = 70_000;
/** The longest time for which a check delays the next check. */
const LONGEST_CHECK_MS = 4 * LONGEST_PAUSE_MS;
/** Maximum number of tasks that a warning names. */
const NAMED_TASKS = 10;

/** Options of {@link Housekeeping}. */
export interface HousekeepingOptions {
  leaseMs: number;
  /** The ids of the worker. */
  workerIds(): readonly number[];
  /** Age at which actions are deleted from the audit. Undefined or 0 means never. */
  auditRetentionMs?: number | undefined;
  /** The thresholds of the configuration. */
  thresholds?: StalenessThresholds | undefined;
  /** The rules for pruning tasks automatically. Undefined means that no task is pruned. */
  retention?: RetentionPolicy | undefined;
}

/**
 * Work that any worker does on behalf of all workers: takes back the steps of lost workers, ends stale tasks, and keeps
 * tables small.
 */
export class Housekeeping {
  /** Number of steps taken from the queue since it was last tidied. */
  taken = 0;
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #leaseMs: number;
  readonly #auditRetentionMs: number;
  readonly #workerIds: () => readonly number[];
  readonly #deadLetters: DeadLetterLooks;
  #lifecycleAt = Number.NEGATIVE_INFINITY;
  #endingStale = false;
  #forgotAt = Number.NEGATIVE_INFINITY;
  #checkAt = Number.NEGATIVE_INFINITY;
  #checkBegan = Number.NEGATIVE_INFINITY;
  /** Total time of the slices of this check. */
  #checkedMs = 0;
  /** Start of the next slice of the check. Undefined for the first task. */
  #checkedTo: string | undefined;
  #checking = false;
  #pausesAt = Number.NEGATIVE_INFINITY;
  #settling = false;
  #offersAt = Number.NEGATIVE_INFINITY;
  #offering: Promise<void> | undefined;
  /** Whether something changed since the offers in progress began. */
  #offerAgain = false;
  #tidyMissingAt = performance.now() + TIDY_MISSING_MS;
  #tidyKeysAt = performance.now() + TIDY_KEYS_MS;
  /** The hash after which the next page of keys begins. */
  #keysFrom = FIRST_KEY;
  readonly #retention: RetentionPolicy | undefined;
  #pruneAt = Number.NEGATIVE_INFINITY;
  #pruning: Promise<void> | undefined;
  readonly #stopPruning = new AbortController();
  #stopped = false;

  constructor(engine: Engine, options: HousekeepingOptions, logger: Logger) {
    const { leaseMs, workerIds, auditRetentionMs = 0, thresholds, retention } = options;
    this.#engine = engine;
    this.#leaseMs = leaseMs;
    this.#auditRetentionMs = auditRetentionMs;
    this.#retention = retention;
    this.#workerIds = workerIds;
    this.#logger = logger;
    this.#deadLetters = new DeadLetterLooks(engine, thresholds, logger);
  }

  /** Takes back the steps of workers whose lease expired. Returns whether there were any. */
  async sweep(): Promise<boolean> {
    try {
      const { lost, steps } = await this.#engine.sweep(this.#leaseMs);
      if (lost.length > 0) {
        this.#logger.warn(
          {
            dead_workers: lost.map(({ id }) => id),
            names: lost.map(({ name }) => name),
            steps: steps.length,
            in_error: steps.filter((step) => step.state === 'error').length,
          },
          'workers lost; steps reclaimed',
        );
      }
      return steps.length > 0;
    } catch (error) {
      // The connections are being closed. Another worker reclaims the steps.
      if (this.#stopped) return false;
      this.#logger.warn(
        { error: messageOf(error) },
        'steps of lost workers not reclaimed; retrying at the next heartbeat',
      );
      return false;
    }
  }

  /** Does everything that is due. */
  async look(): Promise<void> {
    await Promise.all([
      this.#tidyQueue(),
      this.#tidyKeys(),
      this.#endStale(),
      this.#forgetWorkers(),
      this.#checkQueue(),
      this.#settlePauses(),
      performance.now() - this.#offersAt >= OFFERS_MS ? this.offerSteps() : undefined,
      this.#tidyMissing(),
      this.#deadLetters.look(() => this.#stopped),
      this.#prune(),
    ]);
  }

  /**
   * Gives the steps of missing handlers to workers that announced them, and withholds the steps whose handlers no worker has. Called
   * when this worker announced handlers or missed some.
   */
  offerSteps(): Promise<void> {
    this.#offerAgain = true;
    this.#offering ??= this.#offerSteps().finally(() => (this.#offering = undefined));
    return this.#offering;
  }

  async #offerSteps(): Promise<void> {
    while (this.#offerAgain && !this.#stopped) {
      this.#offerAgain = false;
      this.#offersAt = performance.now();
      try {
        await this.#engine.offerSteps();
      } catch (error) {
        this.#logger.debug({ error: messageOf(error) }, 'steps of missing handlers not moved; retrying later');
      }
    }
  }

  async #tidyMissing(): Promise<void> {
    if (performance.now() < this.#tidyMissingAt) return;
    this.#tidyMissingAt = performance.now() + TIDY_MISSING_MS;
    try {
      await this.#engine.tidyMissing();
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'cancelled steps of missing handlers not removed');
    }
  }

  /** Stops starting new work. Resolves when a prune has ended, after its transaction in progress. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopPruning.abort();
    await this.#pruning;
  }

  /** Prunes by the policy, if it is due and no other process is pruning. */
  async #prune(): Promise<void> {
    if (!this.#retention || this.#stopped || this.#pruning) return;
    if (performance.now() - this.#pruneAt < PRUNE_TURN_MS) return;
    this.#pruneAt = performance.now();
    this.#pruning = this.#pruneBy(this.#retention).finally(() => (this.#pruning = undefined));
    await this.#pruning;
  }

  async #pruneBy(policy: RetentionPolicy): Promise<void> {
    const { signal } = this.#stopPruning;
    try {
      const report = await prunePolicy(this.#engine, policy, signal).result();
      const { id, deleted, skipped, failed, failures, files, warnings } = report;
      for (const warning of warnings) this.#logger.warn(`archive file too short: ${warning}`);
      if (deleted > 0) this.#logger.info({ prune: id, deleted, skipped, files }, 'old tasks pruned');
      if (failed > 0) this.#logger.warn({ prune: id, failed, failures }, 'old tasks not pruned');
    } catch (error) {
      if (signal.aborted) return;
      // An operator has taken over.
      const expected = isTaskerError(error) && error.code === 'illegal_transition';
      this.#logger[expected ? 'debug' : 'warn']({ error: messageOf(error) }, 'pruning old tasks ended early');
    }
  }

  /** Ends or notes stale tasks. Limits are in minutes, so twice a minute is enough. */
  async #endStale(): Promise<void> {
    if (this.#endingStale || performance.now() - this.#lifecycleAt < LIFECYCLE_MS) return;
    this.#lifecycleAt = performance.now();
    this.#endingStale = true;
    try {
      for await (const { ended, noted } of this.#engine.endStale()) {
        for (const { taskUuid, reason } of ended) {
          this.#logger.warn({ task_uuid: taskUuid, state: 'error', reason }, 'task ended as error by its lifecycle');
        }
        for (const { taskUuid, reason } of noted) {
          this.#logger.warn({ task_uuid: taskUuid, reason }, 'task stale; an operator should check it');
        }
        if (this.#stopped) break;
      }
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, 'search for stale tasks failed; retrying');
    } finally {
      this.#endingStale = false;
    }
  }

  /** Checks one slice. Only the longest-running worker does this. */
  async #checkQueue(): Promise<void> {
    const began = performance.now();
    if (this.#checking || began < this.#checkAt) return;
    this.#checking = true;
    if (this.#checkedTo === undefined) {
      this.#checkBegan = began;
      this.#checkedMs = 0;
    }
    try {
      const checked = await this.#engine.checkQueue({ workerIds: this.#workerIds(), after: this.#checkedTo });
      const ended = performance.now();
      if (checked && checked.requeued.length > 0) this.#warnOfRequeued(checked.requeued);
      if (!checked) this.#checkAt = began + QUEUE_TURN_MS;
      else {
        this.#checkedMs += ended - began;
        // If a step was missing, the remaining slices are checked immediately.
        const pause = checked.requeued.length > 0 ? 0 : (ended - began) * PAUSE_PER_SLICE;
        this.#checkAt = ended + Math.min(pause, LONGEST_PAUSE_MS);
        if (checked.next === undefined) {
          const most = Math.min(this.#checkedMs * PAUSE_PER_SLICE, LONGEST_CHECK_MS);
          this.#checkAt = Math.max(this.#checkAt, this.#checkBegan + Math.max(most, QUEUE_CHECK_MS));
        }
      }
      this.#checkedTo = checked?.next;
    } catch (error) {
      this.#checkAt = began + QUEUE_TURN_MS;
      this.#logger.debug({ error: messageOf(error) }, 'queue check failed');
    } finally {
      this.#checking = false;
    }
  }

  #warnOfRequeued(steps: QueueCheck['requeued']): void {
    const tasks = [...new Set(steps.map((step) => step.taskUuid))];
    this.#logger.warn(
      { steps: steps.length, tasks: tasks.length, task_uuids: tasks.slice(0, NAMED_TASKS) },
      'ready steps were missing from the queue; queued again',
    );
  }

  async #settlePauses(): Promise<void> {
    if (this.#settling || performance.now() - this.#pausesAt < PAUSES_MS) return;
    this.#pausesAt = performance.now();
    this.#settling = true;
    try {
      await this.#engine.settlePauses();
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'interrupted pauses not finished');
    } finally {
      this.#settling = false;
    }
  }

  async #forgetWorkers(): Promise<void> {
    if (performance.now() - this.#forgotAt < FORGET_MS) return;
    this.#forgotAt = performance.now();
    try {
      await this.#engine.forgetWorkers();
      if (this.#auditRetentionMs > 0) await this.#engine.forgetActs(this.#auditRetentionMs);
      await this.#engine.forgetPauses();
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'old workers, actions and pauses not deleted');
    }
  }

  /**
   * Compacts the queue if it consists mostly of dead rows. Workers that take no steps leave the compaction to others.
   */
  async #tidyQueue(): Promise<void> {
    if (this.taken === 0) return;
    this.taken = 0;
    try {
      if (await this.#engine.tidyQueue()) this.#logger.debug('queue compacted');
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'queue compaction failed');
    }
  }

  /** Deletes keys of `unique` whose tasks have ended. */
  async #tidyKeys(): Promise<void> {
    if (performance.now() < this.#tidyKeysAt) return;
    this.#tidyKeysAt = performance.now() + TIDY_KEYS_MS;
    try {
      this.#keysFrom = await this.#engine.tidyTaskKeys(this.#keysFrom);
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'keys of ended tasks not deleted');
    }
  }
}
