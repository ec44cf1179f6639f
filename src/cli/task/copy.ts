import { snakeKeys } from '../../app/json/views.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { readObject } from '../read-input.ts';
import { note, print, printJson } from '../show/output.ts';
import { withTasker } from '../with-tasker.ts';

interface TaskCopyOptions extends GlobalOptions, OperatorFlags {
  input?: string;
  idempotencyKey?: string;
}

/** `tasker task copy`: creates a copy of a task and prints its id. */
export async function taskCopy(uuid: string, options: TaskCopyOptions): Promise<void> {
  const { idempotencyKey, json } = options;
  const context = options.input === undefined ? undefined : await readObject(options.input, '--input');
  await withTasker(options, {}, async (tasker) => {
    const copy = await tasker.copyTask(uuid, {
      ...operatorFrom(options),
      ...(context !== undefined && { context }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    });
    // The process would exit before its own notification is sent.
    await tasker.engine.announce.work(copy.priority === 0 ? 0 : -copy.priority);
    if (json) return printJson({ ...snakeKeys(copy), copy_of: uuid.toLowerCase() });
    print(copy.taskUuid);
    note(`copied ${uuid}${context === undefined ? '' : ' with another context'}`);
  });
}
