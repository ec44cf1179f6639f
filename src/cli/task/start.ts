import { TaskerError } from '../../errors.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, printJson } from '../show/output.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker task start-now`: starts a task that was created to start later. */
export async function taskStartNow(uuid: string, options: GlobalOptions & OperatorFlags): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    await tasker.startTaskNow(uuid, operatorFrom(options));
    if (options.json) return printJson({ task_uuid: uuid, started: true });
    note(`started task ${uuid}`);
  });
}

/** `tasker task reschedule`: changes the start time of a task. */
export async function taskReschedule(
  uuid: string,
  options: GlobalOptions & OperatorFlags & { at?: string; in?: number },
): Promise<void> {
  const { at, in: delayMs } = options;
  if ((at === undefined) === (delayMs === undefined)) {
    throw new TaskerError('bad_request', 'pass the new time with --at or --in');
  }
  await withTasker(options, {}, async (tasker) => {
    const startAt = await tasker.rescheduleTask(uuid, at ?? { delayMs: delayMs! }, operatorFrom(options));
    if (options.json) return printJson({ task_uuid: uuid, start_at: startAt });
    note(`task ${uuid} starts at ${startAt.slice(0, 19)}Z`);
  });
}
