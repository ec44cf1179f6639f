import pc from 'picocolors';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { parentsOf, stepTree } from '../show/step-tree.ts';
import { fields, painted, spanOf } from '../show/text.ts';
import { type Task, taskJson } from '../show/views.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker task get`: shows a task and its steps. */
export async function taskGet(uuid: string, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const [task, steps] = await Promise.all([tasker.getTask(uuid), tasker.getSteps(uuid)]);
    if (options.json) return printJson(taskJson({ task, steps }));
    print(describeTask(task));
    print('');
    print(stepTree(steps, await parentsOf(tasker, task), { now: Date.now() }).join('\n'));
  });
}

function describeTask(task: Task): string {
  const end = task.completedAt === null ? Date.now() : Date.parse(task.completedAt);
  const took = spanOf(end - Date.parse(task.createdAt));
  return fields([
    ['task', task.taskUuid],
    ['template', `${task.namespace}/${task.name}@${task.version}`],
    ['status', `${painted(task.status)} ${pc.dim(`${task.completedSteps} of ${task.totalSteps} steps done`)}`],
    ['created', `${task.createdAt}${task.initiator ? ` by ${task.initiator}` : ''}`],
    ['ended', task.completedAt === null ? null : `${task.completedAt}, after ${took}`],
    ['stale', staleness(task)],
    ['priority', task.priority === 0 ? null : String(task.priority)],
    ['reason', task.reason],
    ['tags', task.tags.length > 0 ? task.tags.join(', ') : null],
    ['context', JSON.stringify(task.context)],
  ]);
}

function staleness({ stale }: Task): string | null {
  return stale && `exceeds ${stale.rule} (${stale.minutes}), counted from ${stale.since}`;
}
