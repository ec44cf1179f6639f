import type { EventLog } from '../../engine/events/log.ts';
import { logWarn } from '../../logging/log.ts';
import { type EventBus, liveEnvelope } from './event-bus.ts';
import { type NapiDomainEvent, napiDomainEvent } from './ffi-domain-event.ts';
import { MOST_WAITING, sizeOf, WaitingLimit, withSize } from './waiting-limit.ts';

/** A bus whose events are queued. */
interface Followed {
  listen(): () => void;
  /** Stops listening. Undefined before the first poll. */
  end: (() => void) | undefined;
}

/**
 * A queue of the fast and broadcast events of several buses, for polling. Events are queued only after the first poll,
 * because most programs do not poll. If the queue is full, the oldest events are dropped.
 */
export class PolledEvents {
  readonly #waiting: NapiDomainEvent[] = [];
  readonly #limit = new WaitingLimit();
  readonly #followed = new Set<Followed>();
  #lagged = 0;
  #polled = false;

  /** Queues the events of a bus. Returns a function that stops this. The log is used to read envelopes. */
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

  /** Takes the oldest event. Null if the queue is empty. */
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
      logWarn(`events of this process are polled too slowly: ${this.#limit}; the oldest are dropped`);
    }
    while (!this.#limit.hasRoomFor(size)) {
      this.#take();
      bus.letGo();
    }
  }
}

/** The events of the workers and worker servers that use the subscriber registry of this process. */
export const processEvents = new PolledEvents();
