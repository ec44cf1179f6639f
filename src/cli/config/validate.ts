import { type ConfigProblem, formatConfigProblem } from '../../config/config-problem.ts';
import { checkConfig } from '../../config/load-config.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { counted } from '../show/text.ts';
import { here, thisRun } from '../this-run.ts';

/** Options of `tasker config validate`. */
export interface ConfigValidateOptions extends GlobalOptions {
  strict?: boolean;
}

/** `tasker config validate`: prints each problem on a line. Exits 1 if there is an error. */
export function configValidate(path: string | undefined, { json, strict = false }: ConfigValidateOptions): void {
  const { errors, warnings, files } = checkConfig({ ...here(), configPath: path });
  const valid = errors.length === 0 && !(strict && warnings.length > 0);
  if (json) {
    const all = [...errors.map(withSeverity('error')), ...warnings.map(withSeverity('warning'))];
    printJson({ valid, files, problems: all });
  } else {
    for (const one of errors) print(`${pc.red('error:')} ${formatConfigProblem(one)}`);
    for (const one of warnings) print(`${pc.yellow('warning:')} ${formatConfigProblem(one)}`);
    if (valid) print(verdict(files, warnings.length));
  }
  if (!valid) thisRun().exitCode = EXIT.failed;
}

function verdict(files: readonly string[], warnings: number): string {
  if (files.length === 0) return 'no configuration file found; the defaults and the environment are valid';
  const also = warnings === 0 ? '' : `, ${counted(warnings, 'warning')}`;
  return `${files.length === 1 ? files[0] : counted(files.length, 'file')}: valid${also}`;
}

const withSeverity =
  (severity: 'error' | 'warning') =>
  ({ where, line, key, message }: ConfigProblem) => ({
    severity,
    where,
    line: line ?? null,
    key: key ?? null,
    message,
  });
