import type { EventLog } from '../../engine/events/log.ts';
import { logWarn } from '../../logging/log.ts';
import { type EventBus, liveEnvelope } from './event-bus.ts';
import { type NapiDomainEvent, napiDomainEvent } from './ffi-domain-event.ts';
import { MOST_WAITING, sizeOf, WaitingLimit, withSize } from './waiting-limit.ts';

/** A bus whose events are kept. */
interface Followed {
  listen(): () => void;
  /** Ends the listening; undefined: nobody has polled yet. */
  end: (() => void) | undefined;
}

/**
 * The fast and broadcast events of those buses that it follows, for those who poll; kept from the first poll on, since
 * others don't need them. Of more than may wait, the oldest are let go.
 */
export class PolledEvents {
  readonly #waiting: NapiDomainEvent[] = [];
  readonly #limit = new WaitingLimit();
  readonly #followed = new Set<Followed>();
  #lagged = 0;
  #polled = false;

  /** The events of this bus are kept, until the function that it answers is called. The log tells of the tasks behind them. */
  follow(bus: EventBus, log: EventLog): () => void {
    const listen = () =>
      bus.subscribe((event, size) => {
        this.#makeRoomFor(size, bus);
        this.#limit.add(size);
        const polled = napiDomainEvent(event, () => liveEnvelope(log, event));
        this.#waiting.push(withSize(polled, size));
      });
    const followed: Followed = { listen, end: this.#polled ? listen() : undefined };
    this.#followed.add(followed);
    return () => {
      this.#followed.delete(followed);
      followed.end?.();
    };
  }

  /** The oldest that waits; null: there is none. */
  poll(): NapiDomainEvent | null {
    if (!this.#polled) for (const followed of this.#followed) followed.end = followed.listen();
    this.#polled = true;
    return this.#take() ?? null;
  }

  #take(): NapiDomainEvent | undefined {
    const event = this.#waiting.shift();
    if (event) this.#limit.take(sizeOf(event));
    return event;
  }

  #makeRoomFor(size: number, bus: EventBus): void {
    if (this.#limit.hasRoomFor(size)) return;
    if (this.#lagged++ % MOST_WAITING === 0) {
      logWarn(`events of this process are polled too slowly: ${this.#limit}, and the oldest are let go`);
    }
    while (!this.#limit.hasRoomFor(size)) {
      this.#take();
      bus.letGo();
    }
  }
}

/** Those of whatever serves the registry of subscribers of this process: its worker, its worker servers. */
export const processEvents = new PolledEvents();
