import type { StepExplanation } from '../../app/why.ts';
import type { GlobalOptions } from '../options.ts';
import { countsOf, foldBatches } from '../show/fold-batches.ts';
import { print, printJson } from '../show/output.ts';
import { drawnTree, parentsOf } from '../show/step-tree.ts';
import { painted } from '../show/text.ts';
import { snakeKeys } from '../show/views.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker task why`: why each step is where it is. */
export async function taskWhy(uuid: string, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const { task, summary, steps } = await tasker.why(uuid);
    if (options.json) return printJson({ task: snakeKeys(task), summary, steps: steps.map(snakeKeys) });
    print(`${painted(task.status, `task ${task.namespace}/${task.name}@${task.version}`)} ${summary}`);
    print('');
    const folded = foldBatches(
      steps.map((step) => ({ ...step, name: step.step })),
      await parentsOf(tasker, task),
    );
    print(drawnTree(folded, { told: ({ why }) => why, toldOfBatch: reasonsOf }).join('\n'));
  });
}

/** Of a batch that is folded: how many are in which state, and why the first of those that are not done is. */
function reasonsOf(workers: readonly (StepExplanation & { name: string })[]): string {
  const counts = countsOf(workers).map(([state, count]) => {
    const first = workers.find((worker) => worker.state === state)!;
    return state === 'complete' ? `${count} complete` : `${count} ${state}, as ${first.name}, which ${first.why}`;
  });
  return counts.join('; ');
}
