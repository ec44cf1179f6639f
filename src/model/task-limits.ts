/** What a lifecycle comes to for its tasks: the limits that it sets, in minutes, and what is done beyond them. */
export interface TaskLimits {
  /** `error`: the task is ended. `dlq`: it goes on, and is noted for an operator. */
  action: 'error' | 'dlq';
  durationMinutes: number | null;
  waitingForDependenciesMinutes: number | null;
  waitingForRetryMinutes: number | null;
  stepsInProcessMinutes: number | null;
}

/** How long after its creation a task of these limits can be stale at the earliest, in minutes. */
export function earliestMinutes(limits: TaskLimits): number {
  return Math.min(...Object.values(limits).filter((minutes) => typeof minutes === 'number'));
}
