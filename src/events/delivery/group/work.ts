import type { EventLog, StillHeld } from '../../../engine/events/log.ts';
import type { LoggedEvent } from '../../../engine/events/logged-event.ts';
import type { HandedOver, HandOverOptions } from '../hand-over.ts';

/** The members of a group that the handling of parts and retries needs. */
export interface GroupWork {
  readonly log: EventLog;
  readonly groupId: number;
  readonly leaseMs: number;
  /** A delivery that takes longer than this no longer delays events of other tasks. */
  readonly slowMs: number;
  /** Returns whether a consumer in this process wants events of this name. */
  wants(eventName: string): boolean;
  /** Delivers an event as soon as a slot is free. A consumer in this process must want the event. */
  handle(event: LoggedEvent, options: HandOverOptions): Promise<HandedOver>;
  /** Repeats a query until the database responds. Returns undefined after giving up. */
  retryUntilAnswered<T>(ask: () => Promise<T>): Promise<T | undefined>;
  /** Releases everything held under this holder. */
  release(holder: string): Promise<void>;
  /** Starts follow-up work, such as the retries left by finished work. */
  goOn(work: HeldWork): void;
  /** Wakes the loop, because there may be something to do. */
  wake(): void;
  /** Schedules a query for due retries in `delayMs` milliseconds. */
  retryIn(delayMs: number): void;
}

/** Deliveries taken from the log that are in progress. */
export interface HeldWork {
  /**
   * The id of the holder in the database, new for each take. If the response to a statement is lost, the lease on the
   * work that it took is therefore never extended.
   */
  readonly holder: string;
  /**
   * On the clock of `performance.now()`. No delivery may start after this time, because another process may have taken
   * over the work.
   */
  readonly heldUntil: number;
  /** The number of events in memory that are not handled yet. */
  readonly left: number;
  /** Handles the events until it is stopped, and releases the remaining events. */
  run(): Promise<void>;
  /** Starts no new deliveries. {@link run} ends when the running deliveries have ended. */
  stop(): void;
  /** Ends the wait for running deliveries. */
  halt(reason: unknown): void;
  /**
   * Reports the work that is held until `until`. Another process has taken over all other work, which must be
   * abandoned.
   */
  extended(held: StillHeld, until: number): void;
  /** Stores the progress. */
  saveProgress(): void;
}
