import type { EventLog } from '../../engine/events/log.ts';
import type { LoggedEvent } from '../../engine/events/logged-event.ts';
import type { Logger } from '../../logging/logger.ts';
import type { Counter, Gauge } from '../../metrics/instrument.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { retryDelayMs } from '../../model/retry-delay.ts';
import type { Halt } from '../halt.ts';
import { type DeliveryEnd, deliver } from './deliver.ts';
import type { GroupConsumers } from './group/consumers.ts';

/** What becomes of an event that was handed to its group. `let_go`: as if it had not been. */
export type HandedOver =
  | { kind: 'delivered' }
  | { kind: 'again'; error: string; delayMs: number }
  | { kind: 'dead'; error: string }
  | { kind: 'let_go' };

/** An event on its way to the group. */
export interface HandOverOptions {
  /** Deliveries that failed before. */
  failures: number;
  replayed: boolean;
  /** Whether it is too late to begin. */
  over(): boolean;
  /** Its consumer gets it now. */
  begin?(): void;
  /** Ends the waiting. */
  halt: Halt;
}

/** What a {@link HandOver} is made from. */
export interface HandOverParts {
  log: EventLog;
  logger: Logger;
  metrics: Metrics;
  /** Called when deliveries can be begun again. */
  freed(): void;
}

/** How many deliveries of a group run at once; who comes first is served first. */
class DeliverySlots {
  #free: number;
  #closed = false;
  readonly #waiting: ((got: boolean) => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Callers that wait for a slot. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Waits for a slot. False: there is none for this caller. */
  take(): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives a slot back. */
  give(): void {
    const next = this.#waiting.shift();
    if (next) next(true);
    else this.#free++;
  }

  /** Those who wait get none. */
  turnAway(): void {
    for (const answer of this.#waiting.splice(0)) answer(false);
  }

  /** Nobody gets one any more. */
  close(): void {
    this.#closed = true;
    this.turnAway();
  }
}

/** For each delivery that may run, so many may go on after their time: more would fill the memory. */
const LATE_A_SLOT = 10;
/** Before delivery n + 1: a second, doubling, five minutes at most. */
const BACKOFF = { backoff: 'exponential', backoffBaseMs: 1_000, maxBackoffMs: 300_000 } as const;

/** Hands events to the consumers of a group, and decides what becomes of those that fail. */
export class HandOver {
  readonly slots: DeliverySlots;
  readonly #consumers: GroupConsumers;
  readonly #parts: HandOverParts;
  readonly #delivered: Counter;
  readonly #failures: Counter;
  readonly #dead: Counter;
  readonly #lateNow: Gauge;
  readonly #mostLate: number;
  /** Deliveries that go on although nobody waits for them any more. */
  late = 0;

  constructor(consumers: GroupConsumers, parts: HandOverParts) {
    const { eventsDelivered, eventsFailed, eventsDead, eventsLate } = parts.metrics.instruments;
    this.slots = new DeliverySlots(consumers.concurrency);
    this.#consumers = consumers;
    this.#parts = parts;
    this.#delivered = eventsDelivered.of(consumers.name);
    this.#failures = eventsFailed.of(consumers.name);
    this.#dead = eventsDead.of(consumers.name);
    this.#lateNow = eventsLate.of(consumers.name);
    this.#mostLate = LATE_A_SLOT * consumers.concurrency;
  }

  /** Whether nothing more can be delivered until one of those settles. */
  get blocked(): boolean {
    return this.late >= this.#mostLate;
  }

  /** Never rejects, and takes no longer than its consumer may, once it has a slot. */
  async handle(event: LoggedEvent, options: HandOverOptions): Promise<HandedOver> {
    if (options.over() || !(await this.slots.take())) return { kind: 'let_go' };
    try {
      if (options.over() || this.blocked) return { kind: 'let_go' };
      options.begin?.();
      return await this.#deliver(event, options);
    } finally {
      this.slots.give();
    }
  }

  async #deliver(event: LoggedEvent, { failures, replayed, halt }: HandOverOptions): Promise<HandedOver> {
    const { consumer, timeoutMs, maxDeliveries } = this.#consumers.of(event.name);
    const attempt = failures + 1;
    const envelope = async () => (await this.#parts.log.envelope([event]))[0];
    const onLate = () => this.#isLate();
    const end = await deliver(consumer, event, { attempt, replayed, timeoutMs, halt, envelope, onLate });
    if (end.kind === 'delivered') this.#delivered.add();
    return end.kind === 'failed' ? this.#failed(event, end, { attempt, last: attempt >= maxDeliveries }) : end;
  }

  #isLate(): () => void {
    this.#lateNow.set(++this.late);
    if (this.late === this.#mostLate) {
      this.#parts.logger.error(
        { group: this.#consumers.name, late: this.late },
        'deliveries of events go on long after their time; no more are begun in this process until one of them settles',
      );
      // What waits here may be handled elsewhere.
      this.slots.turnAway();
    }
    return () => {
      this.#lateNow.set(--this.late);
      if (this.late === this.#mostLate - 1) this.#parts.freed();
    };
  }

  #failed(
    event: LoggedEvent,
    { error, permanent, retryAfterMs }: Extract<DeliveryEnd, { kind: 'failed' }>,
    { attempt, last }: { attempt: number; last: boolean },
  ): HandedOver {
    const { eventId, name, taskUuid } = event;
    const about = { group: this.#consumers.name, event: name, event_id: eventId, task_uuid: taskUuid, attempt, error };
    this.#failures.add();
    if (last || permanent) {
      this.#dead.add();
      this.#parts.logger.error(about, 'an event could not be delivered and is given up; it is kept as a dead letter');
      return { kind: 'dead', error };
    }
    const delayMs = retryAfterMs ?? retryDelayMs(BACKOFF, attempt, Math.random());
    this.#parts.logger.info({ ...about, delay_ms: delayMs }, 'the delivery of an event failed and is repeated');
    return { kind: 'again', error, delayMs };
  }
}
