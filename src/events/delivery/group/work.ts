import type { EventLog, StillHeld } from '../../../engine/events/log.ts';
import type { LoggedEvent } from '../../../engine/events/logged-event.ts';
import type { HandedOver, HandOverOptions } from '../hand-over.ts';

/** What those who handle a part of the log, or what is due again, need of their group. */
export interface GroupWork {
  readonly log: EventLog;
  readonly groupId: number;
  readonly leaseMs: number;
  /** What takes longer does not keep others waiting that have nothing to do with it. */
  readonly slowMs: number;
  /** Whether somebody in this process asked for events of this name. */
  wants(eventName: string): boolean;
  /** Hands an event over, which somebody here must want, as soon as there is a slot. */
  handle(event: LoggedEvent, options: HandOverOptions): Promise<HandedOver>;
  /** Asks the database until it answers; undefined when the time for that is over. */
  retryUntilAnswered<T>(ask: () => Promise<T>): Promise<T | undefined>;
  /** Lets go of what is held under this holder. */
  letGo(holder: string): Promise<void>;
  /** What came of other work, and is to be worked on beside it. */
  goOn(work: HeldWork): void;
  /** Something may be done now that could not be before. */
  stir(): void;
  /** A delivery is due again in so many milliseconds. */
  retryIn(delayMs: number): void;
}

/** What was taken of the log, while it is worked on. */
export interface HeldWork {
  /**
   * Under this it is held in the database; another one each time. What was taken without our knowing, because the answer
   * was lost, is not held for longer than its lease.
   */
  readonly holder: string;
  /** By this process's clock: what is begun later may be in other hands already. */
  readonly heldUntil: number;
  /** Events in memory that are not handled yet. */
  readonly left: number;
  /** Handles all, or as many as it gets to, and lets go. */
  run(): Promise<void>;
  /** Begins no more: {@link run} comes to its end when what runs has. */
  stop(): void;
  /** Waits no longer for what runs. */
  halt(reason: unknown): void;
  /** This is held until then. Of what is not among it another process has taken over: it begins no more of that, and waits no longer for it. */
  extended(held: StillHeld, until: number): void;
  /** Writes down how far it has come. */
  saveProgress(): void;
}
