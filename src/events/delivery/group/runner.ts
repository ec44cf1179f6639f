import { randomUUID } from 'node:crypto';
import { DEFAULTS } from '../../../config/defaults.ts';
import type { EventLog, RetriedEvent } from '../../../engine/events/log.ts';
import type { LoggedEvent } from '../../../engine/events/logged-event.ts';
import { messageOf } from '../../../errors.ts';
import type { Logger } from '../../../logging/logger.ts';
import type { Metrics } from '../../../metrics/metrics.ts';
import { backOff } from '../../../time/back-off.ts';
import { waitAtMost } from '../../../time/wait-at-most.ts';
import { Halt } from '../../halt.ts';
import type { StopOptions } from '../event-consumer.ts';
import { type HandedOver, HandOver, type HandOverOptions } from '../hand-over.ts';
import type { Outage } from '../outage.ts';
import { PartRun } from '../part-run.ts';
import { type Hold, RetryRun } from '../retry-run.ts';
import type { GroupConsumers } from './consumers.ts';
import { GroupHolds } from './holds.ts';
import { GroupMember } from './member.ts';
import { ScanWidth } from './scan-width.ts';
import type { GroupWork, HeldWork } from './work.ts';

/** What a {@link GroupRunner} is made from. */
export interface GroupRunnerParts {
  log: EventLog;
  consumers: GroupConsumers;
  leaseMs: number;
  signEveryMs: number;
  slowMs: number;
  logger: Logger;
  metrics: Metrics;
  outage: Outage;
}

/** What a group does in this process right now. */
export interface GroupLoad {
  group: string;
  /** Events in memory that are not handled yet. */
  held: number;
  /** Deliveries that go on although nobody waits for them any more. */
  late: number;
}

/** Events in memory at most. */
const HELD = 400;
const TAKEN_AT_ONCE = 200;
/** Before a due delivery is asked for again that another process has its hands on, or that is left to another; doubling. */
const LOCKED_MS = 50;
const LOCKED_AT_MOST_MS = 800;
/** Until a delivery that only others can make is looked at here again, if they have not taken it by then. */
const OTHERS_MS = 5_000;
/** After the drain time, for writing down what was handled. */
const GRACE_MS = 5_000;
const LAST_WORD_MS = 500;
/** For saying that the group is worked for here no more: others learn it by themselves. */
const LEAVE_MS = 2_000;

/**
 * Delivers events to one group: takes parts of the log, and what is due again, as long as there is room for more. Its loop,
 * slots and bounds are its own, so that no group feels another. Whoever dies leaves what it held to others, when its lease
 * is over.
 */
export class GroupRunner implements GroupWork {
  readonly log: EventLog;
  readonly leaseMs: number;
  readonly slowMs: number;
  readonly member: GroupMember;
  readonly #parts: GroupRunnerParts;
  readonly #hands: HandOver;
  readonly #holds: GroupHolds;
  readonly #stopping = new AbortController();
  /** Nobody waits any more for what runs. */
  readonly #halt = new Halt();
  /** The time for asking the database again is over. */
  readonly #gone = new AbortController();
  #looping: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  readonly #scan = new ScanWidth(TAKEN_AT_ONCE);
  #eventsMayWait = true;
  /** By this process's clock. */
  #retryAt = 0;
  /** Before the next look for a due delivery, if this one finds none. */
  #lockedMs = LOCKED_MS;
  /** What holds due deliveries. */
  readonly #retrying = new Set<RetryRun>();
  #stirred = false;
  #wakeUp: (() => void) | undefined;

  constructor(parts: GroupRunnerParts) {
    const { log, consumers, logger } = parts;
    this.#parts = parts;
    this.log = log;
    this.leaseMs = parts.leaseMs;
    this.slowMs = parts.slowMs;
    this.member = new GroupMember(parts);
    this.#hands = new HandOver(consumers, { ...parts, freed: () => this.stir() });
    this.#holds = new GroupHolds(this, logger);
  }

  get name(): string {
    return this.#parts.consumers.name;
  }

  get groupId(): number {
    return this.member.groupId!;
  }

  get load(): GroupLoad {
    return { group: this.name, held: this.#holds.count, late: this.#hands.late };
  }

  /** Its group was removed from the database: it makes a new one. */
  leave(): void {
    this.#parts.logger.warn(
      { group: this.name },
      'a group of domain events was removed while it is in use here; it begins anew',
    );
    this.member.groupId = undefined;
    this.stir();
  }

  /** Goes on by itself until it is stopped, whatever the database does. */
  start(): void {
    this.#looping ??= this.#loop();
    this.#holds.start();
  }

  // ---- what there is to do

  /** Events may wait that did not before. */
  wake(): void {
    this.#eventsMayWait = true;
    this.stir();
  }

  retryIn(delayMs: number): void {
    this.#retryAt = Math.min(this.#retryAt, performance.now() + delayMs);
    this.stir();
  }

  stir(): void {
    this.#stirred = true;
    this.#wakeUp?.();
  }

  wants(eventName: string): boolean {
    return this.#parts.consumers.wants(eventName);
  }

  async handle(event: LoggedEvent, options: HandOverOptions): Promise<HandedOver> {
    const handed = await this.#hands.handle(event, options);
    this.stir();
    return handed;
  }

  retryUntilAnswered<T>(ask: () => Promise<T>): Promise<T | undefined> {
    return this.#parts.outage.retryUntilAnswered(ask, this.#gone.signal);
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stopping;
    for (let tries = 0; !signal.aborted; ) {
      try {
        if (this.member.groupId === undefined) await this.member.join();
        const took = await this.#look();
        this.#parts.outage.ended(this);
        tries = 0;
        if (!took) await this.#rest();
      } catch (error) {
        if (signal.aborted) break;
        this.#parts.outage.began(this, error);
        await backOff(tries++, signal);
      }
    }
    this.#parts.outage.ended(this);
  }

  async #look(): Promise<boolean> {
    this.#stirred = false;
    const retries = await this.#takeRetries();
    const part = await this.#takePart();
    return retries || part;
  }

  /** Until something changes, or a delivery is due. */
  #rest(): Promise<void> {
    if (this.#stirred || this.#stopping.signal.aborted) return Promise.resolve();
    const restMs = this.#retryRoom > 0 ? this.#retryAt - performance.now() : Number.POSITIVE_INFINITY;
    return new Promise((resolve) => {
      // A timer may fire a fraction of a millisecond early, and the database's clock decides.
      const timer = restMs < 2 ** 31 - 1 ? setTimeout(resolve, Math.max(0, Math.ceil(restMs)) + 1) : undefined;
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  // ---- taking

  get #hasRoom(): boolean {
    return !this.#stopping.signal.aborted && !this.#hands.blocked;
  }

  /** How many due deliveries may be taken: they get half of what may run, so that first deliveries go on. */
  get #retryRoom(): number {
    if (!this.#hasRoom) return 0;
    const most = Math.max(1, Math.floor(this.#parts.consumers.concurrency / 2));
    return [...this.#retrying].reduce((room, { left }) => room - left, most);
  }

  async #takeRetries(): Promise<boolean> {
    const limit = this.#retryRoom;
    if (limit <= 0 || performance.now() < this.#retryAt) return false;
    const hold = this.#newHold();
    this.#retryAt = Number.POSITIVE_INFINITY;
    try {
      const { matching } = this.#parts.consumers;
      let ended = 0;
      const gone = (deliveries: number) => {
        ended = deliveries;
        this.#parts.logger.warn(
          { group: this.name, deliveries },
          'events to be delivered again are not in the log any more; their deliveries were dropped',
        );
      };
      const how = { leaseMs: this.leaseMs, limit, matching, gone };
      const taken = await this.log.takeRetries(this.groupId, hold.holder, how);
      const events = taken.filter(({ name }) => this.wants(name));
      if (events.length > 0) void this.#retry(new RetryRun(this, events, hold));
      const others = taken.filter((event) => !events.includes(event));
      if (others.length > 0) await this.#deferToOtherMembers(others, hold);
      const found = taken.length + ended;
      if (found > 0) this.#lockedMs = LOCKED_MS;
      if (found === limit) this.retryIn(0);
      else await this.#lookWhenDue();
      return found > 0;
    } catch (error) {
      this.#retryAt = 0;
      throw error;
    }
  }

  /**
   * Lets go of due deliveries that nobody in this process asked for, for those who did. Where nobody asks for them any more
   * they end, and what is behind them goes on.
   */
  async #deferToOtherMembers(events: readonly RetriedEvent[], { holder }: Hold): Promise<void> {
    const dropped = events.filter(({ wanted }) => !wanted);
    const left = events.filter(({ wanted }) => wanted).map((one) => ({ ...one, delayMs: OTHERS_MS }));
    const { next } = await this.log.finishRetries(this.groupId, holder, { delivered: dropped, left });
    if (next > 0) this.retryIn(0);
    if (dropped.length === 0) return;
    const about = { group: this.name, deliveries: dropped.length };
    this.#parts.logger.debug(about, 'events that no process of the group asks for any more are not delivered');
  }

  #newHold(): Hold {
    return { holder: randomUUID(), heldUntil: performance.now() + this.leaseMs };
  }

  async #lookWhenDue(): Promise<void> {
    const dueMs = await this.log.nextDueMs(this.groupId);
    if (dueMs === null) return;
    const locked = dueMs === 0;
    this.#retryAt = Math.min(this.#retryAt, performance.now() + (locked ? this.#lockedMs : dueMs));
    this.#lockedMs = locked ? Math.min(LOCKED_AT_MOST_MS, this.#lockedMs * 2) : LOCKED_MS;
  }

  async #takePart(): Promise<boolean> {
    if (!this.#eventsMayWait || !this.#hasRoom || this.#hands.slots.waiting >= this.#parts.consumers.concurrency)
      return false;
    const limit = Math.min(TAKEN_AT_ONCE, HELD - this.#holds.count);
    if (limit <= 0) return false;
    const hold = this.#newHold();
    const how = { leaseMs: this.leaseMs, limit, scan: this.#scan.ids };
    this.#eventsMayWait = false;
    let empty = false;
    try {
      const taken = await this.log.take(this.groupId, hold.holder, how);
      empty = !taken;
      if (!taken) return false;
      this.#scan.found(taken.events.length, limit);
      void this.#runPart(new PartRun(this, taken, hold));
      return true;
    } finally {
      if (!empty) this.#eventsMayWait = true;
    }
  }

  async #retry(run: RetryRun): Promise<void> {
    this.#retrying.add(run);
    await this.#work(run);
    this.#retrying.delete(run);
    this.stir();
  }

  async #runPart(run: PartRun): Promise<void> {
    await this.#work(run);
    if (run.lost) {
      this.#parts.logger.warn(
        { group: this.name, part: run.part },
        'a part of the log of events is not held here any more: another process has taken it over, or its group was removed; what was not written down is delivered again',
      );
    }
    this.wake();
  }

  goOn(work: HeldWork): void {
    void this.#work(work);
  }

  async #work(work: HeldWork): Promise<void> {
    if (this.#stopping.signal.aborted) work.stop();
    if (this.#halt.halted) work.halt(this.#halt.reason);
    try {
      await this.#holds.run(work);
    } catch (error) {
      this.#parts.logger.error(
        { group: this.name, error: messageOf(error) },
        'the delivery of events met an error of its own',
      );
    }
  }

  async letGo(holder: string): Promise<void> {
    await this.retryUntilAnswered(() => this.log.letGo(this.groupId, holder));
  }

  // ---- stopping

  /**
   * Begins nothing more, lets what runs finish for `drainTimeoutMs`, then fires its signal and lets go of what is left:
   * others take it at once. What was handled is written down, so it is not delivered again.
   */
  stop({ drainTimeoutMs = DEFAULTS.drainTimeoutMs, hurry }: StopOptions): Promise<void> {
    this.#stopped ??= this.#stop(drainTimeoutMs, hurry);
    return this.#stopped;
  }

  async #stop(drainTimeoutMs: number, hurry: AbortSignal | undefined): Promise<void> {
    this.#stopping.abort();
    for (const work of this.#holds.works) work.stop();
    this.#hands.slots.close();
    this.stir();
    const settled = this.#settled();
    if (!(await waitAtMost(drainTimeoutMs, settled, hurry))) {
      this.#halt.halt(new Error('the delivery of events stops'));
      for (const work of this.#holds.works) work.halt(this.#halt.reason);
      await waitAtMost(GRACE_MS, settled);
    }
    this.#gone.abort();
    this.#holds.stop();
    await waitAtMost(LAST_WORD_MS, settled);
    await waitAtMost(LEAVE_MS, this.#leave());
  }

  async #leave(): Promise<void> {
    try {
      await this.member.leave();
    } catch (error) {
      const about = { group: this.name, error: messageOf(error) };
      this.#parts.logger.debug(about, 'a group could not be told that it is worked for here no more');
    }
  }

  async #settled(): Promise<void> {
    await this.#looping;
    await this.#holds.settled();
  }
}
