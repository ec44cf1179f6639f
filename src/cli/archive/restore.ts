import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { EXIT } from '../exit-codes.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson, redrawLine } from '../show/output.ts';
import { counted, table } from '../show/text.ts';
import { listenForStop } from '../stop-signal.ts';
import { inFolder, thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';
import { archiveFiles } from './files.ts';

type Report = Awaited<ReturnType<ReturnType<Tasker['restoreArchive']>['result']>>;

interface ArchiveRestoreOptions extends GlobalOptions, OperatorFlags {
  task?: string[];
}

/** `tasker archive restore`: restores the tasks of archive files. Exits 1 if a file is damaged, or a task cannot be restored. */
export async function archiveRestore(given: string[], options: ArchiveRestoreOptions): Promise<void> {
  // Newest first, so that a task that was archived again after a restore gets its latest state.
  const files = (await archiveFiles(given)).reverse();
  const stop = listenForStop();
  try {
    await withTasker(options, {}, async (tasker) => {
      const reports: { file: string; report: Report }[] = [];
      for (const file of files) {
        const act = tasker.restoreArchive(inFolder(file), {
          ...operatorFrom(options),
          tasks: options.task,
          signal: stop.signal,
        });
        for await (const { read, restored } of act) redrawLine(`${file}: ${read} read, ${restored} restored`);
        redrawLine('');
        reports.push({ file, report: await act.result() });
      }
      const found = options.task === undefined ? reports : reports.filter(({ report }) => report.read > 0);
      if (options.json) printJson(reports.map(({ file, report }) => ({ file, ...jsonOf(report) })));
      else if (found.length > 0) print(found.map(({ file, report }) => describe(file, report)).join('\n'));
      else note(`task not found in ${counted(files.length, 'file')}`);
      const bad = reports.some(({ report: { failed, damage } }) => failed > 0 || damage !== null);
      if (bad || found.length === 0) thisRun().exitCode = EXIT.failed;
    });
  } finally {
    stop.release();
  }
}

function jsonOf({ damage, failures, ...report }: Report): Record<string, unknown> {
  return { ...snakeKeys(report), failures: failures.map(snakeKeys), damage };
}

function describe(file: string, report: Report): string {
  const { read, restored, existing, withoutIdentity, failures, failed, damage } = report;
  const lines = [
    `restored ${restored} of ${counted(read, 'task')} of ${file}${existing > 0 ? `; ${existing} already existed` : ''}`,
  ];
  if (damage !== null) lines.push(pc.yellow(`${damage.kind}: ${damage.why}; the tasks before that are intact`));
  if (withoutIdentity.length > 0) {
    lines.push(pc.yellow(`another task now has the identity of ${withoutIdentity.join(', ')}`));
  }
  if (failed > 0) {
    lines.push(
      `${failed} not restored:`,
      table(
        ['task', 'why'],
        failures.map(({ taskUuid, why }) => [taskUuid, why]),
      ),
    );
  }
  return lines.join('\n');
}
