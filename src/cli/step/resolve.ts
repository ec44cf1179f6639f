import { actingOnStep } from './act-on-step.ts';

/** `tasker step resolve`: declares a step done by hand. */
export const stepResolve = actingOnStep((tasker, place, operator) => tasker.resolveStep(...place, operator));
