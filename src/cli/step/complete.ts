import { readInput } from '../read-input.ts';
import { type ActOptions, actOnStep, type StepArguments } from './act-on-step.ts';

/** `tasker step complete`: completes a step with a result. */
export async function stepComplete(where: StepArguments, options: ActOptions & { result: string }): Promise<void> {
  const result = await readInput(options.result, '--result');
  await actOnStep(where, options, (tasker, operator) =>
    tasker.completeStep(where.task, where.step, { ...operator, result }),
  );
}
