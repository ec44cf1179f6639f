import type { EventReference, FailedDelivery, RetriedEvent, RetryOutcome, StillHeld } from '../../engine/events/log.ts';
import { Halt } from '../halt.ts';
import type { GroupWork, HeldWork } from './group/work.ts';
import type { HandedOver } from './hand-over.ts';

/** A delivery whose outcome is not stored yet. */
interface Ended extends EventReference {
  /** The number of earlier deliveries that failed. */
  failures: number;
  handled: HandedOver;
}

/** A running delivery, which can continue after the part of the log that it came from is released. */
export interface BegunDelivery extends EventReference {
  /** The number of earlier deliveries that failed. */
  failures: number;
  /** The outcome of the delivery. */
  handled: Promise<HandedOver>;
  /** Ends the wait for the delivery when it fires. */
  halt: Halt;
}

/** The hold of deliveries in the database. */
export interface Hold {
  holder: string;
  heldUntil: number;
}

const LOST = new Error('another process has taken over this delivery');

/**
 * Handles deliveries apart from the cursor: due retries, and slow deliveries. The database ensures that only one event
 * of a task is delivered at a time. Outcomes are stored immediately. Outcomes of deliveries that end during a write are
 * stored together by the next write.
 */
export class RetryRun implements HeldWork {
  readonly holder: string;
  readonly #group: GroupWork;
  /** Deliveries that have not ended yet. */
  readonly #going = new Map<number, BegunDelivery>();
  heldUntil: number;
  left: number;
  #ended: Ended[] = [];
  #writing: Promise<void> = Promise.resolve();
  #stopping = false;

  /** @param deliveries deliveries that already run under this hold, or events that are due for a retry */
  constructor(group: GroupWork, deliveries: readonly (BegunDelivery | RetriedEvent)[], { holder, heldUntil }: Hold) {
    this.#group = group;
    this.holder = holder;
    this.heldUntil = heldUntil;
    this.left = deliveries.length;
    for (const one of deliveries) this.#going.set(one.id, 'handled' in one ? one : this.#begin(one));
  }

  async run(): Promise<void> {
    await Promise.all([...this.#going.values()].map((delivery) => this.#run(delivery)));
  }

  stop(): void {
    this.#stopping = true;
  }

  halt(reason: unknown): void {
    this.#stopping = true;
    for (const { halt } of this.#going.values()) halt.halt(reason);
  }

  extended({ events }: StillHeld, until: number): void {
    const held = new Set(events);
    for (const { id, halt } of this.#going.values()) if (!held.has(id)) halt.halt(LOST);
    if (events.length > 0) this.heldUntil = Math.max(this.heldUntil, until);
  }

  saveProgress(): void {
    // All outcomes are already stored.
  }

  #begin(event: RetriedEvent): BegunDelivery {
    const { id, taskUuid, attempts: failures, replayed } = event;
    const halt = new Halt();
    const over = () => this.#stopping || halt.halted || performance.now() > this.heldUntil;
    const handled = this.#group.handle(event, { failures, replayed, over, halt });
    return { id, taskUuid, failures, handled, halt };
  }

  async #run({ id, taskUuid, failures, handled: ends }: BegunDelivery): Promise<void> {
    const handled = await ends;
    this.#going.delete(id);
    this.#ended.push({ id, taskUuid, failures, handled });
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
    this.left--;
    this.#group.wake();
  }

  async #write(): Promise<void> {
    const ended = this.#ended.splice(0);
    if (ended.length === 0) return;
    const { log, groupId } = this.#group;
    const outcome = outcomeOf(ended);
    const written = await this.#group.retryUntilAnswered(() => log.finishRetries(groupId, this.holder, outcome));
    if (!written) return;
    if (written.next > 0) this.#group.retryIn(0);
    for (const { delayMs } of [...outcome.failed, ...outcome.left]) this.#group.retryIn(delayMs);
  }
}

function outcomeOf(ended: readonly Ended[]): Required<RetryOutcome> {
  const delivered: EventReference[] = [];
  const failed: (FailedDelivery & { attempts: number })[] = [];
  const dead: (EventReference & { attempts: number; error: string })[] = [];
  const left: (EventReference & { attempts: number; delayMs: number })[] = [];
  for (const { handled, failures, ...one } of ended) {
    const attempts = failures + 1;
    if (handled.kind === 'delivered') delivered.push(one);
    else if (handled.kind === 'dead') dead.push({ ...one, attempts, error: handled.error });
    else if (handled.kind === 'again')
      failed.push({ ...one, attempts, error: handled.error, delayMs: handled.delayMs });
    // Released one by one, so that other processes can take them while this hold continues.
    else left.push({ ...one, attempts: failures, delayMs: 0 });
  }
  return { delivered, failed, dead, left };
}
