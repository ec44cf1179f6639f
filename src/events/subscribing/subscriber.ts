import type { HookAnswer } from '../delivery/in-order.ts';
import type { DomainEvent } from './domain-event.ts';
import type { SubscriberResult } from './subscriber-result.ts';

/** Reacts to domain events. Users extend `BaseSubscriber`, which documents each member. */
export interface Subscriber<Payload = Record<string, unknown>> {
  readonly subscriberName: string;
  readonly delivery: SubscriberDelivery;
  subscribesTo(): string[];
  handle(event: DomainEvent<Payload>, delivery: EventDelivery): HookAnswer<SubscriberResult>;
  beforeHandle(event: DomainEvent<Payload>): HookAnswer<boolean>;
  afterHandle(event: DomainEvent<Payload>, result: SubscriberResult): HookAnswer;
  onHandleError(event: DomainEvent<Payload>, error: Error): HookAnswer;
}

/** Takes an event of this process. */
export type DomainEventCallback = (event: DomainEvent) => void | Promise<void>;

/** Where a subscriber can be told of the events of this process: a poller of them, for one. */
export interface InProcessEventSource {
  subscribe(pattern: string, callback: DomainEventCallback): void;
  unsubscribe(pattern: string, callback?: DomainEventCallback): void;
  /** Is told of each event that a subscriber did not get because too much waits for it. */
  letGo?(): void;
}

/** How events come to a subscriber. What is out of range, or not known, is refused when it is registered or started: `subscriber_invalid`. */
export interface SubscriberDelivery {
  /**
   * `durable` (the default): fast events from this process, durable and broadcast ones from the log, where all subscribers
   * of one name are a group that gets each event. `in_process`: only the fast and broadcast events of this process, each
   * once, and lost with it.
   */
  readonly mode?: 'durable' | 'in_process';
  /** Where a group begins that does not exist yet. Default `now`. */
  readonly from?: 'now' | 'beginning';
  /** Events of different tasks that are handled at once; those of one task come one after the other. From 1 to 1,000; default 10. */
  readonly concurrency?: number;
  /**
   * Milliseconds that handling one may take before it counts as failed and `signal` fires. From 1 to 2,147,483,647, which
   * is 24 days; default 30,000.
   */
  readonly timeoutMs?: number;
  /** Deliveries of a durable event before it is given up. From 1 to 100,000; default 10. */
  readonly maxDeliveries?: number;
}

/** What a subscriber is told about a delivery, besides the event. */
export interface EventDelivery {
  /** Of this event to this subscriber's group, from 1. Events of this process come once. */
  readonly attempt: number;
  /** Asked for again by an operator. */
  readonly replayed: boolean;
  /** Fires when the time is up, or the process stops. Pass it on to what the subscriber waits for. */
  readonly signal: AbortSignal;
}
