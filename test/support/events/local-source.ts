import type { DomainEvent } from '../../../src/events/subscribing/domain-event.ts';
import type { DomainEventCallback, InProcessEventSource } from '../../../src/events/subscribing/subscriber.ts';
import { eventMatcher } from '../../../src/model/event-pattern.ts';

/** An event source of a process. Tests emit its events by hand. */
export class LocalSource implements InProcessEventSource {
  readonly #subscriptions: { pattern: string; callback: DomainEventCallback }[] = [];
  /** Events that subscribers dropped. */
  dropped = 0;

  letGo(): void {
    this.dropped++;
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

  emit(event: DomainEvent): void {
    const matching = this.#subscriptions.filter(({ pattern }) => eventMatcher([pattern])(event.eventName));
    for (const callback of new Set(matching.map((one) => one.callback))) void callback(event);
  }
}
