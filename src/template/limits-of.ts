import type { TaskLimits } from '../model/task-limits.ts';
import type { Lifecycle } from './task-template.ts';

/** The limits of a lifecycle; null when nothing would ever be done for them. */
export function limitsOf(lifecycle: Lifecycle | null): TaskLimits | null {
  const action = lifecycle && actionOf(lifecycle);
  if (!action) return null;
  const limits = {
    durationMinutes: lifecycle.maxDurationMinutes,
    waitingForDependenciesMinutes: lifecycle.maxWaitingForDependenciesMinutes,
    waitingForRetryMinutes: lifecycle.maxWaitingForRetryMinutes,
    stepsInProcessMinutes: lifecycle.maxStepsInProcessMinutes,
  };
  return Object.values(limits).every((minutes) => minutes === null) ? null : { action, ...limits };
}

/** The two switches win over `staleness_action`, and ending a task wins over noting it. */
function actionOf({ stalenessAction, autoFailOnTimeout, autoDlqOnTimeout }: Lifecycle): TaskLimits['action'] | null {
  if (autoFailOnTimeout ?? stalenessAction === 'error') return 'error';
  return (autoDlqOnTimeout ?? stalenessAction === 'dlq') ? 'dlq' : null;
}
