/** How events come to a subscriber. What is out of range, or not known, is refused when it is registered or started: `subscriber_invalid`. */
export interface SubscriberDelivery {
  /**
   * `durable` (the default): fast events from this process, durable and broadcast ones from the log, where all subscribers
   * of one name are a group that gets each event. `in_process`: only the fast and broadcast events of this process, each
   * once, and lost with it.
   */
  readonly mode?: 'durable' | 'in_process';
  /** Where a group begins that does not exist yet. Default `now`. */
  readonly from?: 'now' | 'beginning';
  /** Events of different tasks that are handled at once; those of one task come one after the other. From 1 to 1,000; default 10. */
  readonly concurrency?: number;
  /**
   * Milliseconds that handling one may take before it counts as failed and `signal` fires. From 1 to 2,147,483,647, which
   * is 24 days; default 30,000.
   */
  readonly timeoutMs?: number;
  /** Deliveries of a durable event before it is given up. From 1 to 100,000; default 10. */
  readonly maxDeliveries?: number;
}

/** What a subscriber is told about a delivery, besides the event. */
export interface EventDelivery {
  /** Of this event to this subscriber's group, from 1. Events of this process come once. */
  readonly attempt: number;
  /** Asked for again by an operator. */
  readonly replayed: boolean;
  /** Fires when the time is up, or the process stops. Pass it on to what the subscriber waits for. */
  readonly signal: AbortSignal;
}
