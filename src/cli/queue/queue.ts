import pc from 'picocolors';
import { type Queue, queueJson } from '../../app/json/overview.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { spanOf, table } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

/** The paused steps of a namespace are counted up to this number. */
const MOST_PAUSED = 100_000;

/** `tasker queue`: shows the queue of every namespace, or of one namespace. */
export async function queue(namespace: string | undefined, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const queues = await tasker.queues({ namespace });
    if (options.json) return printJson(queues.map(queueJson));
    if (queues.length === 0) return note('no namespaces; registering a template creates its namespace');
    print(queueTable(queues));
    const unserved = unservedTable(queues);
    if (unserved !== undefined) print(`\n${pc.red('ready steps that no live worker can run')}\n${unserved}`);
  });
}

/** Returns queues as a table, one per line. */
export function queueTable(queues: readonly Queue[]): string {
  const anyPaused = queues.some(({ paused }) => paused > 0);
  const rows = queues.map((queue) => [
    queue.namespace,
    `${thousands(queue.ready)}${queue.readyIsExact ? '' : '+'}`,
    ...(anyPaused ? [pausedOf(queue)] : []),
    queue.oldestReadyMs === null ? '' : spanOf(queue.oldestReadyMs),
    queue.highestPriority === null ? '' : String(queue.highestPriority),
    queue.slots === 0 ? thousands(queue.running) : `${thousands(queue.running)}/${thousands(queue.slots)}`,
    thousands(queue.retries),
    queue.nextRetryMs === null ? '' : queue.nextRetryMs <= 0 ? 'due' : `in ${spanOf(queue.nextRetryMs)}`,
    workersOf(queue),
  ]);
  const paused = anyPaused ? ['paused'] : [];
  return table(['namespace', 'ready', ...paused, 'oldest', 'priority', 'running', 'retries', 'next', 'workers'], rows);
}

function pausedOf({ paused }: Queue): string {
  if (paused === 0) return '';
  return pc.yellow(`${thousands(paused)}${paused >= MOST_PAUSED ? '+' : ''}`);
}

function workersOf({ workers, draining }: Queue): string {
  const count = workers.length === 0 ? pc.red('none') : String(workers.length);
  return draining.length === 0 ? count : `${count} (${draining.length} draining)`;
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
