import type { DomainEvent } from './domain-event.ts';
import type { DomainEventCallback, InProcessEventSource } from './subscriber.ts';

/** A source without the events that `wants` does not want. */
export function filteredSource(
  source: InProcessEventSource,
  wants: (event: DomainEvent) => boolean,
): InProcessEventSource {
  /** One for each callback: the source tells by it that two patterns are one subscriber's. */
  const filtered = new WeakMap<DomainEventCallback, DomainEventCallback>();
  const of = (callback: DomainEventCallback): DomainEventCallback => {
    const known = filtered.get(callback) ?? ((event) => (wants(event) ? callback(event) : undefined));
    filtered.set(callback, known);
    return known;
  };
  return {
    subscribe: (pattern, callback) => source.subscribe(pattern, of(callback)),
    unsubscribe: (pattern, callback) => source.unsubscribe(pattern, callback && of(callback)),
    letGo: () => source.letGo?.(),
  };
}
