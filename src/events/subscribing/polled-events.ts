import type { EventLog } from '../../engine/event-log.ts';
import type { EventBus } from './event-bus.ts';
import { type NapiDomainEvent, napiDomainEvent } from './ffi-domain-event.ts';
import { liveEnvelope } from './live-envelope.ts';

/** Events that wait to be polled, at most; of more, the oldest are let go. */
const MOST = 10_000;

/** The fast and broadcast events of a worker for those who poll; kept from the first poll on, since others don't need them. */
export class PolledEvents {
  #waiting: NapiDomainEvent[] = [];
  #polled = false;
  #listen: (() => () => void) | undefined;
  #end: () => void = () => {};

  /** From now on it is the events of this bus, in the place of the one before. The log tells of the tasks behind them. */
  follow(bus: EventBus, log: EventLog): void {
    this.#end();
    this.#listen = () =>
      bus.subscribe((event) => {
        if (this.#waiting.length >= MOST) this.#waiting.splice(0, MOST / 10);
        this.#waiting.push(napiDomainEvent(event, () => liveEnvelope(log, event)));
      });
    if (this.#polled) this.#end = this.#listen();
  }

  poll(): NapiDomainEvent | null {
    if (!this.#polled && this.#listen) this.#end = this.#listen();
    this.#polled = true;
    return this.#waiting.shift() ?? null;
  }
}

/** Those of the worker of this process. */
export const processEvents = new PolledEvents();
