import type { StillHeld } from '../../../engine/events/log.ts';

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
