import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, printJson } from '../show/output.ts';
import { withTasker } from '../with-tasker.ts';

interface TaskCancelOptions extends GlobalOptions, OperatorFlags {}

/** `tasker task cancel`: cancels a task. A task that has ended is not changed. */
export async function taskCancel(uuid: string, options: TaskCancelOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const cancelled = await tasker.cancelTask(uuid, operatorFrom(options));
    const { status } = await tasker.getTask(uuid);
    if (options.json) printJson({ task_uuid: uuid, cancelled, status });
    else note(cancelled ? `cancelled ${uuid}` : `${uuid} has already ended: it is ${status}`);
  });
}
