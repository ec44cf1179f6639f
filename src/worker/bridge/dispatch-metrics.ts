/** What waits in a worker's dispatch channel: events that nobody has begun to work on. */
export interface FfiDispatchMetrics {
  /** Events that wait: unread, or read and neither taken by a subscriber nor completed. */
  pendingCount: number;
  /** Milliseconds; absent when nothing waits. */
  oldestPendingAgeMs?: number;
  newestPendingAgeMs?: number;
  oldestEventId?: string;
  /** Whether some event waits for longer than 10 seconds, */
  starvationDetected: boolean;
  /** … and how many do. */
  starvingEventCount: number;
}
