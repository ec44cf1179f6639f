import { summaryJson } from '../../app/json/overview.ts';
import type { TaskFilter } from '../../app/operator-types.ts';
import type { FailureGroup, StateCounts, TaskSummary, UnservedGroup } from '../../app/overview/task-summary.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { oneLine } from '../../logging/terminal/shown-text.ts';
import type { GlobalOptions } from '../options.ts';
import { commandOf } from '../show/command-of.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted, painted, signOf, spanOf, table, timeLeft } from '../show/text.ts';
import { describeFilter, type TaskFilterOptions, taskFilterOf } from '../task-filter.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

/** Options of `tasker task summary`. */
export interface TaskSummaryOptions extends GlobalOptions, TaskFilterOptions {
  /** Maximum number of groups and templates. Default: 10, with `--json` 100. */
  limit?: number;
}

/** Period in which ended tasks are counted if there is no condition on a time. */
const RECENT = '24h';
const TIMES = [
  'createdAfter',
  'createdBefore',
  'endedAfter',
  'endedBefore',
  'updatedAfter',
  'updatedBefore',
  'key',
  'correlationId',
  'parentCorrelationId',
  'parentTask',
  'rootTask',
] as const;

/** `tasker task summary`: counts tasks by template and state, and groups the causes that block or delay them. */
export async function taskSummary(options: TaskSummaryOptions): Promise<void> {
  const filter = taskFilterOf(options, { acts: false });
  const recent = TIMES.every((key) => filter[key] === undefined);
  const groups = options.limit ?? (options.json ? 100 : 10);
  await withTasker(options, {}, async (tasker) => {
    const summary = await tasker.summarizeTasks(filter, { groups, ...(recent && { endedSince: RECENT }) });
    if (options.json) return printJson(withCommands(summaryJson(summary, filter), summary));
    const text = summaryText(summary, { filter, limit: groups, now: Date.now() });
    if (text === '') return note(whyNone(filter));
    print(text);
  });
}

function whyNone(filter: TaskFilter): string {
  const given = describeFilter(filter);
  if (given !== '') return `no task matches: ${given}`;
  return `no open tasks, and none that ended in the last ${RECENT}; --ended-after 30d counts older ones`;
}

/** Options for writing a summary. */
interface SummaryView {
  filter: TaskFilter;
  /** Maximum number of templates. */
  limit: number;
  /** Milliseconds since 1970. */
  now: number;
}

/** Returns a summary as text. Empty if there are no tasks. */
export function summaryText(summary: TaskSummary, { filter, limit, now }: SummaryView): string {
  const { templates, failed, waitingForRetry, unserved } = summary;
  const blocks = [
    ...(templates.length > 0 ? [countsTable(summary, limit)] : []),
    failureBlock(failed, { state: 'error', what: 'failed step', now }),
    unservedBlock(unserved, now),
    failureBlock(waitingForRetry, { state: 'waiting_for_retry', what: 'step', now }),
  ].filter((block) => block !== '');
  if (blocks.length === 0) return '';
  const hint =
    failed.steps + waitingForRetry.steps > 0
      ? [pc.dim('to retry a group, pass its options to `tasker task retry`')]
      : [];
  return [heading(summary, filter, now), ...blocks, ...hint].join('\n\n');
}

function heading(summary: TaskSummary, filter: TaskFilter, now: number): string {
  const { openSince, endedSince, lagMs, states } = summary;
  const given = describeFilter(filter);
  const open = openSince === null ? 'open tasks' : `open tasks of the last ${sinceOf(openSince, now)}`;
  const ended = endedSince === null ? 'all ended tasks' : `tasks that ended in the last ${sinceOf(endedSince, now)}`;
  const which = filter.open ? open : filter.ended ? ended : `${open}, and ${ended}`;
  const total = Object.values(states).reduce((all, number) => all + number, 0);
  return [
    `${pc.bold(counted(total, 'task'))}: ${which}${given === '' ? '' : `; ${given}`}`,
    ...(openSince === null ? [] : [pc.yellow('older open tasks take too long to count; narrow the filter')]),
    ...(lagMs > 10_000 ? [pc.yellow(`changes of the last ${timeLeft(lagMs)} may be missing`)] : []),
  ].join('\n');
}

/** Returns the span since a time. Spans of up to two days are in hours. */
function sinceOf(time: string, now: number): string {
  const hours = Math.round((now - Date.parse(time)) / 3_600_000);
  return hours >= 1 && hours <= 48 ? `${hours} h` : spanOf(now - Date.parse(time));
}

/** The columns of the table, each for one or several states. */
const COLUMNS: readonly [title: string, ...states: (keyof StateCounts)[]][] = [
  ['blocked', 'blocked_by_failures'],
  ['retrying', 'waiting_for_retry'],
  ['waiting', 'waiting'],
  ['in process', 'steps_in_process', 'waiting_for_dependencies'],
  ['pending', 'pending'],
  ['complete', 'complete'],
  ['error', 'error'],
  ['cancelled', 'cancelled'],
  ['resolved', 'resolved_manually'],
  ['undoing', 'undoing'],
  ['undone', 'undone'],
];

function countsTable({ templates, states }: TaskSummary, limit: number): string {
  const shown = COLUMNS.filter(([, ...of]) => sum(states, of) > 0);
  const line = (name: string, counts: StateCounts) => [
    name,
    ...shown.map(([, ...of]) => {
      const number = sum(counts, of);
      return number === 0 ? pc.dim('-') : painted(of[0]!, String(number));
    }),
  ];
  const rows = templates.slice(0, limit).map((row) => line(`${row.namespace}/${row.name}@${row.version}`, row.counts));
  if (templates.length > limit) rows.push([pc.dim(`and ${counted(templates.length - limit, 'more template')}`)]);
  if (templates.length > 1) rows.push(line('total', states));
  return table(['template', ...shown.map(([title]) => title)], rows);
}

function sum(counts: StateCounts, states: readonly (keyof StateCounts)[]): number {
  return states.reduce((total, state) => total + (counts[state] ?? 0), 0);
}

interface Failures {
  state: 'error' | 'waiting_for_retry';
  what: string;
  now: number;
}

function failureBlock(found: TaskSummary['failed'], { state, what, now }: Failures): string {
  const retrying = state === 'waiting_for_retry';
  if (found.timedOut)
    return pc.yellow(`grouping ${retrying ? 'retries' : 'failures'} took too long; narrow the filter`);
  if (found.steps === 0) return '';
  const all = found.groups.length + found.moreGroups;
  const title = `${counted(found.steps, what)}${retrying ? (found.steps === 1 ? ' waits for a retry' : ' wait for a retry') : ''}`;
  const causes = all === 1 ? '' : `, ${all} causes`;
  return [
    `${signOf(state)} ${painted(state, title)}${causes}`,
    ...found.groups.flatMap((group) => failureLines(group, { retrying, now })),
    ...(found.moreGroups > 0
      ? [pc.dim(`  and ${counted(found.moreGroups, 'more cause')}; --limit ${all} lists all`)]
      : []),
  ].join('\n');
}

function failureLines(group: FailureGroup, { retrying, now }: { retrying: boolean; now: number }): string[] {
  const { namespace, name, version, step, count, errorType, pattern, firstAt, lastAt, taskUuid, filter } = group;
  const span = (time: string) => (retrying ? timeLeft : spanOf)(Math.abs(now - Date.parse(time)));
  const [first, last] = [span(firstAt), span(lastAt)];
  const range = first === last ? first : `${first} to ${last}`;
  const message = cut(`${errorType === null ? '' : `${errorType}: `}${pattern ?? 'no message'}`);
  return [
    `  ${pc.bold(String(count))} × ${pc.bold(step)} of ${namespace}/${name}@${version}`,
    `      ${pc.red(message)}`,
    `      ${retrying ? `due in ${range}` : `${range} ago`}, such as ${taskUuid}`,
    ...commandLines(commandOf('task list', filter, { acts: false })),
  ];
}

const INDENT = 6;

/** Returns the width of the terminal. Without a terminal, lines have no limit. */
function widthOfTerminal(): number {
  return thisRun().stdout.isTTY ? Math.max(40, thisRun().stdout.columns ?? 80) : Number.POSITIVE_INFINITY;
}

function cut(text: string): string {
  const message = oneLine(text);
  const room = widthOfTerminal() - INDENT - 1;
  return message.length <= room ? message : `${message.slice(0, room - 1)}…`;
}

/** Breaks a command before an option, so that a shell still reads it as one command. */
function commandLines(command: string): string[] {
  const room = widthOfTerminal() - INDENT - 3;
  const lines: string[] = [];
  for (const part of command.split(/ (?=--?[a-z])/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + part.length < room) lines[lines.length - 1] = `${last} ${part}`;
    else lines.push(last === undefined ? part : `  ${part}`);
  }
  return lines.map((line, i) => pc.cyan(`${' '.repeat(INDENT)}${line}${i < lines.length - 1 ? ' \\' : ''}`));
}

function unservedBlock(found: TaskSummary['unserved'], now: number): string {
  if (found.steps === 0) return '';
  return [
    `${signOf('enqueued')} ${painted('enqueued', `${counted(found.steps, 'ready step')} that no live worker can run`)}`,
    ...found.groups.flatMap((group) => unservedLines(group, now)),
    ...(found.moreGroups > 0 ? [pc.dim(`  and ${counted(found.moreGroups, 'more group')}`)] : []),
  ].join('\n');
}

function unservedLines({ namespace, reason, handlers, count, firstAt, filter }: UnservedGroup, now: number): string[] {
  const age = firstAt === null ? '' : `, oldest ${spanOf(now - Date.parse(firstAt))}`;
  const why =
    reason === 'no_worker'
      ? `no live worker serves namespace ${pc.bold(namespace)}`
      : `no live worker of namespace ${pc.bold(namespace)} has the handler`;
  return [
    `  ${pc.bold(String(count))} × ${why}`,
    `      ${handlers.length === 1 ? 'handler' : 'handlers'} ${listed(handlers)}${age}`,
    ...commandLines(commandOf('task list', filter, { acts: false })),
  ];
}

function listed(names: readonly string[]): string {
  return names.length <= 4 ? names.join(', ') : `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`;
}

/** Returns a summary with the commands that show and retry the tasks of each group. */
function withCommands(summary: ReturnType<typeof summaryJson>, { failed, waitingForRetry, unserved }: TaskSummary) {
  const commands = (groups: readonly { filter: TaskFilter }[], act?: string) =>
    groups.map(({ filter }) => ({
      show: commandOf('task list', filter, { acts: false }),
      ...(act !== undefined && { retry: commandOf(act, filter, { acts: true }) }),
    }));
  const joined = <Group extends object>(found: { groups: Group[] }, added: readonly object[]) => ({
    ...found,
    groups: found.groups.map((group, at) => ({ ...group, ...added[at] })),
  });
  return {
    ...summary,
    failed: joined(summary.failed, commands(failed.groups, 'task retry')),
    waiting_for_retry: joined(summary.waiting_for_retry, commands(waitingForRetry.groups, 'task retry')),
    unserved: joined(summary.unserved, commands(unserved.groups)),
  };
}
