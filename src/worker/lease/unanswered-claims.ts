import type { AdoptedStepRow, Engine } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { incarnationOf } from './incarnation.ts';

/** How long a fence stays in doubt after the first successful query, because the old backend may still commit. */
const KEEP_MS = 70_000;
const OFTEN_FOR_MS = 10_000;
const OFTEN_MS = 300;
const SELDOM_MS = 5_000;

interface Doubt {
  /** Time of the first successful query. */
  firstLook: number | undefined;
  /**
   * Steps that were adopted under this fence. Kept, because a step that is no longer held must not be adopted again.
   */
  adopted: Set<string>;
}

/**
 * Fences of claims whose response was lost. This worker may hold steps under them without knowing it, and its lease
 * keeps these steps from other workers. This class searches for the steps and adopts them.
 */
export class UnansweredClaims {
  readonly #engine: Engine;
  readonly #adopt: (rows: AdoptedStepRow[]) => void;
  readonly #logger: Logger;
  readonly #unanswered = new Map<number, Doubt>();
  #timer: NodeJS.Timeout | undefined;
  #busy: Promise<void> | undefined;
  #stopped = false;

  constructor(engine: Engine, adopt: (rows: AdoptedStepRow[]) => void, logger: Logger) {
    this.#engine = engine;
    this.#adopt = adopt;
    this.#logger = logger;
  }

  add(token: number): void {
    this.#unanswered.set(token, { firstLook: undefined, adopted: new Set() });
    this.#schedule(OFTEN_MS);
  }

  /** Drops the fences of incarnations that were declared dead, because other workers take their steps. */
  forget(incarnations: readonly number[]): void {
    for (const token of this.#unanswered.keys()) {
      if (incarnations.includes(incarnationOf(token))) this.#unanswered.delete(token);
    }
  }

  /** Whether this worker may hold a step without knowing it. */
  get any(): boolean {
    return this.#unanswered.size > 0;
  }

  /** Same as {@link any}, for one incarnation. */
  anyOf(incarnation: number): boolean {
    return [...this.#unanswered.keys()].some((token) => incarnationOf(token) === incarnation);
  }

  #schedule(delay: number): void {
    if (this.#stopped || this.#timer || this.#unanswered.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#busy = this.#look().finally(() => this.#schedule(this.#next()));
    }, delay);
  }

  #next(): number {
    const now = performance.now();
    const young = [...this.#unanswered.values()].some((doubt) => now - (doubt.firstLook ?? now) < OFTEN_FOR_MS);
    return young ? OFTEN_MS : SELDOM_MS;
  }

  async #look(): Promise<void> {
    const tokens = [...this.#unanswered.keys()];
    try {
      const rows = (await this.#engine.adopt(tokens)).filter((row) => this.#isNew(row));
      if (rows.length > 0) {
        this.#logger.warn({ steps: rows.length }, 'adopted steps of claims whose response was lost');
        this.#adopt(rows);
      }
      const now = performance.now();
      for (const token of tokens) {
        const doubt = this.#unanswered.get(token);
        if (!doubt) continue;
        doubt.firstLook ??= now;
        if (now - doubt.firstLook > KEEP_MS) this.#unanswered.delete(token);
      }
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'search for steps of unanswered claims failed; retrying');
    }
  }

  #isNew(row: AdoptedStepRow): boolean {
    const doubt = this.#unanswered.get(row.claim);
    const key = `${row.taskUuid}:${row.idx}:${row.attempts}`;
    if (!doubt || doubt.adopted.has(key)) return false;
    doubt.adopted.add(key);
    return true;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#busy;
  }
}
