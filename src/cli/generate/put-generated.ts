import { existsSync, readFileSync } from 'node:fs';
import { loadTemplates } from '../../app/project/load-templates.ts';
import { loadConfig } from '../../config/load-config.ts';
import { TaskerError } from '../../errors.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import type { GlobalOptions } from '../options.ts';
import { templatesThere } from '../project/folders.ts';
import { note, print } from '../show/output.ts';
import { writeOutput } from '../show/write-output.ts';

/** Options of the commands that generate a file. */
export interface GenerateOptions extends GlobalOptions {
  /** Where to; undefined: standard output. */
  out?: string;
  /** Only compare. */
  check?: boolean;
}

/** The templates that something is generated from: of the paths that were named, else of the project. All must be sound. */
export async function templatesFor(paths: readonly string[], options: GenerateOptions): Promise<TaskTemplate[]> {
  if (options.check && options.out === undefined) {
    throw new TaskerError('bad_request', '--check compares with a file: name it with --out');
  }
  const sources = paths.length > 0 ? paths : templatesThere(options);
  return (await loadTemplates(sources, loadConfig().config.environment)).templates;
}

/** Prints what was generated, writes it, or compares it with what is there. `what` says what was generated, for people. */
export function putGenerated(text: string, { out, check }: GenerateOptions, what: string): void {
  if (out === undefined) print(text.trimEnd());
  else if (check) mustBe(out, text);
  else {
    writeOutput(out, text);
    note(`${out}: ${what}`);
  }
}

function mustBe(file: string, text: string): void {
  const found = existsSync(file) ? readFileSync(file, 'utf8').replaceAll('\r\n', '\n') : undefined;
  if (found !== text) {
    throw new TaskerError(
      'conflict',
      `${file} is not what the templates say; run the command without --check, and keep what it writes`,
    );
  }
  note(`${file} is up to date`);
}
