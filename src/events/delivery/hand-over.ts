import type { EventLog } from '../../engine/events/log.ts';
import type { LoggedEvent } from '../../engine/events/logged-event.ts';
import type { Logger } from '../../logging/logger.ts';
import type { Counter, Gauge } from '../../metrics/instrument.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { retryDelayMs } from '../../model/retry-delay.ts';
import type { Halt } from '../halt.ts';
import { type DeliveryEnd, deliver } from './deliver.ts';
import type { GroupConsumers } from './group/consumers.ts';

/** The result of handing an event to its group. `abandoned`: the delivery does not count as an attempt. */
export type HandedOver =
  | { kind: 'delivered' }
  | { kind: 'again'; error: string; delayMs: number }
  | { kind: 'dead'; error: string }
  | { kind: 'abandoned' };

/** Options of {@link HandOver.handle}. */
export interface HandOverOptions {
  /** The number of earlier deliveries that failed. */
  failures: number;
  replayed: boolean;
  /** Returns whether it is too late to start the delivery. */
  over(): boolean;
  /** Called just before the consumer is called. */
  begin?(): void;
  /** Ends the wait for the consumer when it fires. */
  halt: Halt;
}

/** Dependencies of a {@link HandOver}. */
export interface HandOverParts {
  log: EventLog;
  logger: Logger;
  metrics: Metrics;
  /** Called when new deliveries can start again. */
  freed(): void;
}

/** Limits the number of concurrent deliveries of a group. Callers get slots in the order of their requests. */
class DeliverySlots {
  #free: number;
  #closed = false;
  readonly #waiting: ((got: boolean) => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** The number of callers waiting for a slot. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Waits for a slot. Resolves to false if the caller was rejected. */
  take(): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Releases a slot. */
  give(): void {
    const next = this.#waiting.shift();
    if (next) next(true);
    else this.#free++;
  }

  /** Rejects all waiting callers. */
  turnAway(): void {
    for (const answer of this.#waiting.splice(0)) answer(false);
  }

  /** Rejects all waiting and future callers. */
  close(): void {
    this.#closed = true;
    this.turnAway();
  }
}

/** Maximum number of timed-out deliveries still running, per slot. More would fill the memory. */
const LATE_PER_SLOT = 10;
/** The delay before the next attempt: one second, doubling each time, at most five minutes. */
const BACKOFF = { backoff: 'exponential', backoffBaseMs: 1_000, maxBackoffMs: 300_000 } as const;

/** Hands events to the consumers of a group, and decides about retries of failed deliveries. */
export class HandOver {
  readonly slots: DeliverySlots;
  readonly #consumers: GroupConsumers;
  readonly #parts: HandOverParts;
  readonly #delivered: Counter;
  readonly #failures: Counter;
  readonly #dead: Counter;
  readonly #lateNow: Gauge;
  readonly #mostLate: number;
  /** The number of deliveries still running after the wait for them ended. */
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
    this.#mostLate = LATE_PER_SLOT * consumers.concurrency;
  }

  /** Whether there are so many late deliveries that no new delivery may start. */
  get blocked(): boolean {
    return this.late >= this.#mostLate;
  }

  /**
   * Delivers an event once a slot is free. Never rejects. After the wait for a slot, the delivery takes no longer than
   * the consumer's timeout.
   */
  async handle(event: LoggedEvent, options: HandOverOptions): Promise<HandedOver> {
    if (options.over() || !(await this.slots.take())) return { kind: 'abandoned' };
    try {
      if (options.over() || this.blocked) return { kind: 'abandoned' };
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
        'too many timed-out event deliveries are still running; no new delivery starts in this process until one settles',
      );
      // Other processes can handle the waiting events.
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
      this.#parts.logger.error(about, 'event delivery failed permanently; kept as a dead delivery');
      return { kind: 'dead', error };
    }
    const delayMs = retryAfterMs ?? retryDelayMs(BACKOFF, attempt, Math.random());
    this.#parts.logger.info({ ...about, delay_ms: delayMs }, 'event delivery failed; retrying');
    return { kind: 'again', error, delayMs };
  }
}
