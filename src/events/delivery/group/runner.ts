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

/** Dependencies and options of a {@link GroupRunner}. */
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

/** The current load of a group in this process. */
export interface GroupLoad {
  group: string;
  /** The number of events in memory that are not handled yet. */
  held: number;
  /** The number of deliveries still running after the wait for them ended. */
  late: number;
}

/** Maximum number of events in memory. */
const MAX_HELD = 400;
const TAKEN_AT_ONCE = 200;
/** The delay before the next query for due deliveries that another process holds or should take. Doubles each time. */
const LOCKED_MS = 50;
const LOCKED_AT_MOST_MS = 800;
/** How long a delivery is left to other processes if this process cannot make it. */
const OTHERS_MS = 5_000;
/** Additional time after the drain time for storing results. */
const GRACE_MS = 5_000;
const MIN_PHASE_MS = 500;
/** Time limit for leaving the group. If leaving fails, the membership expires. */
const LEAVE_MS = 2_000;

/**
 * Delivers events to one group. The runner takes parts of the log and due retries while it has room for more. Each
 * group has its own loop, slots and limits, so that groups do not slow each other down. When a process dies, other
 * processes take over its work once the lease has expired.
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
  /** Ends the wait for running deliveries when it fires. */
  readonly #halt = new Halt();
  /** Fires when queries are no longer retried. */
  readonly #gone = new AbortController();
  #looping: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  readonly #scan = new ScanWidth(TAKEN_AT_ONCE);
  #eventsMayWait = true;
  /** When to query due retries next, on the clock of `performance.now()`. */
  #retryAt = 0;
  /** The delay before the next query if due retries are held by other processes. */
  #lockedMs = LOCKED_MS;
  /** The running retries. */
  readonly #retrying = new Set<RetryRun>();
  #woken = false;
  #wakeUp: (() => void) | undefined;

  constructor(parts: GroupRunnerParts) {
    const { log, consumers, logger } = parts;
    this.#parts = parts;
    this.log = log;
    this.leaseMs = parts.leaseMs;
    this.slowMs = parts.slowMs;
    this.member = new GroupMember(parts);
    this.#hands = new HandOver(consumers, { ...parts, freed: () => this.wake() });
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

  /** Called when the group was removed from the database. Creates a new one. */
  leave(): void {
    this.#parts.logger.warn({ group: this.name }, 'event group removed while in use; recreating it');
    this.member.groupId = undefined;
    this.wake();
  }

  /** Starts the loop, which survives database outages and runs until it is stopped. */
  start(): void {
    this.#looping ??= this.#loop();
    this.#holds.start();
  }

  // ---- pending work

  /** Reports that new events may be waiting. */
  eventsMayWait(): void {
    this.#eventsMayWait = true;
    this.wake();
  }

  retryIn(delayMs: number): void {
    this.#retryAt = Math.min(this.#retryAt, performance.now() + delayMs);
    this.wake();
  }

  wake(): void {
    this.#woken = true;
    this.#wakeUp?.();
  }

  wants(eventName: string): boolean {
    return this.#parts.consumers.wants(eventName);
  }

  async handle(event: LoggedEvent, options: HandOverOptions): Promise<HandedOver> {
    const handed = await this.#hands.handle(event, options);
    this.wake();
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
    this.#woken = false;
    const retries = await this.#takeRetries();
    const part = await this.#takePart();
    return retries || part;
  }

  /** Waits until something changes or a retry is due. */
  #rest(): Promise<void> {
    if (this.#woken || this.#stopping.signal.aborted) return Promise.resolve();
    const restMs = this.#retryRoom > 0 ? this.#retryAt - performance.now() : Number.POSITIVE_INFINITY;
    return new Promise((resolve) => {
      // Rounded up, because a timer may fire slightly early, and the clock of the database decides whether a retry is
      // due.
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

  /**
   * Number of retries that may be taken. Retries get at most half of the slots, so that first deliveries can continue.
   */
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
        this.#parts.logger.warn({ group: this.name, deliveries }, 'deliveries dropped: events no longer in the log');
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
   * Releases due deliveries that no consumer in this process wants, so that other members can take them. Deliveries
   * that no member wants any more are dropped, and the events behind them continue.
   */
  async #deferToOtherMembers(events: readonly RetriedEvent[], { holder }: Hold): Promise<void> {
    const dropped = events.filter(({ wanted }) => !wanted);
    const left = events.filter(({ wanted }) => wanted).map((one) => ({ ...one, delayMs: OTHERS_MS }));
    const { next } = await this.log.finishRetries(this.groupId, holder, { delivered: dropped, left });
    if (next > 0) this.retryIn(0);
    if (dropped.length === 0) return;
    const about = { group: this.name, deliveries: dropped.length };
    this.#parts.logger.debug(about, 'deliveries dropped: no longer wanted by any member of the group');
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
    const limit = Math.min(TAKEN_AT_ONCE, MAX_HELD - this.#holds.count);
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
    this.wake();
  }

  async #runPart(run: PartRun): Promise<void> {
    await this.#work(run);
    if (run.lost) {
      this.#parts.logger.warn(
        { group: this.name, part: run.part },
        'part of the event log lost to another process, or its group removed; events without a stored result will be delivered again',
      );
    }
    this.eventsMayWait();
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
      this.#parts.logger.error({ group: this.name, error: messageOf(error) }, 'internal error in event delivery');
    }
  }

  async release(holder: string): Promise<void> {
    await this.retryUntilAnswered(() => this.log.letGo(this.groupId, holder));
  }

  // ---- stopping

  /**
   * Starts no new deliveries, and gives running deliveries `drainTimeoutMs` to finish. Then it fires their signals and
   * releases the remaining events, which other processes can take immediately. Results are stored, so handled events
   * are not delivered again.
   */
  stop({ drainTimeoutMs = DEFAULTS.drainTimeoutMs, hurry }: StopOptions): Promise<void> {
    this.#stopped ??= this.#stop(drainTimeoutMs, hurry);
    return this.#stopped;
  }

  async #stop(drainTimeoutMs: number, hurry: AbortSignal | undefined): Promise<void> {
    this.#stopping.abort();
    for (const work of this.#holds.works) work.stop();
    this.#hands.slots.close();
    this.wake();
    const settled = this.#settled();
    if (!(await waitAtMost(drainTimeoutMs, settled, hurry))) {
      this.#halt.halt(new Error('event delivery is stopping'));
      for (const work of this.#holds.works) work.halt(this.#halt.reason);
      await waitAtMost(GRACE_MS, settled);
    }
    this.#gone.abort();
    this.#holds.stop();
    await waitAtMost(MIN_PHASE_MS, settled);
    await waitAtMost(LEAVE_MS, this.#leave());
  }

  async #leave(): Promise<void> {
    try {
      await this.member.leave();
    } catch (error) {
      const about = { group: this.name, error: messageOf(error) };
      this.#parts.logger.debug(about, 'event group not left; its membership will expire');
    }
  }

  async #settled(): Promise<void> {
    await this.#looping;
    await this.#holds.settled();
  }
}
