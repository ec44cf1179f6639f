import type { AdoptedStepRow, Engine } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { incarnationOf } from './incarnation.ts';

/** How long a fence stays in doubt after the first look that got through: the old backend may commit later. */
const KEEP_MS = 70_000;
const OFTEN_FOR_MS = 10_000;
const OFTEN_MS = 300;
const SELDOM_MS = 5_000;

interface Doubt {
  firstLook: number | undefined;
  /** Steps that were adopted under it, for as long as it is kept: "not held now" is not enough, it may have ended. */
  adopted: Set<string>;
}

/**
 * Fences of claims whose answer was lost. Steps may be held under them that this worker does not know of, and no lease
 * ever ends, because the worker lives: they are looked for and adopted.
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

  /** Fences of an incarnation that was declared dead: others look after its steps. */
  forget(incarnations: readonly number[]): void {
    for (const token of this.#unanswered.keys()) {
      if (incarnations.includes(incarnationOf(token))) this.#unanswered.delete(token);
    }
  }

  /** Whether some step may be held that nobody here knows of. */
  get any(): boolean {
    return this.#unanswered.size > 0;
  }

  /** The same of one incarnation. */
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
        this.#logger.warn({ steps: rows.length }, 'steps whose claim was answered into a lost connection are adopted');
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
      this.#logger.debug(
        { error: messageOf(error) },
        'looking for steps of lost claims did not get through; trying again',
      );
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
