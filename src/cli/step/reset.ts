import { type ActOptions, actOnStep, type StepArguments } from './act-on-step.ts';

/** `tasker step reset`: sends a failed step back to the queue. */
export async function stepReset(where: StepArguments, options: ActOptions): Promise<void> {
  await actOnStep(where, options, (tasker, operator) => tasker.retryStep(where.task, where.step, operator));
}
