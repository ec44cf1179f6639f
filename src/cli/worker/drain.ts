import { drainedJson, workerJson } from '../../app/json/acts.ts';
import { EXIT } from '../exit-codes.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, printJson, redrawLine } from '../show/output.ts';
import { counted } from '../show/text.ts';
import { listenForStop } from '../stop-signal.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';
import type { WorkerInfo } from './list.ts';

/** Options of `tasker worker drain` and `tasker worker resume`. */
export interface WorkerDrainOptions extends GlobalOptions, OperatorFlags {
  wait?: boolean;
  /** Milliseconds. */
  timeout?: number;
}

/** `tasker worker drain`: asks a worker to stop taking steps. With `--wait`, exits with 1 if the worker is lost before it has drained. */
export async function workerDrain(name: string, options: WorkerDrainOptions): Promise<void> {
  const { wait, timeout: timeoutMs, json } = options;
  const stop = listenForStop();
  try {
    await withTasker(options, {}, async (tasker) => {
      const { signal } = stop;
      const how = { ...operatorFrom(options), wait, timeoutMs, signal, onProgress: progress };
      const drained = await tasker.drainWorker(name, how).finally(() => redrawLine(''));
      const { worker, changed, left } = drained;
      if (worker.state === 'lost') thisRun().exitCode = EXIT.failed;
      if (json) return printJson(drainedJson(drained));
      note(outcomeOf(worker, changed));
      if (left.length > 0) {
        const steps = left.length === 1 ? 'its steps wait' : 'their steps wait';
        note(`no other live worker takes steps of ${left.join(', ')}: ${steps} until one does`);
      }
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    note(`no longer waiting; the worker keeps draining, and \`npx tasker worker resume ${name}\` ends the drain`);
    thisRun().exitCode = EXIT.interrupted;
  } finally {
    stop.release();
  }
}

function outcomeOf({ name, state, running }: WorkerInfo, changed: boolean): string {
  if (state === 'stopped') return `${name} has stopped`;
  if (state === 'lost') return `${name} was lost; other workers take its steps`;
  if (state === 'drained') return `${name} is drained: it no longer holds steps`;
  const steps = running === 0 ? 'no step is running' : `${counted(running, 'step')} still running`;
  return `${name} ${changed ? 'no longer takes steps' : 'was already draining'}; ${steps}`;
}

/** `tasker worker resume`: lets a draining worker take steps again. */
export async function workerResume(name: string, options: WorkerDrainOptions): Promise<void> {
  const { json } = options;
  await withTasker(options, {}, async (tasker) => {
    const { worker, changed } = await tasker.resumeWorker(name, operatorFrom(options));
    if (json) printJson({ ...workerJson(worker), changed });
    else note(changed ? `${worker.name} takes steps again` : `${worker.name} was not draining`);
  });
}

function progress({ name, running }: WorkerInfo): void {
  redrawLine(`${name}: ${counted(running, 'step')} running`);
}
