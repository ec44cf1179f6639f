import { pageJson } from '../../app/json/overview.ts';
import { snakeKeys, type Task } from '../../app/json/views.ts';
import type { FoundTask, TaskFilter, TaskPage } from '../../app/operator-types.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { leftOut } from '../show/left-out.ts';
import { note, print, printJson } from '../show/output.ts';
import { nextPage, pageNotes } from '../show/page-notes.ts';
import { painted, shortened, signOf, spanOf, table, timeLeft } from '../show/text.ts';
import {
  describeFilter,
  filterArguments,
  type PageOptions,
  pageArguments,
  type TaskFilterOptions,
  taskFilterOf,
} from '../task-filter.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

interface TaskListOptions extends GlobalOptions, TaskFilterOptions, PageOptions {
  sort: 'created' | 'ended' | 'updated';
  before?: string;
}

/** A task, with its first error if that was looked up. */
type ListedTask = Task & Partial<Pick<FoundTask, 'firstError'>>;

/** On a terminal with fewer columns, the errors are shown below their tasks. */
const WIDE = 120;

/** `tasker task list`: finds tasks and shows one page. */
export async function taskList(options: TaskListOptions): Promise<void> {
  const { sort, order, limit, cursor, before, json } = options;
  const filter = taskFilterOf(options, { acts: false });
  await withTasker(options, {}, async (tasker) => {
    const page = await tasker.listTasks(filter, { sort, order, limit, cursor, before });
    if (json) return printJson({ tasks: page.tasks.map(taskJson), ...pageJson(page) });
    if (page.tasks.length > 0) print(taskTable(page.tasks, { now: Date.now(), width: thisRun().stdout.columns }));
    else note(whyNone(filter, page, { before, cursor }));
    for (const line of pageNotes(page, { found: page.tasks.length, what: 'task', filter: describeFilter(filter) })) {
      note(line);
    }
    const missing = leftOut(filter, 'task');
    if (missing !== undefined && cursor === undefined) note(missing);
    if (page.nextCursor !== null) {
      const words = ['task', 'list', ...filterArguments(filter, { acts: false }), ...pageArguments(options)];
      note(nextPage(page.nextCursor, words));
    }
  });
}

/** Returns a task that was found as JSON. */
function taskJson({ firstError, ...task }: FoundTask): Record<string, unknown> {
  return { ...snakeKeys(task), first_error: firstError && snakeKeys(firstError) };
}

/** Explains an empty list. Without filters, it means that no tasks exist. */
function whyNone(filter: TaskFilter, page: TaskPage, { before, cursor }: { before?: string; cursor?: string }): string {
  const filters = [describeFilter(filter), before === undefined ? '' : `after ${before}`].filter((text) => text !== '');
  if (page.timedOut) return `no task found yet: ${filters.join(', ')}`;
  if (cursor !== undefined) return 'no further tasks';
  if (filters.length === 0) return 'no tasks; create one with `npx tasker task create`';
  return `no task matches: ${filters.join(', ')}`;
}

/**
 * Returns tasks as a table, one per line. `width`: the width of the terminal. Undefined if the output is not a
 * terminal.
 */
export function taskTable(tasks: readonly ListedTask[], { now, width }: { now: number; width?: number }): string {
  const errors = tasks.map(errorOf);
  const header = ['  task', 'template', 'status', 'steps', 'created'];
  const rows = tasks.map((task) => [
    `${signOf(task.status)} ${task.taskUuid}`,
    `${task.namespace}/${task.name}@${task.version}`,
    statusOf(task, now),
    `${task.completedSteps}/${task.totalSteps}`,
    `${spanOf(now - Date.parse(task.createdAt))} ago`,
  ]);
  if (errors.every((error) => error === '')) return table(header, rows);
  if (width === undefined)
    return table(
      [...header, 'error'],
      rows.map((row, i) => [...row, errors[i]!]),
    );
  if (width >= WIDE) {
    return table(
      [...header, 'error'],
      rows.map((row, i) => [...row, errors[i]!]),
    )
      .split('\n')
      .map((line) => shortened(line, width))
      .join('\n');
  }
  const [head, ...lines] = table(header, rows).split('\n');
  const below = lines.flatMap((line, i) => (errors[i] ? [line, shortened(`    ${errors[i]}`, width)] : [line]));
  return [head, ...below].join('\n');
}

function statusOf({ status, paused, startsAt }: ListedTask, now: number): string {
  const ms = startsAt == null ? 0 : Date.parse(startsAt) - now;
  const starts = ms > 0 ? pc.dim(`, in ${timeLeft(ms)}`) : '';
  return `${painted(status)}${starts}${paused ? pc.yellow(', paused') : ''}`;
}

/** Returns the first error of a task in one line: `reserve card_declined: card 4711 declined`. */
function errorOf({ firstError }: ListedTask): string {
  if (!firstError) return '';
  const { step, errorType, message } = firstError;
  return `${step}: ${[errorType, message].filter((text) => text).join(': ')}`;
}
