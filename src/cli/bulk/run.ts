import { bulkPreviewJson, bulkReportJson } from '../../app/json/acts.ts';
import type { Tasker } from '../../app/tasker.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { confirmed } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted, painted, table, upTo } from '../show/text.ts';
import { listenForStop } from '../stop-signal.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';
import { ProgressBar } from './progress-bar.ts';

type BulkAct = ReturnType<Tasker['bulk']['retry']>;
type BulkPreview = Awaited<ReturnType<BulkAct['preview']>>;
/** A bulk action with the items that were skipped or failed. */
export type BulkReport = Awaited<ReturnType<BulkAct['result']>>;

/** Options for the confirmation of a bulk command. */
export interface BulkRunOptions extends GlobalOptions {
  dryRun?: boolean;
  yes?: boolean;
}

const DONE: Record<string, string> = {
  cancel: 'cancelled',
  retry: 'retried',
  resolve: 'resolved',
  delete: 'deleted',
  redrive: 'redriven',
  undo: 'undone',
  reset: 'reset',
};
const LISTED = 10;
/** Paused tasks are counted up to this number. */
const MOST_PAUSED = 100_000;

/**
 * Selects items, asks for confirmation, acts with a progress bar, and prints the result. `what` describes the
 * selection.
 */
export async function runBulk(
  options: BulkRunOptions,
  start: (tasker: Tasker, signal: AbortSignal) => BulkAct,
  what: string,
): Promise<void> {
  const stop = listenForStop();
  try {
    await withTasker(options, {}, async (tasker) => {
      const act = start(tasker, stop.signal);
      if (options.dryRun) return await dryRun(act, options, what);
      if (!options.yes && !(await agreed(act, what))) return;
      await work(act, what, { ...options, stop: stop.signal });
    });
  } finally {
    stop.release();
  }
}

async function dryRun(act: BulkAct, { json }: BulkRunOptions, what: string): Promise<void> {
  const preview = await act.preview();
  await act.discard();
  if (!json) return print(describePreview(preview, what));
  printJson(bulkPreviewJson(preview));
}

/** Shows what would be done, and asks for confirmation. Discards the selection unless the user confirms. */
async function agreed(act: BulkAct, what: string): Promise<boolean> {
  const preview = await act.preview();
  try {
    if (preview.matched === 0) {
      note(describePreview(preview, what));
      return true;
    }
    if (thisRun().stdin.isTTY) note(`${describePreview(preview, what)}\n`);
    if (await confirmed(`${verbOf(preview.action)} ${sizeOf(preview)}?`)) return true;
    note('nothing done');
  } catch (error) {
    await act.discard();
    throw error;
  }
  await act.discard();
  return false;
}

function verbOf(action: string): string {
  return action.split('_')[1]!;
}

/** Returns, for example, `60 tasks with 61 failures`. */
function sizeOf({ action, matched, steps }: BulkPreview): string {
  const size = counted(matched, action.split('_')[0]!);
  return /task_re(try|drive)/.test(action) && steps !== matched && steps > 0
    ? `${size} (${counted(steps, 'step')})`
    : size;
}

function noneOf(action: string, what: string): string {
  return `no ${action.split('_')[0]} to ${verbOf(action)}${what === '' ? '' : `: ${what}`}`;
}

function describePreview(preview: BulkPreview, what: string): string {
  const { action, matched, skipped, notRetryable, paused, sample } = preview;
  const lines = [
    matched === 0
      ? noneOf(action, what)
      : `would ${verbOf(action)} ${sizeOf(preview)}${what === '' ? '' : `: ${what}`}`,
  ];
  if (skipped > 0) lines.push(`${counted(skipped, 'id')} skipped: ${action.split('_')[0]} not found`);
  if (matched > 0) lines.push('', sampleTable(sample));
  if (matched > sample.length) lines.push(pc.dim(`… and ${matched - sample.length} more`));
  if (notRetryable > 0 && startsSteps(action)) {
    lines.push(
      '',
      pc.yellow(
        `${counted(notRetryable, 'step')} must not run twice (retryable: false) and may have had an effect; check them first`,
      ),
    );
  }
  if (startsSteps(action)) lines.push(...pauseLines(paused));
  return lines.join('\n');
}

function startsSteps(action: string): boolean {
  return /retry|reset|redrive/.test(action);
}

/** Returns the remark that tasks are paused, if there are any. */
function pauseLines(paused: number): string[] {
  if (paused === 0) return [];
  const tasks = `${upTo(paused, MOST_PAUSED)} ${paused === 1 ? 'task is' : 'tasks are'} paused`;
  return [
    '',
    pc.yellow(
      `${tasks}: no step of ${paused === 1 ? 'it' : 'them'} starts until the pause ends; see \`npx tasker pause list\``,
    ),
  ];
}

function sampleTable(sample: BulkPreview['sample']): string {
  const rows = sample.flatMap(({ taskUuid, template, status, steps }) => {
    const head = [taskUuid, template, painted(status)];
    if (steps.length === 0) return [[...head, '', '', '']];
    return steps.map((step) => [
      ...head,
      `${step.name}${step.retryable ? '' : pc.yellow(' (not retryable)')}`,
      String(step.attempts),
      [step.errorType, step.error].filter((text) => text !== null).join(': '),
    ]);
  });
  return table(['task', 'template', 'status', 'step', 'attempts', 'error'], rows);
}

/** Runs the action and prints its result. After Ctrl-C, the action can be resumed. */
async function work(act: BulkAct, what: string, { json, stop }: BulkRunOptions & { stop: AbortSignal }): Promise<void> {
  const bar = new ProgressBar();
  try {
    for await (const progress of act) bar.show(progress);
  } catch (error) {
    bar.clear();
    if (!stop.aborted) throw error;
    const { id, done, matched } = bar.last!;
    note(`stopped after ${done} of ${matched}; \`npx tasker bulk resume ${id}\` continues`);
    thisRun().exitCode = EXIT.interrupted;
    return;
  }
  bar.clear();
  const report = await act.result();
  if (json) printJson(bulkReportJson(report));
  else print(describeReport(report, what));
  if (report.failedCount > 0) thisRun().exitCode = EXIT.failed;
}

/** Describes the outcomes of the items. `what` describes the selection, if it is known. */
export function describeReport(report: BulkReport, what = ''): string {
  const { id, action, matched, done, paused, skipped, failed, skippedCount, failedCount } = report;
  if (matched === 0 && skippedCount === 0) return noneOf(action, what);
  const lines = [`${DONE[verbOf(action)]} ${done} of ${counted(matched, action.split('_')[0]!)} (bulk ${id})`];
  if (startsSteps(action)) lines.push(...pauseLines(paused));
  for (const [word, items, count] of [
    ['skipped', skipped, skippedCount],
    ['failed', failed, failedCount],
  ] as const) {
    if (count === 0) continue;
    lines.push('', `${count} ${word}:`);
    const rows = items.slice(0, LISTED).map(({ taskUuid, step, why }) => [taskUuid, step ?? '', why.split('\n')[0]!]);
    lines.push(table(['task', 'step', 'why'], rows));
    if (count > LISTED) lines.push(pc.dim(`… and ${count - LISTED} more; \`npx tasker bulk show ${id} --json\``));
  }
  return lines.join('\n');
}
