/** What was taken of the log, while it is worked on. */
export interface HeldWork {
  /**
   * Under this it is held in the database; another one each time. What was taken without our knowing, because the answer
   * was lost, is not held for longer than its lease.
   */
  readonly holder: string;
  /** By this process's clock: what is begun later may be in other hands already. */
  heldUntil: number;
  /** Events in memory that are not handled yet. */
  readonly left: number;
  /** Handles all, or as many as it gets to, and lets go. */
  run(): Promise<void>;
  /** Begins no more: {@link run} comes to its end when what runs has. */
  stop(): void;
  /** Waits no longer for what runs. */
  halt(reason: unknown): void;
  /** Another process has it: begins no more, and waits no longer for what runs. */
  lose(): void;
  /** Writes down how far it has come. */
  saveProgress(): void;
}
