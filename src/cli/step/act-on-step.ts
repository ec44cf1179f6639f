import type { Tasker } from '../../app/tasker.ts';
import type { GlobalOptions } from '../options.ts';
import { note, printJson } from '../show/output.ts';
import { snakeKeys } from '../show/views.ts';
import { withTasker } from '../with-tasker.ts';

/** A step as the commands name it: the task's id, and the step's name or id. */
export interface StepArguments {
  task: string;
  step: string;
}

/** Options of the commands that act on a step. */
export interface ActOptions extends GlobalOptions {
  reason?: string;
  by: string;
}

/** Acts on a step as an operator, and shows what came of it. */
export async function actOnStep(
  { task, step }: StepArguments,
  options: ActOptions,
  act: (tasker: Tasker, operator: { actor: string; reason: string | undefined }) => Promise<void>,
): Promise<void> {
  const { by: actor, reason } = options;
  await withTasker(options, {}, async (tasker) => {
    await act(tasker, { actor, reason });
    const [after, { status }] = await Promise.all([tasker.getStep(task, step), tasker.getTask(task)]);
    if (options.json) printJson(snakeKeys(after));
    else note(`step ${after.name} is ${after.currentState}, the task ${status}`);
  });
}
