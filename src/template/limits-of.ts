import type { TaskLimits } from '../model/task-limits.ts';
import type { Lifecycle } from './task-template.ts';

/** Returns the limits of a lifecycle. Null if exceeding them would have no effect. */
export function limitsOf(lifecycle: Lifecycle | null): TaskLimits | null {
  const action = lifecycle && actionOf(lifecycle);
  if (!action) return null;
  const limits = {
    durationMinutes: lifecycle.maxDurationMinutes,
    waitingForDependenciesMinutes: lifecycle.maxWaitingForDependenciesMinutes,
    waitingForRetryMinutes: lifecycle.maxWaitingForRetryMinutes,
    stepsInProcessMinutes: lifecycle.maxStepsInProcessMinutes,
    waitingMinutes: lifecycle.maxWaitingMinutes,
  };
  return Object.values(limits).every((minutes) => minutes === null) ? null : { action, ...limits };
}

/** The two switches override `staleness_action`, and failing a task takes precedence over noting it. */
function actionOf({ stalenessAction, autoFailOnTimeout, autoDlqOnTimeout }: Lifecycle): TaskLimits['action'] | null {
  if (autoFailOnTimeout ?? stalenessAction === 'error') return 'error';
  return (autoDlqOnTimeout ?? stalenessAction === 'dlq') ? 'dlq' : null;
}
