import { type Queue, queueJson } from '../../app/json/overview.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import {
  bound,
  counted,
  countedBound,
  deadDeliveries as deadDeliveriesText,
  spanOf,
  table,
  timeLeft,
} from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

/** Terminals with at least this many columns, and pipes, show all columns. */
const WIDE = 100;

/** `tasker queue`: shows the queue of every namespace, or of one namespace. */
export async function queue(namespace: string | undefined, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const queues = await tasker.queues({ namespace });
    if (options.json) return printJson(queues.map(queueJson));
    if (queues.length === 0) return note('no namespaces; registering a template creates its namespace');
    print(queueTable(queues, { wide: (thisRun().stdout.columns ?? WIDE) >= WIDE }));
    for (const line of flowNotes(queues)) note(line);
    const unserved = unservedTable(queues);
    if (unserved !== undefined) print(`\n${pc.red('ready steps that no live worker can run')}\n${unserved}`);
    const needs = needsTable(queues);
    if (needs !== undefined) print(`\n${needs}`);
  });
}

/** Returns queues as a table, one per line. */
export function queueTable(queues: readonly Queue[], { wide }: { wide: boolean }): string {
  const anyPaused = queues.some(({ paused }) => paused > 0);
  const rows = queues.map((queue) => [
    queue.namespace,
    bound(queue.ready, queue.atLeast.includes('ready')),
    [growthOf(queue), perMinute(queue.inPerMinute)].filter((text) => text !== '').join(' '),
    perMinute(queue.outPerMinute),
    ...(anyPaused ? [pausedOf(queue)] : []),
    queue.oldestReadyMs === null ? '' : spanOf(queue.oldestReadyMs),
    ...(wide ? [queue.highestPriority === null ? '' : String(queue.highestPriority)] : []),
    thousands(queue.running),
    slotsOf(queue),
    bound(queue.retries, queue.atLeast.includes('retries')),
    ...(wide ? [nextOf(queue)] : []),
    workersOf(queue),
  ]);
  const paused = anyPaused ? ['paused'] : [];
  const [priority, next] = wide ? [['priority'], ['next']] : [[], []];
  const flow = ['in/min', 'out/min'];
  return table(
    [
      'namespace',
      'ready',
      ...flow,
      ...paused,
      'oldest',
      ...priority,
      'running',
      'slots',
      'retries',
      ...next,
      'workers',
    ],
    rows,
  );
}

function nextOf({ nextRetryMs }: Queue): string {
  if (nextRetryMs === null) return '';
  return nextRetryMs <= 0 ? 'due' : `in ${timeLeft(nextRetryMs)}`;
}

/** A sign for the change of a queue over the last minutes. */
function growthOf({ isGrowing, inPerMinute, outPerMinute }: Queue): string {
  if (isGrowing) return pc.red('↑');
  return inPerMinute !== null && outPerMinute !== null && inPerMinute < outPerMinute ? pc.green('↓') : '';
}

function perMinute(steps: number | null): string {
  if (steps === null) return pc.dim('-');
  return steps < 10 ? String(steps) : thousands(Math.round(steps));
}

/** Explains the flow of the queues below their table. */
export function flowNotes(queues: readonly Queue[]): string[] {
  const since = queues.find(({ flowSince }) => flowSince !== null)?.flowSince ?? null;
  if (since === null) return ['in and out are not known: no running process counts attempts (analytics.enabled)'];
  const minutes = Math.max(1, Math.round((Date.now() - Date.parse(since)) / 60_000));
  const growing = queues.filter(({ isGrowing }) => isGrowing).map(({ namespace }) => namespace);
  const named = `${growing.slice(0, 5).join(', ')}${growing.length > 5 ? ` and ${growing.length - 5} more` : ''}`;
  const grows = growing.length === 0 ? '' : `; ${named} ${growing.length === 1 ? 'grows' : 'grow'}`;
  return [`in and out over the last ${counted(minutes, 'minute')}${grows}`];
}

function pausedOf({ paused, atLeast }: Queue): string {
  if (paused === 0) return '';
  return pc.yellow(bound(paused, atLeast.includes('paused')));
}

/** Returns, for example, `2/20`: taken slots of the workers that take steps. */
function slotsOf({ slots, slotsTaken, hungSlots }: Queue): string {
  if (slots === 0) return pc.dim('-');
  const taken = `${thousands(slotsTaken)}/${thousands(slots)}`;
  return hungSlots === 0 ? taken : pc.red(`${taken}, ${thousands(hungSlots)} hung`);
}

function workersOf({ workers, draining, lost }: Queue): string {
  const others = [
    ...(draining.length === 0 ? [] : [`${draining.length} draining`]),
    ...(lost.length === 0 ? [] : [pc.red(`${lost.length} lost`)]),
  ];
  const count = workers.length === 0 ? pc.red('none') : String(workers.length);
  return others.length === 0 ? count : `${count} (${others.join(', ')})`;
}

/** Returns the problems of queues that a person must solve, with the command that shows each. */
export function needsTable(queues: readonly Queue[]): string | undefined {
  const rows = queues.flatMap((queue) => {
    const { namespace, hungSlots, lost } = queue;
    const found: readonly (readonly [words: string | null, command: string])[] = [
      [
        hungSlots === 0
          ? null
          : `${counted(hungSlots, 'slot')} held by ${hungSlots === 1 ? 'a hung handler' : 'hung handlers'}`,
        `worker list -n ${namespace}`,
      ],
      [
        lost.length === 0 ? null : `${counted(lost.length, 'worker')} lost in the last hour`,
        `worker list -n ${namespace} --state lost`,
      ],
      [problemOf(queue, 'failingSchedules', 'failing schedule'), 'schedule list'],
      [problemOf(queue, 'approvals', 'approval', ' to decide'), `approval list -n ${namespace}`],
      [problemOf(queue, 'lateTimers', 'wait', ' overdue'), 'doctor'],
      [problemOf(queue, 'lateSchedules', 'late schedule'), 'schedule list'],
      [problemOf(queue, 'stale', 'stale task'), `task list -n ${namespace} --stale`],
      [deadDeliveriesOf(queue), 'event dead'],
    ];
    return found.flatMap(([words, command]) => (words === null ? [] : [[namespace, words, `npx tasker ${command}`]]));
  });
  return rows.length === 0 ? undefined : table(['namespace', 'needs you', 'look with'], rows);
}

type Problem = 'failingSchedules' | 'approvals' | 'lateTimers' | 'lateSchedules' | 'stale';

/** Describes the problems of one kind. Null if there are none for sure. */
function problemOf(queue: Queue, kind: Problem, what: string, rest = ''): string | null {
  const atLeast = queue.atLeast.includes(kind);
  return queue[kind] === 0 && !atLeast ? null : `${countedBound(queue[kind], what, atLeast)}${rest}`;
}

function deadDeliveriesOf({ deadDeliveries, atLeast }: Queue): string | null {
  const isBound = atLeast.includes('deadDeliveries');
  return deadDeliveries === 0 && !isBound ? null : `${deadDeliveriesText(deadDeliveries, isBound)} of events`;
}

const WHY: Record<Queue['unserved'][number]['reason'], string> = {
  no_worker: 'no live worker serves the namespace',
  no_handler: 'no live worker has the handler',
  draining: 'its workers are draining',
};

/** Returns the ready steps that no live worker can run, by handler. Undefined if there are none. */
export function unservedTable(queues: readonly Queue[]): string | undefined {
  const rows = queues.flatMap(({ namespace, unserved }) =>
    unserved.map(({ handler, steps, templates, reason, since }) => [
      namespace,
      handler,
      thousands(steps),
      templates.length > 2
        ? `${templates.slice(0, 2).join(' ')} and ${templates.length - 2} more`
        : templates.join(' '),
      reason === 'no_handler' && since !== null ? `${WHY[reason]}, since ${since.slice(0, 19)}Z` : WHY[reason],
    ]),
  );
  return rows.length === 0 ? undefined : table(['namespace', 'handler', 'steps', 'templates', 'why'], rows);
}

function thousands(count: number): string {
  return count.toLocaleString('en-US');
}
