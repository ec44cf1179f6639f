import { type ClaimedStepRow, type Engine, KIND, type RecordedStep } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { templateIndex } from '../model/step-index.ts';
import { backOff } from '../time/back-off.ts';

/** How long such steps are left to others. Only another program reads them; one that none reads is looked at again. */
const EXCLUDE_MS = 10 * 60_000;
/** Steps in one transaction. */
const BATCH = 500;
const NO_CHILDREN = { freeSlots: 0, token: 0, lastRank: -101 };

/** A claimed step and the fence under which it is held. */
export type FencedStep = Pick<ClaimedStepRow, 'taskUuid' | 'idx' | 'templateId' | 'rank'> & { claim: number };

/**
 * Steps that were claimed though this program can't read their template: a newer one stored it, while workers are
 * replaced one after the other. They go back without spending an attempt, and later claims leave them to others.
 */
export class UnreadableTemplates {
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #givenBack: () => void;
  /** Steps (template << 32 | idx) that are left to others, until when. */
  readonly #excluded = new Map<bigint, number>();
  readonly #warned = new Set<number>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #stopped = new AbortController();
  #left = 0;

  /** `givenBack`: steps are in the queue again, for other workers. */
  constructor(engine: Engine, givenBack: () => void, logger: Logger) {
    this.#engine = engine;
    this.#givenBack = givenBack;
    this.#logger = logger;
  }

  /** What a claim must leave out. */
  excluded(): readonly bigint[] {
    const now = performance.now();
    for (const [key, until] of this.#excluded) if (until < now) this.#excluded.delete(key);
    return [...this.#excluded.keys()];
  }

  /** Leaves these steps to others. `reasons`: by template, why it can't be read. */
  giveBack(steps: readonly FencedStep[], reasons: ReadonlyMap<number, Error>): void {
    const until = performance.now() + EXCLUDE_MS;
    for (const { templateId, idx } of steps) {
      this.#excluded.set((BigInt(templateId) << 32n) | BigInt(templateIndex(idx)), until);
    }
    for (const [id, reason] of reasons) this.#warn(id, reason);
    for (let i = 0; i < steps.length; i += BATCH) {
      const going = this.#release(steps.slice(i, i + BATCH)).finally(() => this.#underWay.delete(going));
      this.#underWay.add(going);
    }
  }

  #warn(templateId: number, reason: Error): void {
    if (this.#warned.has(templateId)) return;
    this.#warned.add(templateId);
    this.#logger.warn(
      { template_id: templateId, error: reason.message },
      "a stored template can't be read by this worker, most likely because a newer version of the package stored it; its steps are left to other workers. Upgrade this worker",
    );
  }

  /** A repeated try is safe: what was given back already is refused under its fence. */
  async #release(steps: readonly FencedStep[]): Promise<void> {
    for (let tries = 0; !this.#stopped.signal.aborted; tries++) {
      try {
        await this.#engine.record(steps.map(released), NO_CHILDREN);
        this.#givenBack();
        return;
      } catch (error) {
        if (tries === 0)
          this.#logger.warn({ error: messageOf(error) }, "steps of other workers can't be given back; trying again");
        await backOff(tries, this.#stopped.signal);
      }
    }
    this.#left += steps.length;
  }

  /** Waits `ms` at most for what goes back. Answers how many steps did not: others find them when the lease is over. */
  async stop(ms: number): Promise<number> {
    const timer = setTimeout(() => this.#stopped.abort(), ms);
    await Promise.all(this.#underWay);
    clearTimeout(timer);
    return this.#left;
  }
}

function released(step: FencedStep): RecordedStep {
  return {
    taskUuid: step.taskUuid,
    idx: step.idx,
    claim: step.claim,
    kind: KIND.released,
    delayMs: 0,
    templateId: step.templateId,
    rank: step.rank,
    durationMs: 0,
    result: 'null',
    detail: 'null',
  };
}
