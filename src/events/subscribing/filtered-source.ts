import type { DomainEventCallback, InProcessEventSource } from './base-subscriber.ts';
import type { DomainEvent } from './domain-event.ts';

/** A source without the events that `wants` does not want. */
export class FilteredSource implements InProcessEventSource {
  readonly #source: InProcessEventSource;
  readonly #wants: (event: DomainEvent) => boolean;
  /** One for each callback: the source tells by it that two patterns are one subscriber's. */
  readonly #filtered = new Map<DomainEventCallback, DomainEventCallback>();

  constructor(source: InProcessEventSource, wants: (event: DomainEvent) => boolean) {
    this.#source = source;
    this.#wants = wants;
  }

  subscribe(pattern: string, callback: DomainEventCallback): void {
    this.#source.subscribe(pattern, this.#of(callback));
  }

  unsubscribe(pattern: string, callback?: DomainEventCallback): void {
    this.#source.unsubscribe(pattern, callback && this.#of(callback));
  }

  letGo(): void {
    this.#source.letGo?.();
  }

  #of(callback: DomainEventCallback): DomainEventCallback {
    const before = this.#filtered.get(callback);
    if (before) return before;
    const filtered: DomainEventCallback = (event) => (this.#wants(event) ? callback(event) : undefined);
    this.#filtered.set(callback, filtered);
    return filtered;
  }
}
