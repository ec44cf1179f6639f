import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { reportError } from '../report-error.ts';
import { note, print } from '../show/output.ts';
import { withTasker } from '../with-tasker.ts';
import { followTask } from './follow.ts';

/** Options of {@link watch}. */
export interface WatchOptions extends GlobalOptions {
  /** Milliseconds. */
  timeout?: number;
}

/** `tasker task watch`: follows a task until it ends or is blocked. */
export async function taskWatch(uuid: string, options: WatchOptions): Promise<void> {
  process.exitCode = await withTasker(options, { listen: true }, (tasker) => watch(tasker, uuid, options));
}

/** Shows a task until it rests; answers with the exit code. `write` gets the lines where there is no terminal. */
export async function watch(
  tasker: Tasker,
  uuid: string,
  { timeout, json = false }: WatchOptions,
  write: (line: string) => void = print,
): Promise<number> {
  const stop = new AbortController();
  const interrupted = () => stop.abort();
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  const timer = timeout === undefined ? undefined : setTimeout(() => stop.abort(late(uuid, timeout)), timeout);
  try {
    const status = await followTask(tasker, uuid, { signal: stop.signal, json, write, remark: note });
    if (status === 'blocked_by_failures') {
      note(`the task can't go on until somebody acts; \`npx tasker task why ${uuid}\` tells what failed`);
      return EXIT.blocked;
    }
    return status === 'complete' || status === 'resolved_manually' ? EXIT.ok : EXIT.failed;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    const { reason } = stop.signal as { reason: unknown };
    if (reason instanceof TaskerError) reportError(reason);
    else note(`the task goes on; \`npx tasker task watch ${uuid}\` follows it again`);
    return reason instanceof TaskerError ? EXIT.failed : EXIT.interrupted;
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
  }
}

function late(uuid: string, ms: number): TaskerError {
  return new TaskerError(
    'timeout',
    `task ${uuid} did not end within ${ms / 1000} s; it goes on, \`npx tasker task why ${uuid}\` tells what it waits for`,
  );
}
