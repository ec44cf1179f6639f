import { type Engine, isConnectionError, type RecordAnswer, sqlState } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { type AttemptEnd, refusedByDatabase } from './attempt-end.ts';
import { backOff } from './back-off.ts';

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
}

/** What {@link RecorderEvents.reserve} gave. */
export type Reserved = ReturnType<RecorderEvents['reserve']>;

const LANES = 3;
/** Steps in one transaction. */
const BATCH = 500;
/** Bytes of results in one transaction; PostgreSQL takes at most 256 MB in one value. */
const BATCH_BYTES = 32 * 1024 * 1024;
/** While a recording is under way, the next waits for this many: a full batch costs little more than a small one. */
const WORTH_A_LANE = BATCH / 4;

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
  #lanes = LANES;
  #scheduled = false;
  #away = false;

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
    while (this.#lanes > 0 && this.#waiting.length > 0) {
      if (this.#lanes < LANES && this.#waiting.length < WORTH_A_LANE) return;
      this.#lanes--;
      void this.#record(this.#nextBatch()).finally(() => {
        this.#lanes++;
        this.#flush();
      });
    }
  }

  #nextBatch(): AttemptEnd[] {
    let bytes = 0;
    let size = 0;
    const limit = Math.min(BATCH, this.#waiting.length);
    while (size < limit) {
      bytes += this.#waiting[size]!.result.length;
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

  /** Ends only when every attempt of the batch is acknowledged or refused; never throws. */
  async #record(batch: AttemptEnd[]): Promise<void> {
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
        await this.#recordInHalves(batch, error);
      }
    }
  }

  #settle(batch: readonly AttemptEnd[], answer: RecordAnswer, own: Reserved): void {
    this.pending -= batch.length;
    const accepted = answer.refused.length === 0 ? batch : without(batch, answer.refused);
    this.#events.recorded(batch, accepted, answer, own);
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
      await backOff(tries);
      const own = { ...this.#events.reserve([]), ...NO_CHILDREN };
      try {
        const answer = await this.#engine.record(batch, own);
        const refused = answer.refused.map((i) => batch[i]!);
        const earlier = refused.length === 0 ? new Set<number>() : await this.#engine.findRecorded(refused);
        if (this.#away) this.#logger.info('the database is back; waiting results are recorded');
        this.#away = false;
        const stillRefused = answer.refused.filter((_, i) => !earlier.has(i));
        this.#settle(batch, { ...answer, refused: stillRefused }, own);
        return;
      } catch (error) {
        this.#events.release(own);
        if (isConnectionError(error)) continue;
        return this.#recordInHalves(batch, error);
      }
    }
  }

  /** One result that PostgreSQL refuses must not take the others along: half and half, until it is alone. */
  async #recordInHalves(batch: AttemptEnd[], refusal: unknown): Promise<void> {
    if (isPassing(refusal)) {
      await backOff(0);
      return this.#record(batch);
    }
    if (batch.length > 1) {
      const middle = batch.length >> 1;
      await this.#record(batch.slice(0, middle));
      return this.#record(batch.slice(middle));
    }
    const [culprit] = batch;
    const failed = refusedByDatabase(culprit!, messageOf(refusal));
    const own = this.#events.reserve([]);
    try {
      this.#settle([failed], await this.#engine.record([failed], own), own);
    } catch (error) {
      this.#events.release(own);
      if (isConnectionError(error)) return this.#recordDoubtful([failed], error);
      this.#logger.error(
        { task_uuid: failed.taskUuid, step: failed.step.name, error: messageOf(error) },
        'the database refuses to record the end of a step; trying again',
      );
      await backOff(8);
      return this.#record([failed]);
    }
  }
}

/** A deadlock, a serialization failure, a lock timeout: the same again is right. */
function isPassing(error: unknown): boolean {
  return /^(40|55P03)/.test(sqlState(error) ?? '');
}

function without(batch: readonly AttemptEnd[], positions: readonly number[]): AttemptEnd[] {
  const left = new Set(positions);
  return batch.filter((_, i) => !left.has(i));
}
