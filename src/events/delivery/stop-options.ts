/** How whatever hands on events is stopped. */
export interface StopOptions {
  /** How long what waits and what runs may take, in milliseconds. Default 30,000. */
  drainTimeoutMs?: number;
  /** Ends that time when it fires. */
  hurry?: AbortSignal;
}
