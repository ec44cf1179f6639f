import type { EventPosition, PartOutcome, TakenEvent, TakenPart } from '../../engine/event-log.ts';
import type { GroupWork } from './group-work.ts';
import type { HandedOver } from './hand-over.ts';
import type { HeldWork } from './held-work.ts';

/** An event of the part, and how it stands with it. */
interface Placed {
  id: number;
  taskUuid: string;
  after: EventPosition;
  /** Gone once it was handled, so that memory holds only what is still to do. */
  event: TakenEvent | undefined;
  /** Undefined: not yet. */
  handled: Exclude<HandedOver, { kind: 'let_go' }> | { kind: 'parked' } | undefined;
  /** When that was, by this process's clock. */
  at: number;
}

const LOST = new Error('another process has taken over this part of the log of events');

/**
 * Handles what was taken of one part: events of a task one after the other, those of different tasks at once. The group's
 * cursor follows as far as all was handled; a failed event, and those of its task behind it, go on beside the cursor.
 */
export class PartRun implements HeldWork {
  readonly holder: string;
  heldUntil: number;
  readonly #group: GroupWork;
  readonly #taken: TakenPart;
  readonly #events: readonly Placed[];
  readonly #halt = new AbortController();
  #stopping = false;
  #lost = false;
  #left: number;
  #saved = 0;
  #saving: Promise<void> = Promise.resolve();
  #progress: Promise<void> | undefined;
  /** Nothing runs any more. */
  #ending = false;
  /** All was handled, and the part let go with that. */
  #done = false;

  constructor(
    group: GroupWork,
    { events, ...taken }: TakenPart,
    { holder, heldUntil }: { holder: string; heldUntil: number },
  ) {
    this.#group = group;
    this.holder = holder;
    this.#taken = { ...taken, events: [] };
    this.heldUntil = heldUntil;
    this.#left = events.length;
    this.#events = events.map((event) => {
      const { id, taskUuid, after } = event;
      return { id, taskUuid, after, event, handled: undefined, at: 0 };
    });
  }

  get left(): number {
    return this.#left;
  }

  /** Whether the part was taken over by another process. */
  get lost(): boolean {
    return this.#lost;
  }

  get part(): number {
    return this.#taken.part;
  }

  async run(): Promise<void> {
    await Promise.all(byTask(this.#events).map((events) => this.#inOrder(events)));
    this.#ending = true;
    await this.#save({ last: true });
    if (!this.#lost && !this.#done) await this.#group.letGo(this.holder);
  }

  stop(): void {
    this.#stopping = true;
  }

  halt(reason: unknown): void {
    this.#stopping = true;
    this.#halt.abort(reason);
  }

  lose(): void {
    // Nothing runs that could be halted, and the last writing learns by itself whether the part is still held.
    if (!this.#ending) this.#lose();
  }

  saveProgress(): void {
    // One at a time: the next is wanted for what is handled until it begins.
    if (this.#progress) return;
    this.#progress = this.#save({ last: false }).finally(() => (this.#progress = undefined));
  }

  async #inOrder(events: readonly Placed[]): Promise<void> {
    let behind = false;
    for (const placed of events) {
      behind ||= placed.event!.parked;
      const handled: HandedOver | { kind: 'parked' } = behind ? { kind: 'parked' } : await this.#handle(placed.event!);
      if (handled.kind === 'let_go') return;
      behind ||= handled.kind === 'again';
      placed.handled = handled;
      placed.at = performance.now();
      placed.event = undefined;
      this.#left--;
    }
  }

  #handle(event: TakenEvent): Promise<HandedOver> {
    return this.#group.handle(event, {
      failures: 0,
      replayed: false,
      over: () => this.#stopping || performance.now() > this.heldUntil,
      halt: this.#halt.signal,
    });
  }

  #save(how: { last: boolean }): Promise<void> {
    this.#saving = this.#saving.then(() => this.#saveNow(how));
    return this.#saving;
  }

  async #saveNow({ last }: { last: boolean }): Promise<void> {
    const to = last ? this.#handledAtAll() : this.#handledInOrder();
    const all = to === this.#events.length;
    if (this.#lost || (to === this.#saved && !(last && all))) return;
    const keepMs = last ? undefined : this.#group.leaseMs;
    const askedAt = performance.now();
    const outcome = () => ({ ...this.#outcome(to), ...(keepMs !== undefined && { keepMs }) });
    const held = await this.#group.surely(() => this.#group.log.finish(this.#taken, outcome()));
    if (held === false) this.#lose();
    if (!held) return;
    const { failed } = this.#outcome(to);
    this.#saved = to;
    this.#done = last;
    if (keepMs !== undefined) this.heldUntil = Math.max(this.heldUntil, askedAt + keepMs);
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
    for (const { id, taskUuid, handled, at } of this.#events.slice(this.#saved, to)) {
      if (handled?.kind === 'delivered') continue;
      if (handled?.kind === 'again') {
        const { error, delayMs } = handled;
        failed.push({ id, taskUuid, error, delayMs: Math.max(0, delayMs - (now - at)) });
      } else if (handled?.kind === 'dead') dead.push({ id, taskUuid, error: handled.error });
      // What was let go before the end goes on beside the cursor too: what was handled behind it is not repeated for it.
      else parked.push({ id, taskUuid });
    }
    const all = to === this.#events.length;
    return { upTo: all ? this.#taken.upTo : this.#events[to - 1]!.after, failed, dead, parked };
  }

  #lose(): void {
    this.#lost = true;
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
