import { snakeKeys } from '../../app/json/views.ts';
import type { BackfilledDue } from '../../app/operator-types.ts';
import { EXIT } from '../exit-codes.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson, redrawLine } from '../show/output.ts';
import { counted, table } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

interface BackfillOptions extends GlobalOptions, OperatorFlags {
  from: Date;
  to: Date;
  dryRun?: boolean;
}

/** `tasker schedule backfill`: creates the tasks of past due times. Exits 1 if a task could not be created. */
export async function scheduleBackfill(name: string, options: BackfillOptions): Promise<void> {
  const { dryRun = false, json } = options;
  const range = { from: options.from, to: options.to };
  await withTasker(options, {}, async (tasker) => {
    const dues: BackfilledDue[] = [];
    for await (const portion of tasker.schedules.backfilling(name, { ...range, dryRun, ...operatorFrom(options) })) {
      dues.push(...portion);
      if (!json && !dryRun) redrawLine(`${counted(dues.length, 'due time')} …`);
    }
    if (!json && !dryRun) redrawLine('');
    if (dues.some(({ outcome }) => outcome === 'failed')) thisRun().exitCode = EXIT.failed;
    if (json) return printJson(dues.map(snakeKeys));
    if (dues.length === 0) return note(`schedule ${name} has no due time in this range`);
    const shown = dryRun ? dues : dues.filter(({ outcome }) => outcome !== 'exists');
    if (shown.length > 0) print(table(['due', 'outcome', 'task', 'reason'], shown.map(rowOf)));
    note(summary(dues, dryRun));
  });
}

function rowOf({ dueAt, outcome, taskUuid, reason }: BackfilledDue): string[] {
  return [`${dueAt.slice(0, 19)}Z`, outcome, taskUuid ?? '', reason ?? ''];
}

function summary(dues: readonly BackfilledDue[], dryRun: boolean): string {
  const count = (wanted: BackfilledDue['outcome']) => dues.filter(({ outcome }) => outcome === wanted).length;
  const exist = `${counted(count('exists'), 'task')} already ${count('exists') === 1 ? 'exists' : 'exist'}`;
  if (dryRun) return `${counted(count('planned'), 'task')} would be created; ${exist}`;
  const failed = count('failed') > 0 ? `; ${counted(count('failed'), 'task')} could not be created` : '';
  return `${counted(count('created'), 'task')} created; ${exist}${failed}`;
}
