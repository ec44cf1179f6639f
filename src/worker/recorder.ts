import { type Engine, isConnectionError, type RecordAnswer, sqlState } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { backOff } from '../time/back-off.ts';
import { type AttemptEnd, refusedByDatabase } from './attempt-end.ts';
import { stepFields } from './step-reports.ts';

/** What a recorder asks its worker. */
export interface RecorderEvents {
  /** Slots that children claimed by this recording may take; they are reserved until {@link recorded} or {@link doubt}. */
  reserve(batch: readonly AttemptEnd[]): { freeSlots: number; token: number; lastRank: number };
  /** A batch was recorded: which were accepted, which children are held now. Ends with the slots given back. */
  recorded(batch: readonly AttemptEnd[], accepted: readonly AttemptEnd[], answer: RecordAnswer, own: Reserved): void;
  /** The answer was lost: children may be held under this token, unknown to us. */
  doubt(own: Reserved): void;
  /** A batch was given up for now; its reserved slots are free again. */
  release(own: Reserved): void;
  /** The same end without the domain events that would be stored with it. */
  withoutEvents(end: AttemptEnd, refusal: string): AttemptEnd;
}

/** What {@link RecorderEvents.reserve} gave. */
export type Reserved = ReturnType<RecorderEvents['reserve']>;

const LANES = 3;
/** Steps in one transaction. */
const BATCH = 500;
/** Smaller shares would cost more statements than they save time. */
const SMALLEST_SHARE = 250;
/** Bytes of results and details in one transaction; PostgreSQL takes at most 256 MB in one value. */
const BATCH_BYTES = 32 * 1024 * 1024;
/** While a recording is under way, the next waits for this many: a full batch costs little more than a small one. */
const WORTH_A_LANE = BATCH / 4;
/** … but not for longer than this: one that waits for a lock must not hold up the others. */
const PATIENCE_MS = 50;

const NO_CHILDREN = { freeSlots: 0, lastRank: -101 };

/**
 * Writes what attempts came to, many in one transaction: what arrives while a recording is under way goes together in
 * the next one, so nothing waits that could go, and load makes the batches large.
 */
export class Recorder {
  readonly #engine: Engine;
  readonly #events: RecorderEvents;
  readonly #logger: Logger;
  #waiting: AttemptEnd[] = [];
  /** Ends of steps whose task is held by somebody. */
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

  /** Outcomes that are not acknowledged yet. */
  pending = 0;

  push(end: AttemptEnd): void {
    this.#waiting.push(end);
    this.pending++;
    this.#schedule();
  }

  // On the next turn of the loop: what settles in this turn goes together.
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

  /** What waits for a task that turned out to be held joins those that were put aside. */
  #leaveHeldTasks(): void {
    if (this.#heldTasks.size === 0) return;
    const held = (end: AttemptEnd) => this.#heldTasks.has(end.taskUuid);
    this.#aside.push(...this.#waiting.filter(held));
    this.#waiting = this.#waiting.filter((end) => !held(end));
    if (this.#aside.length > 0) this.#tryThoseAside();
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

  /** No more tries: what is not acknowledged is found by others when the lease is over. */
  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#patience);
  }

  #nextBatch(): AttemptEnd[] {
    let bytes = 0;
    let size = 0;
    // What waits is shared out among the free lanes: one batch after the other would leave the database waiting for us.
    const share = Math.ceil(this.#waiting.length / (this.#lanes + 1));
    const limit = Math.min(BATCH, Math.max(share, SMALLEST_SHARE), this.#waiting.length);
    while (size < limit) {
      const { result, detail, events } = this.#waiting[size]!;
      bytes += result.length + detail.length + (events?.size ?? 0);
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

  /** Ends only when every attempt of the batch is acknowledged or refused, or with {@link stop}; never throws. */
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

  /** What is committed is never sent again: of those who hear of it here, nobody can make it so by throwing. */
  #settle(batch: readonly AttemptEnd[], answer: RecordAnswer, own: Reserved): void {
    this.pending -= batch.length;
    const accepted = answer.refused.length === 0 ? batch : without(batch, answer.refused);
    const { recordedAt } = answer;
    if (recordedAt !== undefined) for (const end of accepted) if (end.events) end.recordedAt ??= recordedAt;
    try {
      this.#events.recorded(batch, accepted, answer, own);
    } catch (error) {
      this.#logger.error(
        { err: error, steps: batch.length },
        'results are recorded, but what follows from them failed',
      );
    }
  }

  /**
   * Sends the same batch with the same fences until it is answered. What is refused then may have been accepted by the
   * try whose answer was lost: its history says so.
   */
  async #recordDoubtful(batch: AttemptEnd[], lost: unknown): Promise<void> {
    if (!this.#away)
      this.#logger.warn({ error: messageOf(lost) }, 'the database is away; results wait and are sent again');
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
        if (this.#away) this.#logger.info('the database is back; waiting results are recorded');
        this.#away = false;
        const stillRefused = answer.refused.filter((_, i) => !earlier.has(i));
        this.#settle(batch, { ...answer, refused: stillRefused }, own);
        return;
      } catch (error) {
        this.#events.release(own);
        // As long as it is not answered, it stays in doubt: only a refusal of the data is an answer.
        if (!refusesData(error)) continue;
        return this.#recordInHalves(batch, error, tries);
      }
    }
  }

  /** One result that PostgreSQL refuses must not take the others along: half and half, until it is alone. */
  async #recordInHalves(batch: AttemptEnd[], refusal: unknown, tries: number): Promise<void> {
    const data = refusesData(refusal);
    if (!data) {
      if (tries === 0)
        this.#logger.warn({ error: messageOf(refusal) }, "results can't be recorded now; they are sent again");
      await backOff(tries, this.#stopped.signal);
    }
    if (waitedTooLong(refusal) && ofOneTask(batch)) return this.#putAside(batch);
    if (batch.length > 1 && (data || waitedTooLong(refusal))) {
      const middle = batch.length >> 1;
      // At the same time: the half with a locked task may not come to an end for long.
      await Promise.all([this.#record(batch.slice(0, middle)), this.#record(batch.slice(middle))]);
      return;
    }
    if (!data) return this.#record(batch, tries + 1);
    const [culprit] = batch;
    // What refuses an event must not cost the result.
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
        'the database refuses to record the end of a step; trying again',
      );
      await backOff(8, this.#stopped.signal);
      return this.#record([failed]);
    }
  }

  /** Steps of a task that somebody holds leave their lane: they are tried again beside them, task by task. */
  #putAside(batch: readonly AttemptEnd[]): void {
    this.#asides++;
    for (const { taskUuid } of batch) this.#heldTasks.add(taskUuid);
    this.#aside.push(...batch);
    this.#tryThoseAside();
  }

  #tryThoseAside(): void {
    this.#trying ??= this.#tryAside().finally(() => {
      this.#trying = undefined;
      this.#heldTasks.clear();
      if (this.#aside.length > 0 && !this.#stopped.signal.aborted) this.#tryThoseAside();
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
 * Whether it is a value that can't be stored: data exceptions, violated constraints, limits, an error that a trigger
 * raised. All else (no room, a deadlock, a cancelled statement) says nothing against a result: the same again is right.
 */
function refusesData(error: unknown): boolean {
  return /^(22|23|54|P0)/.test(sqlState(error) ?? '');
}

/** One locked task should hold up nobody but itself. */
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
