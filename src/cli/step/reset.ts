import { actingOnStep } from './act-on-step.ts';

/** `tasker step reset`: sends a failed step back to the queue. */
export const stepReset = actingOnStep((tasker, place, operator) => tasker.retryStep(...place, operator));
