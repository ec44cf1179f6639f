/** The states that a task can be in. docs/states.md shows the transitions. */
export const TASK_STATES = [
  'pending',
  'initializing',
  'enqueuing_steps',
  'steps_in_process',
  'evaluating_results',
  'waiting_for_dependencies',
  'waiting_for_retry',
  'waiting',
  'blocked_by_failures',
  'complete',
  'error',
  'cancelled',
  'resolved_manually',
  'undoing',
  'undone',
] as const;

/** The states in which a task has ended. */
export const ENDED_STATES = ['complete', 'error', 'cancelled', 'resolved_manually', 'undone'] as const;

/** The states that a step can be in. */
export const STEP_STATES = [
  'pending',
  'enqueued',
  'in_progress',
  'enqueued_for_orchestration',
  'enqueued_as_error_for_orchestration',
  'waiting_for_retry',
  'waiting',
  'complete',
  'skipped',
  'error',
  'cancelled',
  'resolved_manually',
] as const;
