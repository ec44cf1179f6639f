import type { EventReference, FailedDelivery, RetriedEvent } from '../../engine/event-log.ts';
import type { GroupWork } from './group-work.ts';
import type { HandedOver } from './hand-over.ts';
import type { HeldWork } from './held-work.ts';

/** What a delivery came to that is not written down yet. */
interface Ended extends EventReference {
  attempts: number;
  handled: Exclude<HandedOver, { kind: 'let_go' }>;
}

/** What was taken together, and how it is held. */
export interface TakenRetries {
  events: readonly RetriedEvent[];
  holder: string;
  heldUntil: number;
}

const LOST = new Error('another process has taken over these deliveries');

/**
 * Handles what is due again; that it is one event of a task at a time, the database sees to. What is over is written down
 * at once, together with what ended during the writing before.
 */
export class RetryRun implements HeldWork {
  readonly holder: string;
  heldUntil: number;
  readonly #group: GroupWork;
  readonly #events: readonly RetriedEvent[];
  readonly #halt = new AbortController();
  #left: number;
  #ended: Ended[] = [];
  #writing: Promise<void> = Promise.resolve();
  #stopping = false;

  constructor(group: GroupWork, { events, holder, heldUntil }: TakenRetries) {
    this.#group = group;
    this.#events = events;
    this.#left = events.length;
    this.holder = holder;
    this.heldUntil = heldUntil;
  }

  get left(): number {
    return this.#left;
  }

  async run(): Promise<void> {
    const written = await Promise.all(this.#events.map((event) => this.#run(event)));
    if (written.includes(false)) await this.#group.letGo(this.holder);
  }

  stop(): void {
    this.#stopping = true;
  }

  halt(reason: unknown): void {
    this.#stopping = true;
    this.#halt.abort(reason);
  }

  lose(): void {
    this.halt(LOST);
  }

  saveProgress(): void {
    // All that is over is written down already.
  }

  async #run(event: RetriedEvent): Promise<boolean> {
    const { id, taskUuid, attempts } = event;
    const handled = await this.#handle(event);
    if (handled.kind === 'let_go') return false;
    this.#ended.push({ id, taskUuid, attempts: attempts + 1, handled });
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
    this.#left--;
    this.#group.stir();
    return true;
  }

  #handle(event: RetriedEvent): Promise<HandedOver> {
    return this.#group.handle(event, {
      failures: event.attempts,
      replayed: event.replayed,
      over: () => this.#stopping || performance.now() > this.heldUntil,
      halt: this.#halt.signal,
    });
  }

  async #write(): Promise<void> {
    const ended = this.#ended.splice(0);
    if (ended.length === 0) return;
    const { log, groupId } = this.#group;
    const delivered: EventReference[] = [];
    const failed: (FailedDelivery & { attempts: number })[] = [];
    const dead: (EventReference & { attempts: number; error: string })[] = [];
    for (const { handled, ...one } of ended) {
      if (handled.kind === 'delivered') delivered.push(one);
      else if (handled.kind === 'dead') dead.push({ ...one, error: handled.error });
      else failed.push({ ...one, error: handled.error, delayMs: handled.delayMs });
    }
    const outcome = { delivered, failed, dead };
    const written = await this.#group.surely(() => log.finishRetries(groupId, this.holder, outcome));
    if (!written) return;
    if (written.next > 0) this.#group.retryIn(0);
    for (const { delayMs } of failed) this.#group.retryIn(delayMs);
  }
}
