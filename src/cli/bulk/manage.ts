import { bulkReportJson } from '../../app/json/acts.ts';
import { snakeKeys } from '../../app/json/views.ts';
import { EXIT } from '../exit-codes.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { fields, spanOf, table } from '../show/text.ts';
import { describeFilter } from '../task-filter.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';
import { type BulkReport, describeReport, runBulk } from './run.ts';

type Summary = Omit<BulkReport, 'paused' | 'skipped' | 'failed'>;

/** `tasker bulk list`: lists bulk actions, newest first. */
export async function bulkList({ limit, before, ...options }: GlobalOptions & { limit: number; before?: number }) {
  await withTasker(options, {}, async (tasker) => {
    const bulks = await tasker.bulk.list({ limit, ...(before !== undefined && { before }) });
    if (options.json) return printJson(bulks.map(snakeKeys));
    if (bulks.length === 0) return note('no bulk actions yet; `npx tasker task retry --help` shows how to start one');
    print(table(['bulk', 'action', 'state', 'done', 'skipped', 'failed', 'by', 'begun', 'on'], bulks.map(rowOf)));
    if (bulks.length === limit) note(`there may be more bulk actions: --before ${bulks.at(-1)!.id}`);
  });
}

function rowOf(bulk: Summary): string[] {
  return [
    String(bulk.id),
    bulk.action.replace('_', ' '),
    bulk.state,
    `${bulk.done}/${bulk.matched}`,
    String(bulk.skippedCount),
    String(bulk.failedCount),
    bulk.actor,
    `${spanOf(Date.now() - Date.parse(bulk.createdAt))} ago`,
    targetOf(bulk),
  ];
}

function targetOf({ filter }: Summary): string {
  return filter === null ? 'given ids' : describeFilter(filter);
}

/** `tasker bulk show`: shows a bulk action, and the items that were skipped or failed. */
export async function bulkShow(id: number, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const report = await tasker.bulk.show(id);
    if (options.json) return printJson(bulkReportJson(report));
    const resumable = report.state === 'stopped' || report.state === 'interrupted';
    print(
      fields([
        ['bulk', String(report.id)],
        ['action', report.action.replace('_', ' ')],
        ['on', targetOf(report)],
        ['state', resumable ? `${report.state}; \`npx tasker bulk resume ${id}\` continues` : report.state],
        ['by', report.actor],
        ['reason', report.reason],
        ['begun', report.startedAt],
        ['ended', report.endedAt],
      ]),
    );
    print(`\n${describeReport(report)}`);
  });
}

/** `tasker bulk stop`: stops a bulk action after the transaction in progress. */
export async function bulkStop(id: number, options: GlobalOptions & OperatorFlags): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const stopped = await tasker.bulk.stop(id, operatorFrom(options));
    if (options.json) printJson({ id, stopped });
    else note(stopped ? `stopped bulk ${id}; \`npx tasker bulk resume ${id}\` continues` : `bulk ${id} is not running`);
    if (!stopped) thisRun().exitCode = EXIT.failed;
  });
}

/** `tasker bulk resume`: continues a bulk action that was stopped, or whose process died. */
export async function bulkResume(id: number, options: GlobalOptions & OperatorFlags): Promise<void> {
  await runBulk(
    { ...options, yes: true },
    (tasker, signal) => tasker.bulk.resume(id, { ...operatorFrom(options), signal }),
    '',
  );
}
