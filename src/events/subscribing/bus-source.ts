import type { EventLog } from '../../engine/events/log.ts';
import { type DomainEvent, domainEventOf } from './domain-event.ts';
import { type EventBus, liveEnvelope } from './event-bus.ts';
import type { DomainEventCallback, InProcessEventSource } from './subscriber.ts';
import { withSize } from './waiting-limit.ts';

interface Listening {
  readonly patterns: Set<string>;
  end(): void;
}

/** Connects subscribers to an event bus. */
export class BusSource implements InProcessEventSource {
  readonly #bus: EventBus;
  readonly #log: EventLog;
  readonly #listening = new Map<DomainEventCallback, Listening>();

  /** The log is used to read the task of an event when its envelope is requested. */
  constructor({ bus, log }: { bus: EventBus; log: EventLog }) {
    this.#bus = bus;
    this.#log = log;
  }

  /** Uses one subscription for each callback, so that an event is delivered once even if several patterns match. */
  subscribe(pattern: string, callback: DomainEventCallback): void {
    const patterns = this.#listening.get(callback)?.patterns ?? new Set();
    this.#listen(callback, patterns.add(pattern));
  }

  unsubscribe(pattern: string, callback?: DomainEventCallback): void {
    for (const one of callback ? [callback] : [...this.#listening.keys()]) {
      const patterns = this.#listening.get(one)?.patterns;
      if (patterns?.delete(pattern)) this.#listen(one, patterns);
    }
  }

  letGo(): void {
    this.#bus.letGo();
  }

  #listen(callback: DomainEventCallback, patterns: Set<string>): void {
    this.#listening.get(callback)?.end();
    this.#listening.delete(callback);
    if (patterns.size === 0) return;
    const end = this.#bus.subscribe([...patterns], (live, size) => {
      const event = domainEventOf(live, () => liveEnvelope(this.#log, live));
      return callback(withSize(event, size));
    });
    this.#listening.set(callback, { patterns, end });
  }
}

/** Returns a source with only the events that `wants` accepts. */
export function filteredSource(
  source: InProcessEventSource,
  wants: (event: DomainEvent) => boolean,
): InProcessEventSource {
  /** One wrapper for each callback, because the source uses it to recognize two patterns of one subscriber. */
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
