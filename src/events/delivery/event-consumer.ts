import type { LoggedEvent } from '../../engine/events/logged-event.ts';
import type { Halt } from '../halt.ts';

/** What a consumer is told about a delivery, besides the event. */
export interface DeliveryContext {
  /** Of this event to this group, from 1. */
  readonly attempt: number;
  /** Asked for again by an operator. */
  readonly replayed: boolean;
  /** Fires when the delivery's time is up, when its hold was lost, or when the process stops. */
  readonly halt: Halt;
  /** The event as it goes over the wire, with all that was recorded about it; read when it is asked for. */
  envelope(): Promise<unknown>;
}

/**
 * What the delivery of durable events needs of whoever gets them: a subscriber, a sink. Consumers of one group, in
 * whichever processes they are, share its work.
 */
export interface EventConsumer {
  /** Whose position in the log this is. */
  readonly group: string;
  /** Names of events, with `*`, `?` and `[…]`; a dot is a dot. */
  readonly patterns: readonly string[];
  /** Where a group begins that does not exist yet. Default `now`. */
  readonly from?: 'now' | 'beginning';
  /** Events of different tasks that are handled at once, in this process. Default 10. */
  readonly concurrency?: number;
  /** How long a delivery may take before it counts as failed. Default 30,000. */
  readonly timeoutMs?: number;
  /** Deliveries of one event before it is given up. Default 10. */
  readonly maxDeliveries?: number;
  /**
   * Resolves when the event was handled. When it rejects, the event is delivered again, later each time; the error may
   * say more, see `deliveryFailureOf`: `retryable: false` gives it up, `retryAfter` says when.
   */
  deliver(event: LoggedEvent, context: DeliveryContext): Promise<void>;
  /** Called once, when nothing is delivered any more: closes what it holds open. */
  close?(): Promise<void>;
}

/** Options of stopping whatever delivers events. */
export interface StopOptions {
  /** Time for the waiting and running deliveries to finish, in milliseconds. Default 30,000. */
  drainTimeoutMs?: number;
  /** Ends that time early when it fires. */
  hurry?: AbortSignal;
}

/** Consumers that were given to a delivery together: run from the joining of their groups until they are stopped. */
export interface RunningConsumers {
  /**
   * Resolves when they are delivered to: new groups get all that is committed from now on. While the database is away it
   * resolves too, and goes on by itself when that is back.
   */
  readonly started: Promise<void>;
  /**
   * Begins nothing more, lets what runs finish for `drainTimeoutMs` (30,000), then fires its signal and lets go of what is
   * left: other processes take it at once. What was handled is not delivered again. Closes the consumers.
   */
  stop(options?: StopOptions): Promise<void>;
}
