import { rerunJson } from '../../app/json/acts.ts';
import type { TaskRerun } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { ifAllowed } from '../remote/if-allowed.ts';
import { noteMissingWorker } from '../show/missing-worker.ts';
import { note, print, printJson } from '../show/output.ts';
import { notePauses } from '../show/pause-notes.ts';
import { counted, painted, signOf, table } from '../show/text.ts';
import { type ElementOption, stepOf } from '../step/element.ts';
import { withTasker } from '../with-tasker.ts';

interface TaskRerunOptions extends GlobalOptions, OperatorFlags, ElementOption {
  from: string;
  dryRun?: boolean;
}

type Row = TaskRerun['steps'][number];

/** Batch workers are folded into one row if there are more than this. */
const SHOWN = 5;

/** `tasker task rerun`: runs a step and everything after it again, or lists what would run. */
export async function taskRerun(uuid: string, options: TaskRerunOptions): Promise<void> {
  const { dryRun = false, json } = options;
  const from = stepOf(options.from, options);
  await withTasker(options, {}, async (tasker) => {
    const rerun = await tasker.rerunTask(uuid, { from, dryRun, ...operatorFrom(options) });
    if (json) return printJson(rerunJson(rerun));
    if (dryRun) {
      print(table(['  step', 'state', 'attempts', 'what happens', ''], rowsOf(rerun.steps)));
      print('');
    }
    note(summaryOf(rerun));
    for (const line of warningsOf(rerun)) note(line);
    if (dryRun) return;
    const [task, unaware] = await Promise.all([tasker.getTask(uuid), parentLeftOut(tasker, uuid)]);
    if (unaware) note(unaware);
    notePauses(task);
    await noteMissingWorker(tasker, task.namespace);
  });
}

/** Returns a note if the step that started a child task no longer waits for it, so that the rerun does not reach the parent. */
async function parentLeftOut(tasker: Tasker, uuid: string): Promise<string | undefined> {
  const parent = (await ifAllowed(tasker.getChildTasks(uuid)))?.parent;
  if (!parent) return undefined;
  const step = await ifAllowed(tasker.getStep(parent.taskUuid, parent.step));
  if (!step || step.wait?.settings.task_uuid === uuid.toLowerCase()) return undefined;
  return `its parent task ${parent.taskUuid} does not change, because step ${parent.step} no longer waits for this task; to use the new result, run \`tasker task rerun ${parent.taskUuid} --from ${parent.step}\` instead`;
}

function summaryOf({ taskUuid, from, rerun, dryRun, statusBefore, status, steps }: TaskRerun): string {
  const count = (change: Row['change']) => steps.filter((step) => step.change === change).length;
  const [again, removed, returned] = [count('again'), count('removed'), count('returned')];
  const parts = [`${counted(again, 'step')} ${dryRun ? 'would run' : again === 1 ? 'runs' : 'run'} again from ${from}`];
  if (removed > 0)
    parts.push(`${removed} ${dryRun ? 'would be' : removed === 1 ? 'is' : 'are'} removed until created again`);
  if (returned > 0)
    parts.push(`${returned} cancelled ${dryRun ? 'would continue' : returned === 1 ? 'continues' : 'continue'}`);
  const sentence = parts.join('; ');
  if (dryRun) return `dry run: nothing was changed. ${sentence}; the task is ${statusBefore}`;
  return `rerun ${rerun} of ${taskUuid}: ${sentence}; the task was ${statusBefore} and is ${status}`;
}

/** Lists the steps whose template requires a person's decision before they run twice. */
function warningsOf({ steps, dryRun }: TaskRerun): string[] {
  const once = steps.filter((step) => !step.retryable && step.attempts > 0).map((step) => step.step);
  if (once.length === 0) return [];
  const names =
    once.length > SHOWN ? `${once.slice(0, SHOWN).join(', ')} and ${once.length - SHOWN} more` : once.join(', ');
  const verb = dryRun ? 'would run' : once.length === 1 ? 'runs' : 'run';
  return [pc.yellow(`not retryable (retry.retryable: false), and ${verb} again: ${names}`)];
}

const WHAT: Record<Row['change'], string> = {
  again: 'runs again',
  removed: 'is removed, and may be created again',
  returned: 'continues (cancelled with the task)',
};

function rowsOf(steps: readonly Row[]): string[][] {
  const batches = new Map<string, number>();
  for (const { templateStepName } of steps) batches.set(templateStepName, (batches.get(templateStepName) ?? 0) + 1);
  const folded = new Set<string>();
  return steps.flatMap((step) => {
    const size = batches.get(step.templateStepName)!;
    if (size <= SHOWN) return [rowOf(step, step.step)];
    if (folded.has(step.templateStepName)) return [];
    folded.add(step.templateStepName);
    return [rowOf(step, `${step.templateStepName} ×${size}`)];
  });
}

function rowOf({ state, attempts, retryable, change }: Row, name: string): string[] {
  const mark = retryable ? '' : pc.yellow('not retryable');
  return [`${signOf(state)} ${name}`, painted(state), String(attempts), WHAT[change], mark];
}
