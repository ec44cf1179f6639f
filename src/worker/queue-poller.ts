import type { Engine } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { waitAtMost } from '../time/wait-at-most.ts';
import { ScheduleTimer } from './schedule-timer.ts';

/** The settings and callbacks of a {@link QueuePoller}. */
export interface QueuePollerEvents {
  namespaceIds(): readonly number[];
  /** Milliseconds until the next poll. Longer while notifications arrive. */
  everyMs(): number;
  /** Timeout of a poll in milliseconds. */
  timeoutMs: number;
  /** Called when the queue holds work for this worker. */
  ready(): void;
  /** Called when a poll succeeded. */
  polled(): void;
  /** Receives verified outages of the database. */
  outage: OutageReport | undefined;
}

/** An operation that can fail: a poll of the queue, which fails only with the connection, or a claim. */
type Operation = 'poll' | 'claim';

/** Reports a database outage once, even if many statements fail during it. */
export class OutageReport {
  readonly #report: (error: unknown) => void;
  readonly #failing = new Set<Operation>();
  #answers = 0;

  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  /** Number of statements to which the database responded. */
  get answers(): number {
    return this.#answers;
  }

  failed(operation: Operation, error: unknown): void {
    const known = this.#failing.size > 0;
    this.#failing.add(operation);
    if (!known) this.#report(error);
  }

  /** Ends the outage when the failed operation succeeds. A claim that succeeds shows that a poll would succeed too. */
  answered(operation: Operation): void {
    this.#answers++;
    this.#failing.delete('poll');
    this.#failing.delete(operation);
  }
}

/** Time after which a poll without a response suggests an outage. A separate connection is then tried. */
const SUSPECT_MS = 1_000;
/**
 * Timeout for opening that connection, and again for its response. With a poll every 2 s, an outage is detected within
 * 4.4 s.
 */
const VERIFY_MS = 700;

/** Extra delay before a worker acts on a retry or a wait that another worker recorded. */
const OTHERS_DUE_MS = 20;
/** Maximum time to wait for a delivery of the ends of child tasks when the process stops. Another process repeats the delivery. */
const CHILDREN_MS = 5_000;
/** Pause before trying again to act on a due retry or wait of a locked task. */
const LOCKED_MS = 100;

/**
 * Polls the queue, because a notification can be lost. Promotes retries and ends waits when they are due. Otherwise it
 * does not write.
 */
export class QueuePoller {
  readonly #engine: Engine;
  readonly #events: QueuePollerEvents;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #due: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #busy: Promise<void> | undefined;
  #stopped = false;
  #promoting = false;
  readonly #schedules: ScheduleTimer;

  constructor(engine: Engine, events: QueuePollerEvents, logger: Logger) {
    this.#engine = engine;
    this.#events = events;
    this.#logger = logger;
    this.#schedules = new ScheduleTimer(engine, logger, () => this.look());
  }

  start(): void {
    this.#schedule(0);
  }

  #schedule(delay: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#busy = this.#poll().finally(() => this.#schedule(this.#events.everyMs()));
    }, delay);
  }

  async #poll(): Promise<void> {
    const suspect = setTimeout(() => void this.#verifyLost(), SUSPECT_MS);
    try {
      const { ready, dueMs, scheduleMs, hasLimits } = await this.#engine.peek(
        this.#events.namespaceIds(),
        this.#events,
      );
      this.#events.outage?.answered('poll');
      if (scheduleMs !== null) this.#schedules.dueIn(scheduleMs);
      if (ready) this.#events.ready();
      if (dueMs !== null) this.dueIn(Math.max(0, dueMs) + (dueMs > 0 ? OTHERS_DUE_MS : 0));
      this.#events.polled();
      if (hasLimits) this.#engine.admission.wake();
      void this.#settleChildren();
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'queue poll failed');
      void this.#verifyLost();
    } finally {
      clearTimeout(suspect);
    }
  }

  async #settleChildren(): Promise<void> {
    try {
      await this.#engine.childTasks.look(() => this.#stopped);
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'child task poll failed; retrying');
    }
  }

  /**
   * Reports an outage only if a separate connection fails too. One lost connection or an exhausted pool is not an
   * outage.
   */
  async #verifyLost(): Promise<void> {
    const { outage } = this.#events;
    if (this.#stopped || !outage) return;
    const { answers } = outage;
    try {
      await this.#engine.probe({ timeoutMs: VERIFY_MS });
    } catch (error) {
      if (!this.#stopped && answers === outage.answers) outage.failed('poll', error);
    }
  }

  /** Schedules a poll for a retry or a wait that is due in `delayMs`. */
  dueIn(delayMs: number): void {
    const at = performance.now() + delayMs;
    if (this.#stopped || at >= this.#dueAt) return;
    clearTimeout(this.#due);
    this.#dueAt = at;
    // A timer may fire a fraction of a millisecond early, and the clock of the database decides.
    this.#due = setTimeout(() => void this.#promote(), Math.min(Math.ceil(delayMs) + 1, 2 ** 31 - 1));
  }

  /** Does not run concurrently. The peek at its end finds retries that have become due in the meantime. */
  async #promote(): Promise<void> {
    this.#dueAt = Number.POSITIVE_INFINITY;
    if (this.#stopped || this.#promoting) return;
    this.#promoting = true;
    try {
      const promoted = await this.#engine.promoteDue();
      // Another worker may have promoted the due steps without a free slot to run them.
      const { ready, dueMs } = await this.#engine.peek(this.#events.namespaceIds(), this.#events);
      if (ready) this.#events.ready();
      // If nothing was promoted although something is due, another transaction has locked its task.
      if (dueMs !== null) this.dueIn(dueMs > 0 ? dueMs : promoted === 0 ? LOCKED_MS : 1);
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'due retries and waits not processed; retrying');
      this.dueIn(500);
    } finally {
      this.#promoting = false;
    }
  }

  /** Polls now, for changes that the queue does not show, such as a new schedule. */
  look(): void {
    if (!this.#stopped) void this.#poll();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#due);
    await this.#schedules.stop();
    await this.#busy;
    await this.#engine.admission.idle();
    await waitAtMost(CHILDREN_MS, this.#engine.childTasks.idle());
  }
}
