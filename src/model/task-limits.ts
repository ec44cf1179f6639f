/** The limits that a template's lifecycle sets for its tasks, in minutes, and the action when they are exceeded. */
export interface TaskLimits {
  /** `error`: the task is ended. `dlq`: the task continues and is marked for an operator. */
  action: 'error' | 'dlq';
  durationMinutes: number | null;
  waitingForDependenciesMinutes: number | null;
  waitingForRetryMinutes: number | null;
  stepsInProcessMinutes: number | null;
  waitingMinutes: number | null;
}

/** Returns the minimum number of minutes after which a task with these limits can be stale. */
export function earliestMinutes(limits: TaskLimits): number {
  return Math.min(...Object.values(limits).filter((minutes) => typeof minutes === 'number'));
}
