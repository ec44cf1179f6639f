import { scheduleJson } from '../../app/json/acts.ts';
import { snakeKeys } from '../../app/json/views.ts';
import type { Schedule, ScheduleFiring } from '../../app/operator-types.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted, fields, painted, shortened, spanOf, table, timeLeft } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

interface ScheduleListOptions extends GlobalOptions {
  state?: Schedule['state'];
  source?: string;
  limit: number;
  after?: string;
}

/** `tasker schedule list`: lists schedules. */
export async function scheduleList({ state, source, limit, after, ...options }: ScheduleListOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const schedules = await tasker.schedules.list({ state, source }, { limit, after });
    if (options.json) return printJson(schedules.map(scheduleJson));
    if (schedules.length === 0) return note(whyNone({ state, source, after }));
    print(scheduleTable(schedules, { now: Date.now(), width: thisRun().stdout.columns }));
    note(counted(schedules.length, 'schedule'));
    if (schedules.length === limit) note(`more: tasker schedule list --after ${schedules.at(-1)!.name}`);
  });
}

function whyNone({ state, source, after }: Pick<ScheduleListOptions, 'state' | 'source' | 'after'>): string {
  if (after !== undefined) return 'no further schedules';
  if (state === undefined && source === undefined) {
    return 'no schedules yet; create one with `tasker schedule create`, or put files into schedules/';
  }
  return `no schedule matches: ${[state && `state ${state}`, source && `source ${source}`].filter(Boolean).join(', ')}`;
}

/** Returns schedules as a table. `width` is the width of the terminal; undefined if the output is not a terminal. */
export function scheduleTable(schedules: readonly Schedule[], { now, width }: { now: number; width?: number }): string {
  const rows = schedules.map((schedule) => [
    `${signOf(schedule)} ${schedule.name}`,
    nextText(schedule, now),
    lastText(schedule),
    schedule.template,
    schedule.words,
  ]);
  const text = table(['  name', 'next', 'last', 'template', 'when'], rows);
  if (width === undefined) return text;
  return text
    .split('\n')
    .map((line) => shortened(line, width))
    .join('\n');
}

function signOf({ state, last }: Schedule): string {
  if (state === 'paused') return pc.yellow('‖');
  if (state === 'over') return pc.dim('·');
  return last[0]?.outcome === 'failed' ? pc.red('✖') : pc.green('•');
}

function nextText({ state, nextFiringAt }: Schedule, now: number): string {
  if (state !== 'active' || nextFiringAt === null) return state;
  const left = Date.parse(nextFiringAt) - now;
  return left > 0 ? `in ${timeLeft(left)}` : pc.red(`${spanOf(-left)} late`);
}

function lastText({ last }: Schedule): string {
  return last.length === 0 ? pc.dim('—') : last.map(outcomeSign).join('');
}

/** One symbol for each recent outcome, newest first. */
function outcomeSign({ outcome, taskState }: ScheduleFiring): string {
  if (outcome === 'failed') return pc.red('✖');
  if (outcome === 'queued') return pc.yellow('…');
  if (outcome !== 'created') return pc.yellow('−');
  if (taskState === 'complete' || taskState === 'resolved_manually') return pc.green('✔');
  if (taskState === 'error' || taskState === 'blocked_by_failures') return pc.red('✖');
  return taskState === 'cancelled' || taskState === 'undone' || taskState === null ? pc.dim('·') : pc.cyan('▶');
}

/** `tasker schedule show`: shows a schedule with its next due times and the last outcomes. */
export async function scheduleShow(name: string, options: GlobalOptions & { limit: number }): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const schedule = await tasker.schedules.get(name);
    const firings = await tasker.schedules.firings(name, { limit: options.limit });
    if (options.json) return printJson({ ...scheduleJson(schedule), last: firings.map(snakeKeys) });
    print(scheduleText(schedule));
    print('');
    if (firings.length === 0) return note('no due time has passed yet');
    print(firingTable(firings, thisRun().stdout.columns));
  });
}

/** Returns a schedule as text. */
export function scheduleText(schedule: Schedule): string {
  const { timezone } = schedule;
  const { state, queued, context, tags, everyMs } = schedule;
  const [first, ...others] = schedule.next.map((time) => localText(time, timezone));
  const jitter = schedule.jitterMs > 0 ? `each due time is delayed by up to ${timeLeft(schedule.jitterMs)}` : null;
  return [
    fields([
      ['schedule', schedule.name],
      ['about', schedule.description],
      ['when', schedule.words],
      ['cron', schedule.cron === null || schedule.words.startsWith('cron ') ? null : schedule.cron],
      ['every', everyMs === null || schedule.start === null ? null : `counted from ${schedule.start}`],
      ['jitter', jitter],
      ['start', everyMs === null ? schedule.start : null],
      ['end', schedule.end],
      ['template', schedule.template],
      ['context', Object.keys(context).length > 0 ? JSON.stringify(context) : null],
      ['tags', tags.length > 0 ? tags.join(', ') : null],
      ['overlap', schedule.overlap],
      [
        'catch up',
        schedule.catchUpWindowMs === null
          ? schedule.catchUp
          : `${schedule.catchUp}, within ${timeLeft(schedule.catchUpWindowMs)}`,
      ],
      ['on failure', schedule.onFailure],
      ['source', schedule.source ?? 'created by hand'],
      ['state', stateText(schedule)],
      ['queued', queued && `${localText(queued, timezone)}, until the open task has ended`],
      [state === 'paused' ? 'if resumed' : 'next', first],
    ]),
    ...others.map((line) => `${' '.repeat(state === 'paused' ? 12 : 12)}${line}`),
  ].join('\n');
}

function stateText({ state, pausedAt, pausedBy, pauseReason }: Schedule): string {
  if (state === 'over') return 'ended: it has no further due time';
  if (state === 'active') return 'active';
  return `${pc.yellow('paused')} since ${pausedAt!.slice(0, 19)}Z by ${pausedBy}${pauseReason ? `: ${pauseReason}` : ''}`;
}

/** Returns a time in the zone of a schedule: `Mon 2026-03-30 09:00:00 +02:00`. */
export function localText(time: string, timezone: string): string {
  const parts: Record<string, string> = {};
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'longOffset',
  });
  for (const { type, value } of format.formatToParts(new Date(time))) parts[type] = value;
  const offset = parts.timeZoneName!.replace('GMT', '') || 'Z';
  return `${parts.weekday} ${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}:${parts.second} ${offset}`;
}

/** Returns outcomes of due times as a table. */
export function firingTable(firings: readonly ScheduleFiring[], width: number | undefined): string {
  const rows = firings.map((firing) => [
    `${outcomeSign(firing)} ${firing.dueAt.slice(0, 19)}Z`,
    firing.cause,
    firing.taskUuid ?? '',
    outcomeText(firing),
  ]);
  const [heading, ...lines] = table(['  due', 'cause', 'task', 'outcome'], rows).split('\n');
  const fit = (line: string) => (width === undefined ? line : shortened(line, width));
  const notes = firings.map(noteOf);
  return [heading!, ...lines.flatMap((line, at) => [line, ...notes[at]!])].map(fit).join('\n');
}

/** Returns the state of the task if there is one, and otherwise why there is none. */
function outcomeText({ outcome, taskUuid, taskState }: ScheduleFiring): string {
  if (outcome === 'failed') return pc.red('failed');
  if (taskUuid === null) return outcome;
  return taskState === null ? pc.dim('deleted') : painted(taskState);
}

/** Returns the lines below an outcome: the reason, which may be long, and up to which due time it applies. */
function noteOf({ until, reason }: ScheduleFiring): string[] {
  const range = until === null ? '' : `until ${until.slice(0, 19)}Z`;
  const text = [range, reason ?? ''].filter((part) => part !== '').join(': ');
  return text === '' ? [] : [`    ${text}`];
}
