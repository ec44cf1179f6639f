import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { type BulkCommandOptions, readIds, targetOf } from '../bulk/options.ts';
import { runBulk } from '../bulk/run.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { readInput } from '../read-input.ts';
import { noteMissingWorker } from '../show/missing-worker.ts';
import { note, printJson } from '../show/output.ts';
import { notePauses } from '../show/pause-notes.ts';
import { describeFilter, taskFilterOf } from '../task-filter.ts';
import { withTasker } from '../with-tasker.ts';
import { type ElementOption, stepOf } from './element.ts';

/** Options of the commands that act on a step. */
export interface ActOptions extends GlobalOptions, OperatorFlags, ElementOption {
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
  return async (taskId: string, given: string, options: ActOptions): Promise<void> => {
    const { result } = options;
    const step = stepOf(given, options);
    const withResult = result === undefined ? {} : { result: await readInput(result, '--result') };
    await withTasker(options, {}, async (tasker) => {
      await act(tasker, [taskId, step], { ...operatorFrom(options), ...withResult });
      const [after, task] = await Promise.all([tasker.getStep(taskId, step), tasker.getTask(taskId)]);
      if (options.json) return printJson(snakeKeys(after));
      note(`step ${after.name} is ${after.currentState}, the task is ${task.status}`);
      notePauses(task);
      if (task.status === 'steps_in_process' || task.status === 'undoing')
        await noteMissingWorker(tasker, task.namespace);
      if (task.status === 'blocked_by_failures')
        note(`another step failed; \`npx tasker task why ${taskId}\` shows it`);
    });
  };
}

/** Returns a command that acts on one step immediately, or on many after a confirmation. */
function actingOnSteps(
  act: (tasker: Tasker, place: Place, operator: Operator) => Promise<void>,
  bulk: 'retrySteps' | 'resetSteps' | 'resolveSteps',
) {
  return async (task: string | undefined, step: string | undefined, options: BulkCommandOptions & ActOptions) => {
    const filter = taskFilterOf(options, { acts: true });
    const ids = await readIds(task !== undefined && step === undefined ? [task] : [], options);
    const named = task !== undefined && step !== undefined;
    if (named && ids.length === 0 && !options.dryRun && Object.keys(filter).length === 0) {
      return actingOnStep(act)(task, step, options);
    }
    const steps = named ? [{ taskUuid: task, step: stepOf(step, options) }] : [];
    const target = targetOf('step', { ids, steps, options });
    const given = options.result === undefined ? {} : { result: await readInput(options.result, '--result') };
    await runBulk(
      options,
      (tasker, signal) => tasker.bulk[bulk](target, { ...operatorFrom(options), ...given, signal }),
      describeFilter(filter),
    );
  };
}

/** `tasker step retry`: retries failed steps, and steps that wait for a retry. */
export const stepRetry = actingOnSteps((tasker, place, operator) => tasker.retryStep(...place, operator), 'retrySteps');

/** `tasker step reset`: returns failed steps to the queue. */
export const stepReset = actingOnSteps((tasker, place, operator) => tasker.resetStep(...place, operator), 'resetSteps');

/** `tasker step resolve`: marks steps as resolved manually. */
export const stepResolve = actingOnSteps(
  (tasker, place, operator) => tasker.resolveStep(...place, operator),
  'resolveSteps',
);

/** `tasker step complete`: completes a step with a result. */
export const stepComplete = actingOnStep((tasker, place, { result, ...operator }) =>
  tasker.completeStep(...place, { ...operator, result }),
);
