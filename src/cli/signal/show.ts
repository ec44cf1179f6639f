import { signalJson, taskSignalJson } from '../../app/json/acts.ts';
import type { Signal, SignalListOptions, TaskSignal } from '../../app/operator-types.ts';
import { TaskerError } from '../../errors.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { quoted } from '../conditions.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { nextPage } from '../show/page-notes.ts';
import { counted, fields, shortened, spanOf, table } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';
import { stateText } from './send.ts';

interface ListOptions extends GlobalOptions, SignalListOptions {}

/** `tasker signal list`: lists the signals of a task. */
export async function signalList(task: string, options: ListOptions): Promise<void> {
  const { name, kept, limit, cursor, json } = options;
  await withTasker(options, {}, async (tasker) => {
    const { signals, nextCursor } = await tasker.listSignals(task, { name, kept, limit, cursor });
    if (json) return printJson({ signals: signals.map(taskSignalJson), next_cursor: nextCursor });
    if (signals.length === 0) return note(whyNone(task, options));
    print(signalTable(signals, { now: Date.now(), width: thisRun().stdout.columns }));
    note(counted(signals.length, 'signal'));
    if (nextCursor === null) return;
    const words = [...(name === undefined ? [] : ['--name', quoted(name)]), ...(kept ? ['--kept'] : [])];
    note(nextPage(nextCursor, ['signal', 'list', task, ...words, ...(limit === 50 ? [] : ['-l', String(limit)])]));
  });
}

function whyNone(task: string, { name, kept, cursor }: ListOptions): string {
  if (cursor !== undefined) return 'no further signals';
  if (kept) return `task ${task} has no unused ${name === undefined ? '' : `${name} `}signals`;
  return `task ${task} has received no signals${name === undefined ? '' : ` named ${name}`}`;
}

/** Returns signals as a table, each followed by its payload. `width` is the width of the terminal. */
export function signalTable(signals: readonly TaskSignal[], { now, width }: { now: number; width?: number }): string {
  const rows = signals.map(({ signalId, name, status, step, arrivedAt }) => [
    signalId,
    name,
    status === 'kept' ? pc.yellow('kept') : stateText(status, step),
    `${spanOf(now - Date.parse(arrivedAt))} ago`,
  ]);
  const [head, ...lines] = table(['signal', 'name', 'status', 'arrived'], rows).split('\n');
  const fit = (line: string) => (width === undefined ? line : shortened(line, width));
  const below = signals.map(({ by, idempotencyKey, payload }) => {
    const from = [by === null ? undefined : `by ${by}`, idempotencyKey === null ? undefined : `key ${idempotencyKey}`];
    const words = [...from.filter((word) => word !== undefined), JSON.stringify(payload)].join(', ');
    return `    ${pc.dim(shortened(words, (width ?? 200) - 4))}`;
  });
  return [fit(head!), ...lines.flatMap((line, i) => [fit(line), below[i]!])].join('\n');
}

/** `tasker signal show`: shows a signal and its outcome. */
export async function signalShow(id: string, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const signal = await tasker.getSignal(id);
    if (!signal) {
      throw new TaskerError(
        'not_found',
        `signal ${id} not found; \`tasker signal list TASK\` lists the signals of a task`,
      );
    }
    if (options.json) return printJson(signalJson(signal));
    print(signalText(signal, Date.now()));
  });
}

const STATES: Record<Signal['status'], string> = {
  received: 'received',
  pending: pc.yellow('pending: delivered after its sender commits'),
  refused: pc.red('refused'),
};

/** Returns the lines that show a signal. */
export function signalText(signal: Signal, now: number): string {
  const { signalId, name, status, by, idempotencyKey, sentAt, error, tasks, payload } = signal;
  const facts = fields([
    ['signal', signalId],
    ['name', name],
    ['status', STATES[status]],
    ['why', error?.message],
    ['by', by],
    ['key', idempotencyKey],
    ['sent', `${sentAt}, ${spanOf(now - Date.parse(sentAt))} ago`],
    ['payload', JSON.stringify(payload)],
  ]);
  if (tasks.length === 0) return facts;
  const rows = tasks.map((task) => [
    task.taskUuid,
    `${stateText(task.status, task.step)}${task.duplicate ? pc.dim(', as an earlier signal with this key') : ''}`,
  ]);
  return `${facts}\n\n${table(['task', 'status'], rows)}`;
}
