import pc from 'picocolors';
import type { GlobalOptions } from './options.ts';
import { print, printJson } from './output.ts';
import { painted, signOf } from './paint.ts';
import { parentsOf, treeOf } from './step-tree.ts';
import { widthOf } from './table.ts';
import { snakeKeys } from './views.ts';
import { withTasker } from './with-tasker.ts';

/** `tasker task why`: why each step is where it is. */
export async function taskWhy(uuid: string, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const { task, summary, steps } = await tasker.why(uuid);
    if (options.json) return printJson({ task: snakeKeys(task), summary, steps: steps.map(snakeKeys) });
    print(`${painted(task.status, `task ${task.namespace}/${task.name}@${task.version}`)} ${summary}`);
    print('');
    const byName = new Map(steps.map((step) => [step.step, step]));
    const lines = treeOf([...byName.keys()], await parentsOf(tasker, task));
    const width = Math.max(0, ...lines.map(({ branches, name }) => widthOf(branches) + widthOf(name)));
    for (const { name, branches } of lines) {
      const { state, why } = byName.get(name)!;
      const gap = ' '.repeat(width - widthOf(branches) - widthOf(name));
      print(`${pc.dim(branches)}${signOf(state)} ${name}${gap}  ${why}`);
    }
  });
}
