import type { NapiDomainEvent } from './ffi-domain-event.ts';

/** Events that wait to be polled, at most; of more, the oldest are let go. */
const MOST = 10_000;

/** The fast and broadcast events of a worker for those who poll; kept from the first poll on, since others don't need them. */
export class PolledEvents {
  #waiting: NapiDomainEvent[] = [];
  #polled = false;

  /** Whether anybody ever polled. */
  get polled(): boolean {
    return this.#polled;
  }

  push(event: NapiDomainEvent): void {
    if (!this.#polled) return;
    if (this.#waiting.length >= MOST) this.#waiting.splice(0, MOST / 10);
    this.#waiting.push(event);
  }

  poll(): NapiDomainEvent | null {
    this.#polled = true;
    return this.#waiting.shift() ?? null;
  }
}

/** Those of the worker of this process. */
export const processEvents = new PolledEvents();
