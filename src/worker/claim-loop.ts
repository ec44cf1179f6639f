import { type Claimed, type ClaimedStepRow, isConnectionError } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import { outsideLogScopes } from '../logging/logger.ts';
import { backOff } from '../time/back-off.ts';
import type { WorkerOptions } from './worker-options.ts';
import { LOWEST_RANK, type WorkerParts } from './worker-parts.ts';

/**
 * Maximum number of steps in a claim. With a long queue, a lower limit costs more, because each claim reads past the
 * rows that earlier claims took.
 */
const CLAIM_LIMIT = 1_000;

/** The settings and callbacks of a {@link ClaimLoop}. */
export interface ClaimLoopOptions extends Pick<WorkerOptions, 'engine' | 'leaseMs' | 'logger'> {
  parts: WorkerParts;
  namespaceIds(): readonly number[];
  /** Receives claimed steps, each of which has a reserved slot. */
  take(rows: readonly ClaimedStepRow[], token: number): Promise<void>;
}

/** Claims as many steps as the worker has free slots, one claim at a time, while the queue may hold some. */
export class ClaimLoop {
  readonly #options: ClaimLoopOptions;
  #claiming: Promise<void> | undefined;
  #wanted = false;
  #failed = 0;
  /** Number of consecutive claims that found rows locked by other transactions. */
  #passedOver = 0;
  #lastRank = LOWEST_RANK;

  constructor(options: ClaimLoopOptions) {
    this.#options = options;
  }

  /** Whether a claim is in progress. */
  get claiming(): boolean {
    return this.#claiming !== undefined;
  }

  /** Recordings leave steps of greater ranks (lower priorities) in the queue. */
  get lastRank(): number {
    return this.#lastRank;
  }

  /** Called when the queue may hold steps of this rank (minus the priority) or a greater one. */
  want(rank = LOWEST_RANK): void {
    // Recordings leave lower priorities in the queue, so that without a free slot, steps with a higher priority do not
    // wait behind children of running steps.
    if (rank < this.#lastRank && this.#options.parts.slots.free <= 0) this.#lastRank = rank;
    this.#wanted = true;
  }

  /** Starts a claim if one is wanted and slots are free. */
  next(): void {
    if (this.#claiming || !this.#wanted || this.#options.namespaceIds().length === 0) return;
    const { slots, publishing, recorder } = this.#options.parts;
    const limit = Math.min(slots.roomToClaim(publishing.pending + recorder.pending), CLAIM_LIMIT);
    if (limit <= 0) return;
    this.#wanted = false;
    slots.reserve(limit);
    this.#claiming = this.#claim(limit).finally(() => {
      this.#claiming = undefined;
      this.next();
    });
  }

  async #claim(limit: number): Promise<void> {
    const { parts, engine, leaseMs, namespaceIds, take } = this.#options;
    const { slots, lease, missing, unreadable } = parts;
    const token = lease.incarnation.token();
    let claimed: Claimed = { steps: [], taken: 0, passedOver: false };
    try {
      claimed = await engine.claim(
        {
          limit,
          token,
          workerId: lease.incarnation.id,
          namespaceIds: namespaceIds(),
          excluded: [...missing.excluded(), ...unreadable.excluded()],
        },
        { timeoutMs: leaseMs / 3 },
      );
      this.#failed = 0;
      parts.outage?.answered('claim');
      lease.housekeeping.taken += claimed.taken;
    } catch (error) {
      await this.#claimFailed(token, error);
    } finally {
      slots.release(limit - claimed.steps.length);
    }
    const { steps: rows, taken, passedOver } = claimed;
    if (!passedOver) this.#passedOver = 0;
    else void backOff(this.#passedOver++).then(() => this.#again());
    if (taken === limit) this.#wanted = true;
    if (taken < limit || (rows.at(-1)?.rank ?? LOWEST_RANK) > this.#lastRank) this.#lastRank = LOWEST_RANK;
    if (rows.length > 0) await take(rows, token);
  }

  #again(): void {
    this.want();
    outsideLogScopes(() => this.next());
  }

  async #claimFailed(token: number, error: unknown): Promise<void> {
    const { parts, logger } = this.#options;
    if (isConnectionError(error)) parts.lease.unanswered.add(token);
    if (this.#failed === 0) logger.warn({ error: messageOf(error) }, 'claim failed; retrying');
    parts.outage?.failed('claim', error);
    this.#wanted = true;
    await backOff(this.#failed++, parts.stopping.signal);
  }
}
