import pc from 'picocolors';
import { type ConfigProblem, formatConfigProblem } from '../../config/config-problem.ts';
import { checkConfig } from '../../config/load-config.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';

/** Options of `tasker config validate`. */
export interface ConfigValidateOptions extends GlobalOptions {
  strict?: boolean;
}

/** `tasker config validate`: every problem, one line each; exits 1 when there is an error. */
export function configValidate(path: string | undefined, { json, strict = false }: ConfigValidateOptions): void {
  const { errors, warnings, files } = checkConfig({ configPath: path });
  const valid = errors.length === 0 && !(strict && warnings.length > 0);
  if (json) {
    const all = [...errors.map(withSeverity('error')), ...warnings.map(withSeverity('warning'))];
    printJson({ valid, files, problems: all });
  } else {
    for (const one of errors) print(`${pc.red('error:')} ${formatConfigProblem(one)}`);
    for (const one of warnings) print(`${pc.yellow('warning:')} ${formatConfigProblem(one)}`);
    if (valid) print(verdict(files, warnings.length));
  }
  if (!valid) process.exitCode = EXIT.failed;
}

function verdict(files: readonly string[], warnings: number): string {
  if (files.length === 0)
    return 'there is no configuration file here: the defaults and the environment count, and are valid';
  const told = warnings === 0 ? '' : `, ${warnings} warning${warnings === 1 ? '' : 's'}`;
  return `${files.length === 1 ? files[0] : `${files.length} files`}: valid${told}`;
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
