import type { EventLog } from '../../engine/event-log.ts';
import { logWarn } from '../../logging/log.ts';
import type { EventBus } from './event-bus.ts';
import { sizeOf, withSize } from './event-size.ts';
import { type NapiDomainEvent, napiDomainEvent } from './ffi-domain-event.ts';
import { liveEnvelope } from './live-envelope.ts';
import { MOST_WAITING, WaitingLimit } from './waiting-limit.ts';

/**
 * The fast and broadcast events of a worker for those who poll; kept from the first poll on, since others don't need them.
 * Of more than may wait, the oldest are let go.
 */
export class PolledEvents {
  readonly #waiting: NapiDomainEvent[] = [];
  readonly #limit = new WaitingLimit();
  #lagged = 0;
  #polled = false;
  #listen: (() => () => void) | undefined;
  #end: () => void = () => {};

  /** From now on it is the events of this bus, in the place of the one before. The log tells of the tasks behind them. */
  follow(bus: EventBus, log: EventLog): void {
    this.#end();
    this.#listen = () =>
      bus.subscribe((event, size) => {
        this.#makeRoomFor(size, bus);
        this.#limit.add(size);
        this.#waiting.push(
          withSize(
            napiDomainEvent(event, () => liveEnvelope(log, event)),
            size,
          ),
        );
      });
    if (this.#polled) this.#end = this.#listen();
  }

  poll(): NapiDomainEvent | null {
    if (!this.#polled && this.#listen) this.#end = this.#listen();
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

/** Those of the worker of this process. */
export const processEvents = new PolledEvents();
