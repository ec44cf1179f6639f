import { readInput } from '../read-input.ts';
import { type ActOptions, actOnStep, type StepArguments } from './act-on-step.ts';

/** `tasker step resolve`: declares a step done by hand. */
export async function stepResolve(where: StepArguments, options: ActOptions & { result?: string }): Promise<void> {
  const result = options.result === undefined ? {} : { result: await readInput(options.result, '--result') };
  await actOnStep(where, options, (tasker, operator) =>
    tasker.resolveStep(where.task, where.step, { ...operator, ...result }),
  );
}
