import { messageOf } from '../../../errors.ts';
import type { Logger } from '../../../logging/logger.ts';
import type { GroupWork, HeldWork } from './work.ts';

/** Maximum interval between two writes of results. */
const SAVE_MS = 1_000;

/** The parts and deliveries that a process holds for a group. Extends their leases and stores their progress. */
export class GroupHolds {
  readonly #works = new Map<HeldWork, Promise<void>>();
  readonly #group: GroupWork;
  readonly #logger: Logger;
  #ticking: NodeJS.Timeout | undefined;
  #extending = false;

  constructor(group: GroupWork, logger: Logger) {
    this.#group = group;
    this.#logger = logger;
  }

  /** The number of events in memory that are not handled yet. */
  get count(): number {
    return [...this.#works.keys()].reduce((count, { left }) => count + left, 0);
  }

  /** Runs work and extends its hold until the work ends. */
  async run(work: HeldWork): Promise<void> {
    const running = work.run();
    this.#works.set(work, running);
    try {
      await running;
    } finally {
      this.#works.delete(work);
    }
  }

  /** All work that is held. */
  get works(): readonly HeldWork[] {
    return [...this.#works.keys()];
  }

  /** Resolves when this process holds nothing. */
  async settled(): Promise<void> {
    // Work may be replaced by follow-up work when it ends.
    while (this.#works.size > 0) await Promise.all(this.#works.values());
  }

  start(): void {
    this.#ticking ??= setInterval(() => this.#tick(), Math.min(SAVE_MS, Math.ceil(this.#group.leaseMs / 3)));
  }

  /** Stops extending holds. */
  stop(): void {
    clearInterval(this.#ticking);
  }

  #tick(): void {
    const { works } = this;
    if (works.length === 0) return;
    for (const work of works) work.saveProgress();
    const { leaseMs } = this.#group;
    const soonest = Math.min(...works.map(({ heldUntil }) => heldUntil)) - (leaseMs * 2) / 3;
    if (!this.#extending && performance.now() >= soonest) void this.#extend(works);
  }

  async #extend(works: readonly HeldWork[]): Promise<void> {
    const { log, groupId, leaseMs } = this.#group;
    this.#extending = true;
    try {
      const until = performance.now() + leaseMs;
      const extend = async (work: HeldWork) => work.extended(await log.extend(groupId, work.holder, leaseMs), until);
      await Promise.all(works.map(extend));
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'lease on events not extended; retrying');
    } finally {
      this.#extending = false;
    }
  }
}
