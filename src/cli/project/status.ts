import { setTimeout as sleep } from 'node:timers/promises';
import { statusJson } from '../../app/json/overview.ts';
import type { AttentionCount, TaskerStatus } from '../../app/overview/status.ts';
import type { Tasker } from '../../app/tasker.ts';
import { messageOf } from '../../errors.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { LiveScreen } from '../show/live-screen.ts';
import { print, printJson } from '../show/output.ts';
import {
  bound,
  counted,
  countedBound,
  deadDeliveries as deadDeliveriesText,
  fields,
  painted,
  signOf,
  spanOf,
  table,
  wrapWords,
} from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

/** Options of `tasker status`. */
export interface StatusOptions extends GlobalOptions {
  watch?: boolean;
  /** Milliseconds between two refreshes. */
  interval?: number;
}

const INTERVAL_MS = 2_000;
/** Maximum number of namespaces to show, and the minimum, if many problems are above them. */
const NAMESPACES = 8;
const FEWEST_NAMESPACES = 3;
/** Number of lines that fit on a screen of 24 lines, without the header and the end of the table of namespaces. */
const LINES = 20;

/** `tasker status`: shows workers, queues, open tasks, problems and rates on one screen. */
export async function status(options: StatusOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    if (options.watch) return watchStatus(tasker, options);
    const now = await tasker.status();
    if (options.json) return printJson(statusJson(now));
    print(statusText(now).join('\n'));
  });
}

/** Shows the status periodically until Ctrl-C: in place on a terminal, otherwise one after the other. */
async function watchStatus(tasker: Tasker, { json, interval = INTERVAL_MS }: StatusOptions): Promise<void> {
  const stop = new AbortController();
  const release = thisRun().onStop(() => stop.abort(), { once: true });
  let lines: string[] = [];
  const live = thisRun().stdout.isTTY && !json;
  const screen = live ? new LiveScreen(thisRun().stdout, () => lines) : undefined;
  try {
    while (!stop.signal.aborted) {
      try {
        const now = await tasker.status();
        lines = statusText(now);
        if (json) print(JSON.stringify(statusJson(now)));
        else if (!live) print(`${lines.join('\n')}\n`);
      } catch (error) {
        if (!live) throw error;
        // The last status stays on the screen while the database is unreachable.
        lines = [...lines.filter((line) => !line.startsWith(OUTDATED)), `${OUTDATED}: ${messageOf(error)}`];
      }
      await sleep(interval, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  } finally {
    screen?.end();
    release();
  }
}

const OUTDATED = 'out of date';

/** Returns the lines of the screen, at most 22 of at most 80 columns. */
export function statusText(now: TaskerStatus): string[] {
  const { workers, perMinute, lagMs } = now;
  const lost = workers.lost === 0 ? '' : `, ${pc.red(`${lostOf(workers)} lost`)}`;
  const hung = workers.hungSlots === 0 ? '' : `, ${pc.red(`${workers.hungSlots} hung`)}`;
  const about = perMinute.estimated ? 'about ' : '';
  const failures = perMinute.failures === 0 ? '0 failures' : pc.red(`${rate(perMinute.failures)} failures`);
  const facts = fields([
    [
      'workers',
      `${workers.alive} alive${lost}, ${workers.slotsUsed} of ${counted(workers.slots, 'slot')} taken${hung}`,
    ],
    ['open tasks', openText(now)],
    ['waits', waitsText(now)],
    [
      'per minute',
      `${rate(perMinute.created)} tasks created, ${rate(perMinute.ended)} ended; ${about}${rate(perMinute.attempts)} attempts, ${failures}`,
    ],
    ['pruned', prunedText(now)],
  ]);
  const late = lagMs > 10_000 ? [pc.yellow(`tasks and rates are ${spanOf(lagMs)} old`)] : [];
  const above = [...facts.split('\n'), ...late, '', ...attentionLines(now), ''];
  return [...above, ...queueLines(now, Math.max(FEWEST_NAMESPACES, Math.min(NAMESPACES, LINES - above.length)))];
}

/** A prune that ended longer ago than this is not shown. */
const PRUNED_RECENTLY_MS = 48 * 3_600_000;

/** Returns, for example, `12,000 tasks, ended 3m ago`. Undefined if no prune is running or ended recently. */
function prunedText({ prune, at }: TaskerStatus): string | undefined {
  if (prune === null) return undefined;
  const { deleted, startedAt, endedAt, isRunning, byPolicy } = prune;
  const agoMs = Date.parse(at) - Date.parse(endedAt ?? startedAt);
  if (!isRunning && agoMs > PRUNED_RECENTLY_MS) return undefined;
  const tasks = `${deleted.toLocaleString('en')} ${deleted === 1 ? 'task' : 'tasks'} ${byPolicy ? 'by the policy' : 'by an operator'}`;
  if (isRunning) return `${tasks} so far; running for ${spanOf(agoMs)}`;
  return endedAt === null
    ? `${tasks}; ${pc.yellow(`its process died; it started ${spanOf(agoMs)} ago`)}`
    : `${tasks}, ended ${spanOf(agoMs)} ago`;
}

function rate(number: number): string {
  return number < 10 ? String(number) : String(Math.round(number));
}

const STATES = [
  ['steps_in_process', 'in process'],
  ['undoing', 'undoing'],
  ['waiting_for_retry', 'waiting for a retry'],
  ['waiting', 'waiting'],
  ['pending', 'pending'],
  ['blocked_by_failures', 'blocked'],
  ['waiting_for_dependencies', 'stuck'],
] as const;
function openText({ open, openAtLeast }: TaskerStatus): string {
  const parts = STATES.flatMap(([state, words]) => {
    const number = open[state] ?? 0;
    return number === 0
      ? []
      : [`${signOf(state)} ${painted(state, `${bound(number, openAtLeast.includes(state))} ${words}`)}`];
  });
  return parts.length === 0 ? 'none' : parts.join(', ');
}

function waitsText({ waits, at }: TaskerStatus): string | null {
  if (waits.length === 0) return null;
  const oldest = Math.max(...waits.map(({ oldestSince }) => Date.parse(at) - Date.parse(oldestSince)));
  const parts = [...waits]
    .sort((a, b) => b.count - a.count)
    .map(({ kind, count, countIsExact }) => `${bound(count, !countIsExact)} ${WAITS[kind][count === 1 ? 0 : 1]}`);
  // Wrapped, so that no line exceeds 80 columns.
  return wrapWords(`${parts.join(', ')}; oldest ${spanOf(oldest)}`, 66).join('\n');
}

const WAITS: Record<TaskerStatus['waits'][number]['kind'], readonly [one: string, several: string]> = {
  start: ['start', 'starts'],
  timer: ['timer', 'timers'],
  signal: ['signal', 'signals'],
  approval: ['approval', 'approvals'],
  task: ['child task', 'child tasks'],
  tasks: ['list of child tasks', 'lists of child tasks'],
  completion: ['completion', 'completions'],
  call: ['call again', 'calls again'],
};

function attentionLines({ attention, workers, pauses, unservedHandlers, at }: TaskerStatus): string[] {
  const { blocked, unserved, stale, deadLetters, deadDeliveries, lateTimers, lateSchedules } = attention;
  const { approvals, failingSchedules, noWorker, atLeast } = attention;
  const some = (name: AttentionCount, what: string) => countedBound(attention[name], what, atLeast.includes(name));
  const found: [number, string, string, string][] = [
    [noWorker ? 1 : 0, 'error', 'no worker is alive', 'npx tasker worker list'],
    [blocked, 'error', `${some('blocked', 'task')} blocked by failures`, 'npx tasker task summary'],
    [unserved, 'error', `${some('unserved', 'ready step')} without a worker`, 'npx tasker task summary'],
    [workers.hungSlots, 'error', hungText(workers), 'npx tasker worker list'],
    [
      workers.lost,
      'error',
      `${lostOf(workers)} ${workers.lost === 1 ? 'worker' : 'workers'} lost in the last hour`,
      LOST,
    ],
    [unservedHandlers.length, 'error', missingText(unservedHandlers, at), 'npx tasker queue'],
    [
      // If not all schedules were examined, it is not known that none fails.
      failingSchedules || Number(atLeast.includes('failingSchedules')),
      'error',
      some('failingSchedules', 'failing schedule'),
      'npx tasker schedule list',
    ],
    [approvals, 'waiting', approvalsText(attention), 'npx tasker approval list'],
    [lateTimers, 'waiting', `${some('lateTimers', 'wait')} overdue`, 'npx tasker doctor'],
    [lateSchedules, 'waiting', some('lateSchedules', 'late schedule'), 'npx tasker schedule list'],
    [pauses.length, 'waiting_for_retry', pausedText(pauses, atLeast.includes('pauses')), 'npx tasker pause list'],
    [deadLetters, 'error', some('deadLetters', 'dead letter'), 'npx tasker dlq list'],
    [stale, 'waiting_for_retry', some('stale', 'stale task'), 'npx tasker task list --stale'],
    [
      deadDeliveries,
      'waiting_for_retry',
      `${deadDeliveriesText(deadDeliveries, atLeast.includes('deadDeliveries'))} of events`,
      'npx tasker event dead',
    ],
  ];
  const rows = found
    .filter(([number]) => number > 0)
    .map(([, state, words, command]) => [`${signOf(state)} ${painted(state, words)}`, command]);
  if (rows.length === 0) return [`${signOf('complete')} nothing needs you`];
  return table(['needs you', 'look with'], rows).split('\n');
}

function lostOf({ lost, atLeast }: TaskerStatus['workers']): string {
  return bound(lost, atLeast.includes('lost'));
}

const LOST = 'npx tasker worker list -s lost';

/** Returns, for example, `2 slots held by hung handlers`. */
function hungText({ hungSlots }: TaskerStatus['workers']): string {
  return `${counted(hungSlots, 'slot')} held by ${hungSlots === 1 ? 'a hung handler' : 'hung handlers'}`;
}

function approvalsText({ approvals, atLeast }: TaskerStatus['attention']): string {
  const words = approvals === 1 ? 'approval waits' : 'approvals wait';
  return `${bound(approvals, atLeast.includes('approvals'))} ${words} for a decision`;
}

/** Returns, for example, `no worker has charge_card, for 3 min, and 2 more handlers`. */
function missingText([first, ...others]: TaskerStatus['unservedHandlers'], at: string): string {
  if (!first) return '';
  const since = first.since === null ? '' : `, for ${spanOf(Date.parse(at) - Date.parse(first.since))}`;
  return `no worker has ${first.handler}${since}${others.length > 0 ? `, and ${counted(others.length, 'more handler')}` : ''}`;
}

/** Returns, for example, `paused: template shop/fulfil and 2 more`. */
function pausedText([first, ...others]: TaskerStatus['pauses'], atLeast: boolean): string {
  if (!first) return '';
  return `paused: ${first.scope} ${first.target}${others.length > 0 ? ` and ${bound(others.length, atLeast)} more` : ''}`;
}

function queueLines({ queues, at }: TaskerStatus, most: number): string[] {
  if (queues.length === 0) return ['no steps in any queue, and no live workers'];
  const rows = queues
    .slice(0, most)
    .map((queue) => [
      queue.namespace,
      bound(queue.ready, queue.atLeast.includes('ready')),
      queue.oldestAt === null ? pc.dim('-') : spanOf(Date.parse(at) - Date.parse(queue.oldestAt)),
      String(queue.running),
      queue.workers === 0 ? pc.red('none') : String(queue.workers),
      queue.unserved === 0 ? pc.dim('-') : pc.red(bound(queue.unserved, queue.atLeast.includes('unserved'))),
    ]);
  const more = queues.length - rows.length;
  return [
    ...table(['namespace', 'ready', 'oldest', 'running', 'workers', 'unserved'], rows).split('\n'),
    ...(more > 0 ? [pc.dim(`and ${counted(more, 'more namespace')}; --json lists all`)] : []),
  ];
}
