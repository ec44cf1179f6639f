import type { HookAnswer } from '../delivery/in-order.ts';
import type { DomainEvent } from './domain-event.ts';
import type { SubscriberResult } from './subscriber-result.ts';

/** Handles domain events. Users extend `BaseSubscriber`, which documents each member. */
export interface Subscriber<Payload = Record<string, unknown>> {
  readonly subscriberName: string;
  readonly delivery: SubscriberDelivery;
  subscribesTo(): string[];
  handle(event: DomainEvent<Payload>, delivery: EventDelivery): HookAnswer<SubscriberResult>;
  beforeHandle(event: DomainEvent<Payload>): HookAnswer<boolean>;
  afterHandle(event: DomainEvent<Payload>, result: SubscriberResult): HookAnswer;
  onHandleError(event: DomainEvent<Payload>, error: Error): HookAnswer;
}

/** Called with an event of this process. */
export type DomainEventCallback = (event: DomainEvent) => void | Promise<void>;

/** A source of the events of this process, such as a poller. */
export interface InProcessEventSource {
  subscribe(pattern: string, callback: DomainEventCallback): void;
  unsubscribe(pattern: string, callback?: DomainEventCallback): void;
  /** Called for each event that a subscriber dropped because its queue was full. */
  letGo?(): void;
}

/**
 * Delivery options of a subscriber. Invalid or unknown options throw `subscriber_invalid` when it is registered or
 * started.
 */
export interface SubscriberDelivery {
  /**
   * `durable` (the default): fast events come from this process. Durable and broadcast events come from the log, where
   * all subscribers of one name form a group that gets each event. `in_process`: only the fast and broadcast events of
   * this process, each delivered once and lost if the process ends.
   */
  readonly mode?: 'durable' | 'in_process';
  /** The start position of a new group. Default `now`. */
  readonly from?: 'now' | 'beginning';
  /** Maximum number of events that are handled at the same time, each of a different task. 1 to 1,000, default 10. */
  readonly concurrency?: number;
  /**
   * Timeout in milliseconds, after which the delivery fails and `signal` fires. 1 to 2,147,483,647 (24 days), default
   * 30,000.
   */
  readonly timeoutMs?: number;
  /** Maximum number of deliveries of a durable event before it becomes a dead delivery. 1 to 100,000, default 10. */
  readonly maxDeliveries?: number;
}

/** Information about a delivery, besides the event. */
export interface EventDelivery {
  /** The number of this delivery to the subscriber's group, from 1. Events of this process are delivered once. */
  readonly attempt: number;
  /** Whether this delivery is part of a replay. */
  readonly replayed: boolean;
  /** Fires when the delivery times out or the process stops. Pass it to asynchronous operations. */
  readonly signal: AbortSignal;
}
