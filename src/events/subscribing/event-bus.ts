import type { EventLog } from '../../engine/events/log.ts';
import type { LoggedEvent } from '../../engine/events/logged-event.ts';
import { messageOfThrown } from '../../handlers/failures/thrown.ts';
import type { Logger } from '../../logging/logger.ts';
import { eventMatcher } from '../../model/event-pattern.ts';
import type { DeliveryMode } from '../../template/task-template.ts';
import { promiseOf } from '../delivery/in-order.ts';
import { WaitingLimit } from './waiting-limit.ts';

/** An event of this process that is committed. Listeners get `fast` and `broadcast` ones. */
export interface LiveEvent extends Omit<LoggedEvent, 'id'> {
  deliveryMode: DeliveryMode;
}

/** An event of this process as it goes over the wire; the log tells of the task behind it. */
export async function liveEnvelope(log: EventLog, { deliveryMode: _, ...event }: LiveEvent): Promise<unknown> {
  // It has no place in the log, and the envelope tells none.
  const [envelope] = await log.envelope([{ ...event, id: 0 }]);
  return envelope;
}

/** An event that is about to go to listeners. */
export interface Tellable {
  name: string;
  /** Characters of JSON that it is made of. */
  size: number;
  /** Made anew for each listener: none sees what another changed. */
  event(): LiveEvent;
}

/** May be slow or fail: nobody else feels it. The next event comes when a promise that it gave has settled. */
export type LiveEventListener = (event: LiveEvent, size: number) => unknown;

/** How long listeners may keep the event loop in one turn, as far as it depends on us. */
const TURN_MS = 5;

/** A listener with the events that wait for it. */
class Subscription {
  readonly wants: (name: string) => boolean;
  readonly #listener: LiveEventListener;
  readonly #logger: Logger;
  #queue: Tellable[] = [];
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

  push(event: Tellable): void {
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
        `a listener to events of this process is too slow: ${this.#limit} for it, and what comes beyond is let go`,
      );
    }
  }

  /** In the order in which they came. Never throws. */
  async #drain(): Promise<void> {
    let began = performance.now();
    while (!this.ended) {
      const events = this.#queue;
      this.#queue = [];
      if (events.length === 0) break;
      for (let i = 0; i < events.length && !this.ended; i++) {
        const settled = this.#tell(events[i]!);
        if (settled) await settled;
        this.#limit.take(events[i]!.size);
        if (performance.now() - began < TURN_MS) continue;
        await new Promise((resolve) => setImmediate(resolve));
        began = performance.now();
      }
    }
    this.#draining = false;
  }

  /** A promise if the listener gave one. */
  #tell(event: Tellable): Promise<unknown> | undefined {
    try {
      const answer = promiseOf(this.#listener(event.event(), event.size));
      return answer?.catch((thrown: unknown) => this.#failed(event, thrown));
    } catch (thrown) {
      this.#failed(event, thrown);
      return undefined;
    }
  }

  #failed({ name }: Tellable, thrown: unknown): void {
    this.#logger.warn({ event: name, error: messageOfThrown(thrown) }, `a listener failed on event ${name}`);
  }
}

/**
 * The `fast` and `broadcast` events of this process, on their way from the commit to those who listen. Each listener has a
 * queue of its own and gets the events in the order in which they were committed.
 *
 * @example
 * const end = bus.subscribe('order.*', (event) => console.log(event.name, event.payload));
 */
export class EventBus {
  readonly #logger: Logger;
  readonly #subscriptions = new Set<Subscription>();
  /** By those that have ended, and by those who keep events themselves. */
  #letGo = 0;
  /** Events that listeners were told of, each listener counted. */
  dispatched = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Calls the listener with each event, or with those whose name matches one of the patterns. The answer ends it: what
   * waits then is not told any more.
   * @throws TaskerError `bad_request` for a pattern that can't be read
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
      this.#letGo += subscription.dropped;
    };
  }

  /** Tells it, in the next turn of the event loop. Never throws. */
  publish(event: Tellable): void {
    for (const subscription of this.#subscriptions) if (subscription.wants(event.name)) subscription.push(event);
  }

  /** A listener took an event that it could not keep for whom it was. */
  letGo(): void {
    this.#letGo++;
  }

  /** How many listen. */
  get listeners(): number {
    return this.#subscriptions.size;
  }

  /** Events that wait for listeners. */
  get waiting(): number {
    let waiting = 0;
    for (const subscription of this.#subscriptions) waiting += subscription.waiting;
    return waiting;
  }

  /** Events that were let go because listeners, or those behind them, are too slow. */
  get dropped(): number {
    let dropped = this.#letGo;
    for (const subscription of this.#subscriptions) dropped += subscription.dropped;
    return dropped;
  }
}
