import type { EventPosition, PartOutcome, StillHeld, TakenEvent, TakenPart } from '../../engine/events/log.ts';
import { Halt } from '../halt.ts';
import type { GroupWork, HeldWork } from './group/work.ts';
import type { HandedOver } from './hand-over.ts';
import { type BegunDelivery, type Hold, RetryRun } from './retry-run.ts';

/** An event of the part, and how it stands with it. */
interface Placed {
  id: number;
  taskUuid: string;
  after: EventPosition;
  /** Gone once it was handled, so that memory holds only what is still to do. */
  event: TakenEvent | undefined;
  /** Undefined: its consumer does not have it yet. */
  begun: (BegunDelivery & { at: number }) | undefined;
  /** Undefined: not yet. `slow`: it goes on beside the part. */
  handled: Exclude<HandedOver, { kind: 'let_go' }> | { kind: 'parked' } | { kind: 'slow' } | undefined;
  /** When that was, by this process's clock. */
  at: number;
}

const LOST = new Error('another process has taken over this part of the log of events');
const NOT_WRITTEN = new Error('that this delivery goes on could not be written down');

/**
 * Handles what was taken of one part: events of a task one after the other, those of different tasks at once. The group's
 * cursor follows as far as all was handled; a failed event, one that only another process asked for, and those of their
 * tasks behind them go on beside the cursor. So do those that take long, once nothing else is to do: what comes after them
 * in the part does not wait for them.
 */
export class PartRun implements HeldWork {
  readonly holder: string;
  readonly #group: GroupWork;
  readonly #taken: TakenPart;
  /** The events of tasks that are not finished here, by task. */
  readonly #going: Set<readonly Placed[]>;
  /** What goes on beside the part, or is about to. */
  #slow: readonly BegunDelivery[] = [];
  readonly #events: readonly Placed[];
  heldUntil: number;
  left: number;
  /** Whether the part was taken over by another process. */
  lost = false;
  #stopping = false;
  /** What was handled could not be written down. */
  #unwritten = false;
  #saved = 0;
  #saving: Promise<void> = Promise.resolve();
  #progress: Promise<void> | undefined;
  /** The part is not needed any more: nothing runs, or it goes on beside it. */
  #ending = false;
  /** All was written down, and the part let go with that. */
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
    this.#going = new Set(byTask(this.#events));
  }

  get part(): number {
    return this.#taken.part;
  }

  async run(): Promise<void> {
    const handled = [...this.#going].map((events) => this.#inOrder(events).then(() => this.#going.delete(events)));
    await Promise.race([Promise.all(handled), this.#endsEarly]);
    this.#ending = true;
    await this.#save({ last: true });
    if (this.lost || this.#done) return;
    // What the database refused it would refuse again: the part rests until its hold is over, or somebody else is to try.
    if (!this.#unwritten || this.#stopping) await this.#group.letGo(this.holder);
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
    // Nothing runs that could be halted, and the last writing learns by itself whether the part is still held.
    else if (!this.#ending) this.#lose();
  }

  saveProgress(): void {
    // One at a time: the next is wanted for what is handled until it begins.
    if (this.#progress || this.#ending) return;
    const saved = this.#onlySlow() ? this.#letPartGo() : this.#save({ last: false });
    this.#progress = saved.finally(() => (this.#progress = undefined));
  }

  async #inOrder(events: readonly Placed[]): Promise<void> {
    let behind = false;
    for (const placed of events) {
      // What only another process asked for waits for it beside the cursor.
      behind ||= placed.event!.parked || !this.#group.wants(placed.event!.name);
      const handled: HandedOver | { kind: 'parked' } = behind ? { kind: 'parked' } : await this.#handle(placed);
      // What goes on beside the part took those behind it along.
      if (handled.kind === 'let_go' || placed.handled) return;
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

  /** Whether all that is still to be handled here has been under way for long, or is behind such a one. */
  #onlySlow(): boolean {
    const since = performance.now() - this.#group.slowMs;
    return [...this.#going].every((events) => {
      const first = events.find(({ handled }) => !handled);
      return !first || (first.begun && first.begun.at <= since);
    });
  }

  /** What takes long goes on as repetitions do, held under the same holder, and what is behind it waits for it there. */
  async #letPartGo(): Promise<void> {
    this.#ending = true;
    const slow: BegunDelivery[] = [];
    this.#slow = slow;
    for (const placed of [...this.#going].flat()) {
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
    // A part that was let go is nobody's; what goes on beside it was held anew with that.
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

  /** What is not written down yet of the first `to` events. */
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
      // What was let go before the end goes on beside the cursor too: what was handled behind it is not repeated for it.
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
