import type { LoggedEvent } from '../engine/logged-event.ts';
import type { Logger } from '../logging/logger.ts';
import { retryDelayMs } from '../model/retry-delay.ts';
import { type DeliveryEnd, deliver } from './deliver.ts';
import type { GroupCounts } from './delivery-counts.ts';
import type { GroupConsumers } from './group-consumers.ts';

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
  /** Ends the waiting. */
  halt: AbortSignal;
}

/** Before delivery n + 1: a second, doubling, five minutes at most. */
const BACKOFF = { backoff: 'exponential', backoffBaseMs: 1_000, maxBackoffMs: 300_000 } as const;

/** Hands events to the consumers of a group, and decides what becomes of those that fail. */
export class HandOver {
  readonly #consumers: GroupConsumers;
  readonly #logger: Logger;
  readonly #counts: GroupCounts;
  #late = 0;

  constructor(consumers: GroupConsumers, { logger, counts }: { logger: Logger; counts: GroupCounts }) {
    this.#consumers = consumers;
    this.#logger = logger;
    this.#counts = counts;
  }

  /** Deliveries that go on although nobody waits for them any more. */
  get late(): number {
    return this.#late;
  }

  /** Never rejects, and takes no longer than its consumer may. */
  async handle(event: LoggedEvent, { failures, replayed, halt }: HandOverOptions): Promise<HandedOver> {
    const { consumer, timeoutMs, maxDeliveries } = this.#consumers.of(event.name);
    const attempt = failures + 1;
    const end = await deliver(consumer, event, {
      attempt,
      replayed,
      timeoutMs,
      halt,
      envelope: () => Promise.resolve(event),
      onLate: () => {
        this.#late++;
        return () => this.#late--;
      },
    });
    if (end.kind === 'delivered') this.#counts.delivered.add();
    return end.kind === 'failed' ? this.#failed(event, end, { attempt, last: attempt >= maxDeliveries }) : end;
  }

  #failed(
    event: LoggedEvent,
    { error, permanent, retryAfterMs }: Extract<DeliveryEnd, { kind: 'failed' }>,
    { attempt, last }: { attempt: number; last: boolean },
  ): HandedOver {
    const { eventId, name, taskUuid } = event;
    const about = { group: this.#consumers.name, event: name, event_id: eventId, task_uuid: taskUuid, attempt, error };
    this.#counts.failed.add();
    if (last || permanent) {
      this.#counts.dead.add();
      this.#logger.error(about, 'an event could not be delivered and is given up; it is kept as a dead letter');
      return { kind: 'dead', error };
    }
    const delayMs = retryAfterMs ?? retryDelayMs(BACKOFF, attempt, Math.random());
    this.#logger.info({ ...about, delay_ms: delayMs }, 'the delivery of an event failed and is repeated');
    return { kind: 'again', error, delayMs };
  }
}
