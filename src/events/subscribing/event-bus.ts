import type { EventLog } from '../../engine/events/log.ts';
import type { LoggedEvent } from '../../engine/events/logged-event.ts';
import { messageOfThrown } from '../../handlers/failures/thrown.ts';
import type { Logger } from '../../logging/logger.ts';
import { eventMatcher } from '../../model/event-pattern.ts';
import type { DeliveryMode } from '../../template/task-template.ts';
import { promiseOf } from '../delivery/in-order.ts';
import { WaitingLimit } from './waiting-limit.ts';

/** A committed event of this process. Listeners get `fast` and `broadcast` events. */
export interface LiveEvent extends Omit<LoggedEvent, 'id'> {
  deliveryMode: DeliveryMode;
}

/** The wire format of an event of this process. The event's task is read from the database. */
export async function liveEnvelope(log: EventLog, { deliveryMode: _, ...event }: LiveEvent): Promise<unknown> {
  // The event has no position in the log, and the envelope does not contain one.
  const [envelope] = await log.envelope([{ ...event, id: 0 }]);
  return envelope;
}

/** An event to deliver to listeners. */
export interface PublishableEvent {
  name: string;
  /** The length of its JSON text. */
  size: number;
  /** Creates a copy for a listener, so that listeners do not see each other's changes. */
  event(): LiveEvent;
}

/**
 * A listener. A listener may be slow or fail without affecting others. If it returns a promise, the next event waits
 * for the promise.
 */
export type LiveEventListener = (event: LiveEvent, size: number) => unknown;

/** Listeners are called for at most this long before the event loop continues. */
const TURN_MS = 5;

/** A listener with its waiting events. */
class Subscription {
  readonly wants: (name: string) => boolean;
  readonly #listener: LiveEventListener;
  readonly #logger: Logger;
  #queue: PublishableEvent[] = [];
  #draining = false;
  readonly #limit = new WaitingLimit();
  ended = false;
  dropped = 0;

  constructor(wants: (name: string) => boolean, listener: LiveEventListener, logger: Logger) {
    this.wants = wants;
    this.#listener = listener;
    this.#logger = logger;
  }

  get waiting(): number {
    return this.#limit.count;
  }

  push(event: PublishableEvent): void {
    if (this.#limit.hasRoomFor(event.size)) {
      this.#limit.add(event.size);
      this.#queue.push(event);
      if (!this.#draining) {
        this.#draining = true;
        setImmediate(() => void this.#drain());
      }
      return;
    }
    if (this.dropped++ === 0) {
      this.#logger.warn(
        { event: event.name, waiting: this.waiting },
        `event listener too slow: ${this.#limit}; further events are dropped`,
      );
    }
  }

  /** Delivers the queued events in order. Never throws. */
  async #drain(): Promise<void> {
    let began = performance.now();
    while (!this.ended) {
      const events = this.#queue;
      this.#queue = [];
      if (events.length === 0) break;
      for (let i = 0; i < events.length && !this.ended; i++) {
        const settled = this.#callListener(events[i]!);
        if (settled) await settled;
        this.#limit.take(events[i]!.size);
        if (performance.now() - began < TURN_MS) continue;
        await new Promise((resolve) => setImmediate(resolve));
        began = performance.now();
      }
    }
    this.#draining = false;
  }

  /** Calls the listener. Returns its promise, if any. */
  #callListener(event: PublishableEvent): Promise<unknown> | undefined {
    try {
      const answer = promiseOf(this.#listener(event.event(), event.size));
      return answer?.catch((thrown: unknown) => this.#failed(event, thrown));
    } catch (thrown) {
      this.#failed(event, thrown);
      return undefined;
    }
  }

  #failed({ name }: PublishableEvent, thrown: unknown): void {
    this.#logger.warn({ event: name, error: messageOfThrown(thrown) }, `listener failed on event ${name}`);
  }
}

/**
 * Delivers the `fast` and `broadcast` events of this process to listeners after they are committed. Each listener has
 * its own queue and gets the events in the order of their commits.
 *
 * @example
 * const end = bus.subscribe('order.*', (event) => console.log(event.name, event.payload));
 */
export class EventBus {
  readonly #logger: Logger;
  readonly #subscriptions = new Set<Subscription>();
  /** Events dropped by subscriptions that have ended, and by listeners with their own queue. */
  #droppedEarlier = 0;
  /** The number of listener calls. */
  dispatched = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Calls the listener with each event, or only with events whose name matches one of the patterns. Returns a function
   * that ends the subscription and discards waiting events.
   * @throws TaskerError `bad_request` for an invalid pattern
   */
  subscribe(listener: LiveEventListener): () => void;
  subscribe(patterns: string | readonly string[], listener: LiveEventListener): () => void;
  subscribe(first: LiveEventListener | string | readonly string[], second?: LiveEventListener): () => void {
    const [wants, listener] =
      typeof first === 'function' ? [() => true, first] : [eventMatcher([first].flat()), second!];
    const subscription = new Subscription(
      wants,
      (event, size) => {
        this.dispatched++;
        return listener(event, size);
      },
      this.#logger,
    );
    this.#subscriptions.add(subscription);
    return () => {
      if (!this.#subscriptions.delete(subscription)) return;
      subscription.ended = true;
      this.#droppedEarlier += subscription.dropped;
    };
  }

  /** Delivers an event in the next turn of the event loop. Never throws. */
  publish(event: PublishableEvent): void {
    for (const subscription of this.#subscriptions) if (subscription.wants(event.name)) subscription.push(event);
  }

  /** Counts an event that a listener with its own queue has dropped. */
  letGo(): void {
    this.#droppedEarlier++;
  }

  /** The number of listeners. */
  get listeners(): number {
    return this.#subscriptions.size;
  }

  /** The number of events waiting for listeners. */
  get waiting(): number {
    let waiting = 0;
    for (const subscription of this.#subscriptions) waiting += subscription.waiting;
    return waiting;
  }

  /** The number of events dropped because listeners, or the subscribers that they deliver to, are too slow. */
  get dropped(): number {
    let dropped = this.#droppedEarlier;
    for (const subscription of this.#subscriptions) dropped += subscription.dropped;
    return dropped;
  }
}
