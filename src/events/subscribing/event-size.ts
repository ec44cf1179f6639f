import type { DomainEvent } from './domain-event.ts';
import type { NapiDomainEvent } from './ffi-domain-event.ts';

/** Beside the events: it says nothing of what happened. */
const sizes = new WeakMap<DomainEvent | NapiDomainEvent, number>();

/** Notes how many characters of JSON an event was made of. */
export function withSize<Event extends DomainEvent | NapiDomainEvent>(event: Event, size: number): Event {
  sizes.set(event, size);
  return event;
}

/** As it was noted; 0 of an event of another's making, which is not written out only to be measured. */
export function sizeOf(event: DomainEvent | NapiDomainEvent): number {
  return sizes.get(event) ?? 0;
}
