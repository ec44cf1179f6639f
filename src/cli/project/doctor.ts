import { type Check, examine } from '../../app/project/doctor.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { widthOf } from '../show/text.ts';
import { here, inFolder, thisRun } from '../this-run.ts';
import { handlerFolders, templateFolders } from './folders.ts';

const SIGNS: Record<Check['status'], string> = {
  ok: pc.green('ok  '),
  warn: pc.yellow('warn'),
  fail: pc.red('fail'),
  skip: pc.dim('skip'),
};

/** `tasker doctor`: checks the prerequisites of a project. Exits 1 if a check fails. */
export async function doctor(options: GlobalOptions): Promise<void> {
  const { databaseUrl, json } = options;
  const checks = await examine({
    ...here(),
    databaseUrl,
    templates: templateFolders(options),
    handlers: handlerFolders(options).map(inFolder),
  });
  const failed = checks.filter((check) => check.status === 'fail').length;
  if (json)
    printJson({
      healthy: failed === 0,
      checks: checks.map(({ wayOut, ...check }) => ({ ...check, way_out: wayOut ?? null })),
    });
  else {
    const width = Math.max(...checks.map(({ name }) => widthOf(name)));
    for (const { name, status, found, wayOut } of checks) {
      print(`${SIGNS[status]}  ${name.padEnd(width)}  ${found}`);
      if (wayOut !== undefined) print(`${' '.repeat(width + 8)}${pc.dim(`→ ${wayOut}`)}`);
    }
    if (failed > 0) note(`${failed} of ${checks.length} checks failed`);
  }
  if (failed > 0) thisRun().exitCode = EXIT.failed;
}
