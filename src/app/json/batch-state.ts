const ORDER = ['in_progress', 'enqueued', 'waiting_for_retry', 'waiting', 'error', 'pending', 'cancelled', 'skipped'];

/** Returns the state shown for a batch: an active state if a worker is in one, otherwise the most serious one. */
export function stateOfBatch(states: Iterable<string>): string {
  const present = new Set(states);
  return ORDER.find((state) => present.has(state)) ?? 'complete';
}
