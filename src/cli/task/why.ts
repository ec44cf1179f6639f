import { snakeKeys } from '../../app/json/views.ts';
import type { StepExplanation } from '../../app/why.ts';
import { oneLine } from '../../logging/terminal/shown-text.ts';
import type { GlobalOptions } from '../options.ts';
import { countsOf, foldBatches } from '../show/fold-batches.ts';
import { print, printJson } from '../show/output.ts';
import { siblingLines } from '../show/siblings.ts';
import { drawnTree, parentsOf } from '../show/step-tree.ts';
import { painted } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker task why`: explains the state of each step. */
export async function taskWhy(uuid: string, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const { task, summary, steps } = await tasker.why(uuid);
    if (options.json) return printJson({ task: snakeKeys(task), summary, steps: steps.map(snakeKeys) });
    print(oneLine(`${painted(task.status, `task ${task.namespace}/${task.name}@${task.version}`)} ${summary}`));
    print('');
    const folded = foldBatches(
      steps.map((step) => ({ ...step, name: step.step })),
      await parentsOf(tasker, task),
    );
    print(
      drawnTree(folded, {
        columns: thisRun().stdout.columns,
        describe: ({ why }) => why,
        describeBatch: reasonsOf,
      }).join('\n'),
    );
    const siblings = siblingLines(task, steps);
    if (siblings.length > 0) print(`\n${siblings.join('\n')}`);
  });
}

/** Describes a folded batch: the number of workers in each state, and the reason of the first worker in that state. */
function reasonsOf(workers: readonly (StepExplanation & { name: string })[]): string {
  const counts = countsOf(workers).map(([state, count]) => {
    const first = workers.find((worker) => worker.state === state)!;
    return state === 'complete' ? `${count} complete` : `${count} ${state}, such as ${first.name}, which ${first.why}`;
  });
  return counts.join('; ');
}
