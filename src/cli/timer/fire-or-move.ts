import { TaskerError } from '../../errors.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, printJson } from '../show/output.ts';
import { actingOnStep } from '../step/act-on-step.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker timer fire`: completes a timer step now. */
export const timerFire = actingOnStep((tasker, place, operator) => tasker.fireTimer(...place, operator));

/** `tasker timer move`: changes the time of a timer step. */
export async function timerMove(
  task: string,
  step: string,
  until: string | undefined,
  options: GlobalOptions & OperatorFlags & { in?: number },
): Promise<void> {
  const { in: delayMs } = options;
  if ((until === undefined) === (delayMs === undefined)) {
    throw new TaskerError('bad_request', 'pass the new time, or a duration from now with --in');
  }
  await withTasker(options, {}, async (tasker) => {
    const moved = await tasker.moveTimer(task, step, until ?? { delayMs: delayMs! }, operatorFrom(options));
    if (options.json) return printJson({ task_uuid: task, step, until: moved });
    note(`step ${step} waits until ${moved.slice(0, 19)}Z`);
  });
}
