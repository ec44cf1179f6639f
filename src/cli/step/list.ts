import { pageJson } from '../../app/json/overview.ts';
import { snakeKeys } from '../../app/json/views.ts';
import type { FoundStep } from '../../app/operator-types.ts';
import { TaskerError } from '../../errors.ts';
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
import type { ElementOption } from './element.ts';
import { stepList } from './steps.ts';

type StepListOptions = GlobalOptions & TaskFilterOptions & PageOptions & ElementOption;

/** `tasker step list`: lists the steps of a task, or finds steps of all tasks. */
export async function stepListOrSearch(task: string | undefined, options: StepListOptions): Promise<void> {
  const filter = taskFilterOf(options, { acts: false });
  if (task === undefined) {
    if (options.element !== undefined) throw new TaskerError('bad_request', 'pass the id of a task with --element');
    return searchSteps(options);
  }
  if (Object.keys(filter).length > 0 || options.cursor !== undefined) {
    throw new TaskerError('bad_request', 'pass the id of a task, or conditions on steps of all tasks, but not both');
  }
  return stepList(task, options);
}

async function searchSteps(options: StepListOptions): Promise<void> {
  const { order, limit, cursor, json } = options;
  const filter = taskFilterOf(options, { acts: false });
  await withTasker(options, {}, async (tasker) => {
    const page = await tasker.listSteps(filter, { order, limit, cursor });
    if (json) return printJson({ steps: page.steps.map(snakeKeys), ...pageJson(page) });
    const described = describeFilter(filter);
    if (page.steps.length > 0) print(stepTable(page.steps, { now: Date.now(), width: thisRun().stdout.columns }));
    else if (page.timedOut) note(`no step found yet: ${described}`);
    else if (cursor !== undefined) note('no further steps');
    else note(described === '' ? 'no step is ready, running, waiting or failed' : `no step matches: ${described}`);
    for (const line of pageNotes(page, { found: page.steps.length, what: 'step', filter: described })) note(line);
    const missing = leftOut(filter, 'step');
    if (missing !== undefined && cursor === undefined) note(missing);
    if (page.nextCursor !== null) {
      const words = ['step', 'list', ...filterArguments(filter, { acts: false }), ...pageArguments(options)];
      note(nextPage(page.nextCursor, words));
    }
  });
}

function stepTable(steps: readonly FoundStep[], { now, width }: { now: number; width: number | undefined }): string {
  const rows = steps.map((step) => [
    `${signOf(step.currentState)} ${step.taskUuid}`,
    step.name,
    painted(step.currentState),
    sinceOf(step, now),
    step.callable,
    String(step.attempts),
    step.worker ?? '',
    [step.errorType, step.error].filter((text) => text).join(': '),
  ]);
  const header = ['  task', 'step', 'state', 'since', 'handler', 'attempts', 'worker', 'error'];
  // A column without values is omitted, because it would only take up width.
  const kept = header.map((_, i) => rows.some((row) => row[i] !== ''));
  const text = table(
    header.filter((_, i) => kept[i]),
    rows.map((row) => row.filter((_, i) => kept[i])),
  );
  if (width === undefined) return text;
  return text
    .split('\n')
    .map((line) => shortened(line, width))
    .join('\n');
}

function sinceOf({ currentState, since }: FoundStep, now: number): string {
  const ms = now - Date.parse(since);
  if (currentState !== 'waiting_for_retry') return `${spanOf(ms)} ago`;
  return ms < 0 ? `due in ${timeLeft(-ms)}` : `due ${spanOf(ms)} ago`;
}
