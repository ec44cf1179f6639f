import type { HookAnswer } from '../delivery/in-order.ts';
import type { DomainEvent } from './domain-event.ts';
import type { EventDelivery, SubscriberDelivery } from './subscriber-delivery.ts';
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
