import type { EventBus } from './event-bus.ts';
import { type NapiDomainEvent, napiDomainEvent } from './ffi-domain-event.ts';

/** Events that wait to be polled, at most; of more, the oldest are let go. */
const MOST = 10_000;

/** The fast and broadcast events of a worker for those who poll; kept from the first poll on, since others don't need them. */
export class PolledEvents {
  #waiting: NapiDomainEvent[] = [];
  #polled = false;
  #bus: EventBus | undefined;
  #end: () => void = () => {};

  /** From now on it is the events of this bus, in the place of the one before. */
  follow(bus: EventBus): void {
    this.#end();
    this.#bus = bus;
    if (this.#polled) this.#listen(bus);
  }

  poll(): NapiDomainEvent | null {
    if (!this.#polled && this.#bus) this.#listen(this.#bus);
    this.#polled = true;
    return this.#waiting.shift() ?? null;
  }

  #listen(bus: EventBus): void {
    this.#end = bus.subscribe((event) => {
      if (this.#waiting.length >= MOST) this.#waiting.splice(0, MOST / 10);
      this.#waiting.push(napiDomainEvent(event));
    });
  }
}

/** Those of the worker of this process. */
export const processEvents = new PolledEvents();
