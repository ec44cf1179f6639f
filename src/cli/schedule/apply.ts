import type { AppliedSchedule } from '../../app/operator-types.ts';
import { packageName } from '../../app/schedules/start-schedules.ts';
import { loadConfig } from '../../config/load-config.ts';
import { TaskerError } from '../../errors.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { EXIT } from '../exit-codes.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { scheduleFolders } from '../project/folders.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted, table } from '../show/text.ts';
import { here, thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

interface ApplyOptions extends GlobalOptions, OperatorFlags {
  source?: string;
  dryRun?: boolean;
}

/**
 * `tasker schedule apply`: makes the schedules of a package match its files. Exits 1 if a schedule could not be
 * applied.
 */
export async function scheduleApply(paths: string[], options: ApplyOptions): Promise<void> {
  const files = paths.length > 0 ? paths : scheduleFolders();
  if (files === undefined) {
    throw new TaskerError(
      'schedule_invalid',
      'the folder schedules does not exist; pass the files or folders to apply',
    );
  }
  const source = options.source ?? loadConfig(here()).config.scheduleSource ?? packageName(here().cwd);
  const { dryRun = false, json } = options;
  await withTasker(options, { mayMake: true }, async (tasker) => {
    const applied = await tasker.schedules.apply(files, { ...operatorFrom(options), source, dryRun, cwd: here().cwd });
    if (applied.some(isRefused)) thisRun().exitCode = EXIT.failed;
    if (json) return printJson({ source, dry_run: dryRun, schedules: applied });
    const changed = applied.filter(({ change }) => change !== 'unchanged');
    if (changed.length > 0) print(table(['schedule', 'change', 'reason'], changed.map(rowOf)));
    const count = applied.length - changed.length;
    const what = `${counted(changed.length, 'schedule')} of ${source} ${dryRun ? 'would change' : 'changed'}`;
    note(`${changed.length === 0 ? `no schedule of ${source} changes` : what}; ${count} unchanged`);
  });
}

function isRefused({ change }: AppliedSchedule): boolean {
  return change === 'foreign' || change === 'invalid';
}

function rowOf(applied: AppliedSchedule): string[] {
  const { name, change, reason } = applied;
  return [name, isRefused(applied) ? pc.red(change) : change, reason ?? ''];
}
