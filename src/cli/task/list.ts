import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { painted, signOf, spanOf, table } from '../show/text.ts';
import { snakeKeys, type Task } from '../show/views.ts';
import { withTasker } from '../with-tasker.ts';

interface TaskListOptions extends GlobalOptions {
  namespace?: string;
  name?: string;
  status?: string;
  open?: boolean;
  stale?: boolean;
  limit: number;
  before?: string;
}

/** `tasker task list`: lists tasks, newest first. */
export async function taskList(options: TaskListOptions): Promise<void> {
  const { namespace, name, status, open, stale, limit, before, json } = options;
  await withTasker(options, {}, async (tasker) => {
    const tasks = await tasker.listTasks({
      limit,
      namespace,
      name,
      status,
      openOnly: open,
      stale,
      before,
    });
    if (json) return printJson(tasks.map(snakeKeys));
    if (tasks.length === 0) return note(whyNone(options));
    print(taskTable(tasks, Date.now()));
    if (tasks.length === limit) note(`there may be more: --before ${tasks.at(-1)!.taskUuid}`);
  });
}

/** Explains an empty list. Only without filters does it mean that there are no tasks. */
function whyNone({ namespace, name, status, open, stale, before }: TaskListOptions): string {
  const filters = [
    ...(status === undefined ? [] : [`status ${status}`]),
    ...(namespace === undefined ? [] : [`namespace ${namespace}`]),
    ...(name === undefined ? [] : [`name ${name}`]),
    ...(open ? ['open'] : []),
    ...(stale ? ['stale'] : []),
    ...(before === undefined ? [] : [`created before ${before}`]),
  ];
  if (filters.length === 0) return 'no tasks; create one with `npx tasker task create`';
  return `no task matches: ${filters.join(', ')}`;
}

/** Returns tasks as a table, one per line. */
export function taskTable(tasks: readonly Task[], now: number): string {
  const rows = tasks.map((task) => [
    `${signOf(task.status)} ${task.taskUuid}`,
    `${task.namespace}/${task.name}@${task.version}`,
    painted(task.status),
    `${task.completedSteps}/${task.totalSteps}`,
    `${spanOf(now - Date.parse(task.createdAt))} ago`,
  ]);
  return table(['  task', 'template', 'status', 'steps', 'created'], rows);
}
