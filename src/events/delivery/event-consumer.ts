import type { LoggedEvent } from '../../engine/events/logged-event.ts';
import type { Halt } from '../halt.ts';

/** Information about a delivery, besides the event. */
export interface DeliveryContext {
  /** The number of this delivery of the event to the group, from 1. */
  readonly attempt: number;
  /** Whether this delivery is part of a replay. */
  readonly replayed: boolean;
  /** Fires when the delivery times out, when its hold is lost, or when the process stops. */
  readonly halt: Halt;
  /** The event in its wire format, with everything recorded about it. Read from the database on demand. */
  envelope(): Promise<unknown>;
}

/**
 * A consumer of durable events: a subscriber or a sink. The consumers of a group share its events, even across
 * processes.
 */
export interface EventConsumer {
  /** The name of the group, which has a position in the log. */
  readonly group: string;
  /** Patterns for event names, with `*`, `?` and `[…]`. A dot is literal. */
  readonly patterns: readonly string[];
  /** The start position of a new group. Default `now`. */
  readonly from?: 'now' | 'beginning';
  /** Maximum number of events of different tasks that this process handles at the same time. Default 10. */
  readonly concurrency?: number;
  /** Timeout of a delivery in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
  /** Maximum number of deliveries of an event before it becomes a dead delivery. Default 10. */
  readonly maxDeliveries?: number;
  /**
   * Handles an event. If it rejects, the event is delivered again with increasing delays. An error with `retryable: false`
   * prevents that, and `retryAfter` sets the delay.
   */
  deliver(event: LoggedEvent, context: DeliveryContext): Promise<void>;
  /** Closes the resources of the consumer. Called once, after the last delivery. */
  close?(): Promise<void>;
}

/** Options for stopping the delivery of events. */
export interface StopOptions {
  /** Time for the waiting and running deliveries to finish, in milliseconds. Default 30,000. */
  drainTimeoutMs?: number;
  /** Ends the time for the deliveries early when it fires. */
  hurry?: AbortSignal;
}

/** A set of consumers that run together until they are stopped. */
export interface RunningConsumers {
  /**
   * Resolves when delivery has started. From then on, new groups get every committed event. Also resolves if the
   * database is unavailable. Delivery then starts on its own once the database is available.
   */
  readonly started: Promise<void>;
  /**
   * Starts no new deliveries, and gives running deliveries `drainTimeoutMs` (30,000) to finish. Then it fires their
   * signals and releases the remaining events, which other processes can take immediately. Handled events are not
   * delivered again. Closes the consumers.
   */
  stop(options?: StopOptions): Promise<void>;
}
