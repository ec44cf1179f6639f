import { actingOnStep } from './act-on-step.ts';

/** `tasker step complete`: completes a step with a result. */
export const stepComplete = actingOnStep((tasker, place, { result, ...operator }) =>
  tasker.completeStep(...place, { ...operator, result }),
);
