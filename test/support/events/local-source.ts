import type { DomainEvent } from '../../../src/events/subscribing/domain-event.ts';
import type { DomainEventCallback, InProcessEventSource } from '../../../src/events/subscribing/subscriber.ts';
import { eventMatcher } from '../../../src/model/event-pattern.ts';

/** Events of a process, sent by hand. */
export class LocalSource implements InProcessEventSource {
  readonly #subscriptions: { pattern: string; callback: DomainEventCallback }[] = [];
  /** Events that subscribers dropped. */
  letGone = 0;

  letGo(): void {
    this.letGone++;
  }

  subscribe(pattern: string, callback: DomainEventCallback): void {
    this.#subscriptions.push({ pattern, callback });
  }

  unsubscribe(pattern: string, callback?: DomainEventCallback): void {
    const at = this.#subscriptions.findIndex((one) => one.pattern === pattern && one.callback === callback);
    if (at >= 0) this.#subscriptions.splice(at, 1);
  }

  /** Number of listeners. */
  get listeners(): number {
    return this.#subscriptions.length;
  }

  tell(event: DomainEvent): void {
    const told = this.#subscriptions.filter(({ pattern }) => eventMatcher([pattern])(event.eventName));
    for (const callback of new Set(told.map((one) => one.callback))) void callback(event);
  }
}
