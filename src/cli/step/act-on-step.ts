import type { Tasker } from '../../app/tasker.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { readInput } from '../read-input.ts';
import { note, printJson } from '../show/output.ts';
import { snakeKeys } from '../show/views.ts';
import { withTasker } from '../with-tasker.ts';

/** Options of the commands that act on a step. */
export interface ActOptions extends GlobalOptions, OperatorFlags {
  /** JSON. */
  result?: string;
}

/** Identifies a step: the id of its task, and the name or id of the step. */
type Place = [task: string, step: string];

/** The operator, the reason, and the result if one was given. */
interface Operator {
  actor: string;
  reason: string | undefined;
  result?: unknown;
}

/** Returns a command that acts on a step as an operator and shows its new state. */
export function actingOnStep(act: (tasker: Tasker, place: Place, operator: Operator) => Promise<void>) {
  return async (task: string, step: string, options: ActOptions): Promise<void> => {
    const { result } = options;
    const given = result === undefined ? {} : { result: await readInput(result, '--result') };
    await withTasker(options, {}, async (tasker) => {
      await act(tasker, [task, step], { ...operatorFrom(options), ...given });
      const [after, { status }] = await Promise.all([tasker.getStep(task, step), tasker.getTask(task)]);
      if (options.json) printJson(snakeKeys(after));
      else note(`step ${after.name} is ${after.currentState}, the task is ${status}`);
    });
  };
}

/** `tasker step reset`: returns a failed step to the queue. */
export const stepReset = actingOnStep((tasker, place, operator) => tasker.retryStep(...place, operator));

/** `tasker step resolve`: marks a step as resolved manually. */
export const stepResolve = actingOnStep((tasker, place, operator) => tasker.resolveStep(...place, operator));

/** `tasker step complete`: completes a step with a result. */
export const stepComplete = actingOnStep((tasker, place, { result, ...operator }) =>
  tasker.completeStep(...place, { ...operator, result }),
);
