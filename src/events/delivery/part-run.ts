import type { EventPosition, PartOutcome, StillHeld, TakenEvent, TakenPart } from '../../engine/events/log.ts';
import { Halt } from '../halt.ts';
import type { GroupWork, HeldWork } from './group/work.ts';
import type { HandedOver } from './hand-over.ts';
import { type BegunDelivery, type Hold, RetryRun } from './retry-run.ts';

/** An event of the part, and its state. */
interface Placed {
  id: number;
  taskUuid: string;
  after: EventPosition;
  /** Cleared once the event is handled, to free memory. */
  event: TakenEvent | undefined;
  /** The running delivery. Undefined until it starts. */
  begun: (BegunDelivery & { at: number }) | undefined;
  /** The result. Undefined until there is one. `slow`: the delivery continues outside the part. */
  handled: Exclude<HandedOver, { kind: 'abandoned' }> | { kind: 'parked' } | { kind: 'slow' } | undefined;
  /** When the event was handled, as a value of `performance.now()`. */
  at: number;
}

const LOST = new Error('another process has taken over this part of the event log');
const NOT_WRITTEN = new Error('slow delivery not recorded as still running');

/**
 * Handles the events taken from one part of the log. Events of one task are handled one after the other, events of
 * different tasks concurrently. The group's cursor advances past events that are handled. Three kinds of events are
 * tracked separately from the cursor, together with later events of their tasks: failed events, events that only
 * another process wants, and events whose delivery is slow. A delivery is considered slow only when the part has no
 * other work left, so that the part can be released.
 */
export class PartRun implements HeldWork {
  readonly holder: string;
  readonly #group: GroupWork;
  readonly #taken: TakenPart;
  /** The events of tasks that still have unhandled events, grouped by task. */
  readonly #pending: Set<readonly Placed[]>;
  /** Deliveries that continue outside the part, or are about to do so. */
  #slow: readonly BegunDelivery[] = [];
  readonly #events: readonly Placed[];
  heldUntil: number;
  left: number;
  /** Whether the part was taken over by another process. */
  lost = false;
  #stopping = false;
  /** Whether results could not be stored. */
  #unwritten = false;
  #saved = 0;
  #saving: Promise<void> = Promise.resolve();
  #progress: Promise<void> | undefined;
  /**
   * Whether the part is about to be released, because nothing runs or the running deliveries continue outside the part.
   */
  #ending = false;
  /** Whether all results are stored. Storing them also released the part. */
  #done = false;
  #endEarly!: () => void;
  readonly #endsEarly = new Promise<void>((resolve) => (this.#endEarly = resolve));

  constructor(group: GroupWork, { events, ...taken }: TakenPart, { holder, heldUntil }: Hold) {
    this.#group = group;
    this.holder = holder;
    this.#taken = { ...taken, events: [] };
    this.heldUntil = heldUntil;
    this.left = events.length;
    this.#events = events.map((event) => {
      const { id, taskUuid, after } = event;
      return { id, taskUuid, after, event, begun: undefined, handled: undefined, at: 0 };
    });
    this.#pending = new Set(byTask(this.#events));
  }

  get part(): number {
    return this.#taken.part;
  }

  async run(): Promise<void> {
    const handled = [...this.#pending].map((events) => this.#inOrder(events).then(() => this.#pending.delete(events)));
    await Promise.race([Promise.all(handled), this.#endsEarly]);
    this.#ending = true;
    await this.#save({ last: true });
    if (this.lost || this.#done) return;
    // If the database rejected the results, it would reject them again, so the part stays held until its lease expires.
    if (!this.#unwritten || this.#stopping) await this.#group.release(this.holder);
  }

  stop(): void {
    this.#stopping = true;
  }

  halt(reason: unknown): void {
    this.#stopping = true;
    for (const { begun } of this.#events) begun?.halt.halt(reason);
    for (const { halt } of this.#slow) halt.halt(reason);
  }

  extended({ parts }: StillHeld, until: number): void {
    if (parts.includes(this.part)) this.heldUntil = Math.max(this.heldUntil, until);
    // During the last write, nothing is left to halt. The write itself detects whether the part is still held.
    else if (!this.#ending) this.#lose();
  }

  saveProgress(): void {
    // Only one write at a time, so that the next write includes everything handled before it starts.
    if (this.#progress || this.#ending) return;
    const saved = this.#onlySlow() ? this.#releasePart() : this.#save({ last: false });
    this.#progress = saved.finally(() => (this.#progress = undefined));
  }

  async #inOrder(events: readonly Placed[]): Promise<void> {
    let behind = false;
    for (const placed of events) {
      // An event that only another process wants is tracked separately from the cursor.
      behind ||= placed.event!.parked || !this.#group.wants(placed.event!.name);
      const handled: HandedOver | { kind: 'parked' } = behind ? { kind: 'parked' } : await this.#handle(placed);
      // A slow delivery has already parked the later events of its task.
      if (handled.kind === 'abandoned' || placed.handled) return;
      behind ||= handled.kind === 'again';
      this.#isHandled(placed, handled);
      this.left--;
    }
  }

  #isHandled(placed: Placed, handled: Exclude<Placed['handled'], undefined>): void {
    placed.handled = handled;
    placed.at = performance.now();
    placed.event = undefined;
    placed.begun = undefined;
  }

  #handle(placed: Placed): Promise<HandedOver> {
    const { id, taskUuid } = placed;
    const halt = new Halt();
    const handled: Promise<HandedOver> = this.#group.handle(placed.event!, {
      failures: 0,
      replayed: false,
      over: () => this.#stopping || performance.now() > this.heldUntil,
      begin: () => (placed.begun = { id, taskUuid, failures: 0, handled, halt, at: performance.now() }),
      halt,
    });
    return handled;
  }

  /** Returns whether every unhandled event is a slow delivery or waits behind one. */
  #onlySlow(): boolean {
    const since = performance.now() - this.#group.slowMs;
    return [...this.#pending].every((events) => {
      const first = events.find(({ handled }) => !handled);
      return !first || (first.begun && first.begun.at <= since);
    });
  }

  /** Releases the part. Slow deliveries continue like retries under the same holder, and later events wait behind them. */
  async #releasePart(): Promise<void> {
    this.#ending = true;
    const slow: BegunDelivery[] = [];
    this.#slow = slow;
    for (const placed of [...this.#pending].flat()) {
      if (placed.handled) continue;
      if (placed.begun) slow.push(placed.begun);
      this.#isHandled(placed, placed.begun ? { kind: 'slow' } : { kind: 'parked' });
    }
    await this.#save({ last: true });
    this.left = 0;
    if (this.#done) this.#group.goOn(new RetryRun(this.#group, slow, this));
    else for (const { halt } of slow) halt.halt(this.lost ? LOST : NOT_WRITTEN);
    this.#endEarly();
  }

  #save(how: { last: boolean }): Promise<void> {
    this.#saving = this.#saving.then(() => this.#saveNow(how));
    return this.#saving;
  }

  async #saveNow({ last }: { last: boolean }): Promise<void> {
    const to = last ? this.#handledAtAll() : this.#handledInOrder();
    const all = to === this.#events.length;
    if (this.lost || this.#done || (to === this.#saved && !(last && all))) return;
    const keepMs = last ? undefined : this.#group.leaseMs;
    const askedAt = performance.now();
    const finish = () => this.#group.log.finish(this.#taken, { ...this.#outcome(to), keepMs });
    const held = await this.#group.retryUntilAnswered(finish);
    this.#unwritten = held === undefined;
    if (held === false) this.#lose();
    if (!held) return;
    const { failed } = this.#outcome(to);
    this.#saved = to;
    this.#done = last;
    // The last write released the part, but renewed the hold of the slow deliveries.
    this.heldUntil = Math.max(this.heldUntil, askedAt + this.#group.leaseMs);
    for (const { delayMs } of failed) this.#group.retryIn(delayMs);
  }

  #handledInOrder(): number {
    let to = this.#saved;
    while (this.#events[to]?.handled) to++;
    return to;
  }

  #handledAtAll(): number {
    return Math.max(this.#saved, this.#events.findLastIndex(({ handled }) => handled !== undefined) + 1);
  }

  /** The results of the first `to` events that are not stored yet. */
  #outcome(to: number): PartOutcome & { failed: { delayMs: number }[] } {
    const now = performance.now();
    const failed = [];
    const dead = [];
    const parked = [];
    const slow = [];
    for (const { id, taskUuid, handled, at } of this.#events.slice(this.#saved, to)) {
      if (handled?.kind === 'delivered') continue;
      if (handled?.kind === 'again') {
        const { error, delayMs } = handled;
        failed.push({ id, taskUuid, error, delayMs: Math.max(0, delayMs - (now - at)) });
      } else if (handled?.kind === 'dead') dead.push({ id, taskUuid, error: handled.error });
      else if (handled?.kind === 'slow') slow.push({ id, taskUuid });
      // Abandoned events are tracked separately from the cursor too, so that handled events behind them are not
      // repeated.
      else parked.push({ id, taskUuid });
    }
    const all = to === this.#events.length;
    const upTo = all ? this.#taken.upTo : this.#events[to - 1]!.after;
    return { upTo, failed, dead, parked, slow: { deliveries: slow, leaseMs: this.#group.leaseMs } };
  }

  #lose(): void {
    this.lost = true;
    this.halt(LOST);
  }
}

function byTask(events: readonly Placed[]): Placed[][] {
  const tasks = new Map<string, Placed[]>();
  for (const placed of events) {
    const others = tasks.get(placed.taskUuid);
    if (others) others.push(placed);
    else tasks.set(placed.taskUuid, [placed]);
  }
  return [...tasks.values()];
}
