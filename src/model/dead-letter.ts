/**
 * The reasons why a task is in the dead letters. `dependency_cycle_detected` never occurs: templates with cycles are
 * rejected.
 */
export const DEAD_LETTER_REASONS = [
  'staleness_timeout',
  'max_retries_exceeded',
  'dependency_cycle_detected',
  'worker_unavailable',
  'manual_dlq',
] as const;
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

/** The statuses of an entry in the dead letters. `pending`: it is open. */
export const DEAD_LETTER_STATUSES = ['pending', 'manually_resolved', 'permanently_failed', 'cancelled'] as const;
export type DeadLetterStatus = (typeof DEAD_LETTER_STATUSES)[number];
