import type { TaskSnapshot } from '../../app/tasker.ts';

export type Task = TaskSnapshot['task'];
export type Step = TaskSnapshot['steps'][number];

/**
 * Returns a task and its steps with the states that clients of the original system know: a task or step that waits for a
 * signal, a timer or an approval is in progress.
 */
export function withoutWaiting(task: Task, steps: readonly Step[]): TaskSnapshot {
  const { status, inProgressSteps, waitingSteps } = task;
  return {
    task: {
      ...task,
      status: status === 'waiting' || status === 'undoing' ? 'steps_in_process' : status,
      inProgressSteps: inProgressSteps + waitingSteps,
      waitingSteps: 0,
    },
    steps: steps.map(stepWithoutWaiting),
  };
}

/** Returns a step with a state that clients of the original system know. */
export function stepWithoutWaiting(step: Step): Step {
  return step.currentState === 'waiting' ? { ...step, currentState: 'in_progress' } : step;
}
