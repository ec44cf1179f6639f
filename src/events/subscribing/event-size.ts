import type { DomainEvent } from './domain-event.ts';
import type { NapiDomainEvent } from './ffi-domain-event.ts';

// `Symbol.for`, so that a subscriber of another copy of the package knows it too.
const SIZE = Symbol.for('tasker-core.event-size');

/** Notes how many characters of JSON an event was made of; nobody sees it who does not ask. */
export function withSize<Event extends DomainEvent | NapiDomainEvent>(event: Event, size: number): Event {
  return Object.defineProperty(event, SIZE, { value: size });
}

/** As it was noted; 0 of an event of another's making, which is not written out only to be measured. */
export function sizeOf(event: DomainEvent | NapiDomainEvent): number {
  return (event as { [SIZE]?: number })[SIZE] ?? 0;
}
