import { type Engine, isConnectionError, type RecordAnswer, sqlState } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { backOff } from '../time/back-off.ts';
import { type AttemptEnd, refusedByDatabase } from './attempt-end.ts';
import { stepFields } from './step-reports.ts';

/** Callbacks from a recorder to its worker. */
export interface RecorderEvents {
  /** Reserves slots for the children that this recording claims, until one of the three methods below is called. */
  reserve(batch: readonly AttemptEnd[]): { freeSlots: number; token: number; lastRank: number };
  /** Called when a batch was recorded. `accepted` is the part that was not rejected. Frees the reserved slots. */
  recorded(batch: readonly AttemptEnd[], accepted: readonly AttemptEnd[], answer: RecordAnswer, own: Reserved): void;
  /**
   * Called when the response was lost. This worker may then hold children under this token without knowing it. Frees
   * the reserved slots.
   */
  doubt(own: Reserved): void;
  /** Called when the recording failed. Frees the reserved slots. */
  release(own: Reserved): void;
  /** Returns the end without the domain events that would be stored with it. */
  withoutEvents(end: AttemptEnd, refusal: string): AttemptEnd;
}

/** The slots and the fence of a recording. */
export type Reserved = ReturnType<RecorderEvents['reserve']>;

/** Maximum number of concurrent recordings. */
const LANES = 3;
/** Maximum number of steps in one transaction. */
const BATCH = 500;
/** Minimum share of a lane. With smaller shares, the additional statements cost more time than they save. */
const SMALLEST_SHARE = 250;
/** Maximum bytes of results and details in one transaction. PostgreSQL accepts at most 256 MB in one value. */
const BATCH_BYTES = 32 * 1024 * 1024;
/** The size that is assumed for the settings of a wait, in bytes. */
const MAX_WAIT = 64 * 1024;
/**
 * While a recording is in progress, the next one waits for this many ends, because a full batch costs little more than
 * a small one.
 */
const WORTH_A_LANE = BATCH / 4;
/** Maximum time of that wait, because the recording in progress may be waiting for a lock. */
const PATIENCE_MS = 50;

const NO_CHILDREN = { freeSlots: 0, lastRank: -101 };

/**
 * Records the ends of attempts, many in one transaction. Ends that arrive while a recording is in progress are recorded
 * together in the next one. So no end waits unnecessarily, and batches grow with the load.
 */
export class Recorder {
  readonly #engine: Engine;
  readonly #events: RecorderEvents;
  readonly #logger: Logger;
  #waiting: AttemptEnd[] = [];
  /** Ends of steps whose task is locked by another transaction. */
  #aside: AttemptEnd[] = [];
  #trying: Promise<void> | undefined;
  readonly #heldTasks = new Set<string>();
  #asides = 0;
  #lanes = LANES;
  #scheduled = false;
  #away = false;
  #sentAt = 0;
  #patience: NodeJS.Timeout | undefined;
  readonly #stopped = new AbortController();

  constructor(engine: Engine, events: RecorderEvents, logger: Logger) {
    this.#engine = engine;
    this.#events = events;
    this.#logger = logger;
  }

  /** Number of outcomes that are not acknowledged yet. */
  pending = 0;

  push(end: AttemptEnd): void {
    this.#waiting.push(end);
    this.pending++;
    this.#schedule();
  }

  // Waits for the next turn of the event loop, so that everything that settles in this turn is recorded together.
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    this.#leaveHeldTasks();
    while (this.#lanes > 0 && this.#waiting.length > 0) {
      if (this.#lanes < LANES && this.#waiting.length < WORTH_A_LANE && this.#waitsLonger()) return;
      this.#lanes--;
      this.#sentAt = performance.now();
      void this.#record(this.#nextBatch()).finally(() => {
        this.#lanes++;
        this.#flush();
      });
    }
  }

  /** Puts aside the waiting ends of tasks that turned out to be locked. */
  #leaveHeldTasks(): void {
    if (this.#heldTasks.size === 0) return;
    const held = (end: AttemptEnd) => this.#heldTasks.has(end.taskUuid);
    this.#aside.push(...this.#waiting.filter(held));
    this.#waiting = this.#waiting.filter((end) => !held(end));
    if (this.#aside.length > 0) this.#retryAside();
  }

  #waitsLonger(): boolean {
    const left = this.#sentAt + PATIENCE_MS - performance.now();
    if (left <= 0) return false;
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      this.#flush();
    }, Math.ceil(left));
    return true;
  }

  /** Stops retrying. When the lease expires, other workers take over the steps that are not acknowledged. */
  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#patience);
  }

  #nextBatch(): AttemptEnd[] {
    let bytes = 0;
    let size = 0;
    // Divides the waiting ends among the free lanes. With only one batch in progress, the database would idle while
    // this process prepares the next.
    const share = Math.ceil(this.#waiting.length / (this.#lanes + 1));
    const limit = Math.min(BATCH, Math.max(share, SMALLEST_SHARE), this.#waiting.length);
    while (size < limit) {
      const { result, detail, events, wait } = this.#waiting[size]!;
      bytes += result.length + detail.length + (events?.size ?? 0) + (wait === undefined ? 0 : MAX_WAIT);
      if (size > 0 && bytes > BATCH_BYTES) break;
      size++;
    }
    if (size === this.#waiting.length) {
      const batch = this.#waiting;
      this.#waiting = [];
      return batch;
    }
    return this.#waiting.splice(0, size);
  }

  /**
   * Returns when every attempt of the batch is acknowledged, rejected or put aside, or after {@link stop}. Never
   * throws.
   */
  async #record(batch: AttemptEnd[], tries = 0): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    const own = this.#events.reserve(batch);
    try {
      const answer = await this.#engine.record(batch, own);
      this.#settle(batch, answer, own);
    } catch (error) {
      if (isConnectionError(error)) {
        this.#events.doubt(own);
        await this.#recordDoubtful(batch, error);
      } else {
        this.#events.release(own);
        await this.#recordInHalves(batch, error, tries);
      }
    }
  }

  /** Called when the batch is committed. An error of a listener must not cause it to be sent again. */
  #settle(batch: readonly AttemptEnd[], answer: RecordAnswer, own: Reserved): void {
    this.pending -= batch.length;
    const accepted = answer.refused.length === 0 ? batch : without(batch, answer.refused);
    const { recordedAt } = answer;
    if (recordedAt !== undefined) for (const end of accepted) if (end.events) end.recordedAt ??= recordedAt;
    try {
      this.#events.recorded(batch, accepted, answer, own);
    } catch (error) {
      this.#logger.error({ err: error, steps: batch.length }, 'results recorded, but processing the response failed');
    }
  }

  /**
   * Sends the same batch with the same fences until the database responds. A row that is now rejected may have been
   * recorded by an earlier request whose response was lost. The step's history shows whether it was recorded.
   */
  async #recordDoubtful(batch: AttemptEnd[], lost: unknown): Promise<void> {
    if (!this.#away)
      this.#logger.warn({ error: messageOf(lost) }, 'database unavailable; results are kept and sent again');
    this.#away = true;
    for (let tries = 0; ; tries++) {
      await backOff(tries, this.#stopped.signal);
      if (this.#stopped.signal.aborted) return;
      const own = { ...this.#events.reserve([]), ...NO_CHILDREN };
      try {
        const answer = await this.#engine.record(batch, own);
        const refused = answer.refused.map((i) => batch[i]!);
        const earlier: ReadonlyMap<number, string | null> =
          refused.length === 0 ? new Map() : await this.#engine.findRecorded(refused);
        for (const [i, at] of earlier) {
          refused[i]!.recordedAt = at ?? new Date().toISOString();
          refused[i]!.recordedBefore = true;
        }
        if (this.#away) this.#logger.info('database available again; recording the waiting results');
        this.#away = false;
        const stillRefused = answer.refused.filter((_, i) => !earlier.has(i));
        this.#settle(batch, { ...answer, refused: stillRefused }, own);
        return;
      } catch (error) {
        this.#events.release(own);
        // Only a rejection of the data is final. After any other error, the batch stays in doubt.
        if (!refusesData(error)) continue;
        return this.#recordInHalves(batch, error, tries);
      }
    }
  }

  /** Splits the batch in halves until the result that PostgreSQL rejects is alone, so that the others are recorded. */
  async #recordInHalves(batch: AttemptEnd[], refusal: unknown, tries: number): Promise<void> {
    const data = refusesData(refusal);
    if (!data) {
      if (tries === 0) this.#logger.warn({ error: messageOf(refusal) }, 'recording of results failed; retrying');
      await backOff(tries, this.#stopped.signal);
    }
    if (waitedTooLong(refusal) && ofOneTask(batch)) return this.#putAside(batch);
    if (batch.length > 1 && (data || waitedTooLong(refusal))) {
      const middle = batch.length >> 1;
      // Concurrently, because the half with the locked task may wait for a long time.
      await Promise.all([this.#record(batch.slice(0, middle)), this.#record(batch.slice(middle))]);
      return;
    }
    if (!data) return this.#record(batch, tries + 1);
    const [culprit] = batch;
    // A rejected event must not cause the loss of the result.
    if (culprit!.events !== undefined) return this.#record([this.#events.withoutEvents(culprit!, messageOf(refusal))]);
    const failed = refusedByDatabase(culprit!, messageOf(refusal));
    const own = this.#events.reserve([]);
    try {
      this.#settle([failed], await this.#engine.record([failed], own), own);
    } catch (error) {
      this.#events.release(own);
      if (isConnectionError(error)) return this.#recordDoubtful([failed], error);
      this.#logger.error(
        { ...stepFields(failed.step), error: messageOf(error) },
        'end of a step rejected by the database; retrying',
      );
      await backOff(8, this.#stopped.signal);
      return this.#record([failed]);
    }
  }

  /**
   * Moves the ends of a locked task out of their lane. These ends are retried outside the lanes, one task at a time.
   */
  #putAside(batch: readonly AttemptEnd[]): void {
    this.#asides++;
    for (const { taskUuid } of batch) this.#heldTasks.add(taskUuid);
    this.#aside.push(...batch);
    this.#retryAside();
  }

  #retryAside(): void {
    this.#trying ??= this.#tryAside().finally(() => {
      this.#trying = undefined;
      this.#heldTasks.clear();
      if (this.#aside.length > 0 && !this.#stopped.signal.aborted) this.#retryAside();
    });
  }

  async #tryAside(): Promise<void> {
    for (let tries = 0; this.#aside.length > 0; tries++) {
      await backOff(tries, this.#stopped.signal);
      if (this.#stopped.signal.aborted) return;
      const { taskUuid } = this.#aside[0]!;
      const batch = this.#aside.filter((end) => end.taskUuid === taskUuid).slice(0, BATCH);
      const taken = new Set(batch);
      this.#aside = this.#aside.filter((end) => !taken.has(end));
      const before = this.#asides;
      await this.#record(batch);
      if (this.#asides !== before) continue;
      this.#heldTasks.delete(taskUuid);
      tries = -1;
    }
  }
}

/**
 * Returns whether the error is due to the data: data exceptions, violated constraints, limits, or an error that a
 * trigger raised. After any other error (no space, a deadlock, a cancelled statement), it is right to send the same
 * result again.
 */
function refusesData(error: unknown): boolean {
  return /^(22|23|54|P0)/.test(sqlState(error) ?? '');
}

/** Returns whether a statement waited too long for a lock. A locked task must not delay the others. */
function waitedTooLong(error: unknown): boolean {
  return /^(55P03|57014)$/.test(sqlState(error) ?? '');
}

function ofOneTask(batch: readonly AttemptEnd[]): boolean {
  return batch.every((end) => end.taskUuid === batch[0]!.taskUuid);
}

function without(batch: readonly AttemptEnd[], positions: readonly number[]): AttemptEnd[] {
  const left = new Set(positions);
  return batch.filter((_, i) => !left.has(i));
}
