import { existsSync, readFileSync } from 'node:fs';
import { checkFolders, loadTemplates } from '../../app/project/load-templates.ts';
import { loadConfig } from '../../config/load-config.ts';
import { TaskerError } from '../../errors.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import type { GlobalOptions } from '../options.ts';
import { templatesThere } from '../project/folders.ts';
import { note, print } from '../show/output.ts';
import { writeOutput } from '../show/write-output.ts';
import { here, inFolder } from '../this-run.ts';

/** Options of the commands that generate a file. */
export interface GenerateOptions extends GlobalOptions {
  /** Output file. Default: standard output. */
  out?: string;
  /** Only compare the file with the output. */
  check?: boolean;
}

/** Returns the templates of the given paths, or otherwise of the project. All of them must be valid. */
export async function templatesFor(paths: readonly string[], options: GenerateOptions): Promise<TaskTemplate[]> {
  if (options.check && options.out === undefined) {
    throw new TaskerError('bad_request', '--check compares the output with a file; name it with --out');
  }
  const sources = paths.length > 0 ? paths : templatesThere(options);
  const loaded = await loadTemplates(sources, loadConfig(here()).config.environment, here());
  checkFolders(loaded);
  return loaded.templates;
}

/**
 * Prints the generated text, writes it to the file, or compares it with the file. `what` describes it for the message.
 */
export function putGenerated(text: string, { out, check }: GenerateOptions, what: string): void {
  if (out === undefined) print(text.trimEnd());
  else if (check) checkUpToDate(out, text);
  else {
    writeOutput(out, text);
    note(`wrote ${out}: ${what}`);
  }
}

function checkUpToDate(file: string, text: string): void {
  const found = existsSync(inFolder(file)) ? readFileSync(inFolder(file), 'utf8').replaceAll('\r\n', '\n') : undefined;
  if (found !== text) {
    throw new TaskerError(
      'conflict',
      `${file} does not match the templates; run the command without --check and commit the result`,
    );
  }
  note(`${file} is up to date`);
}
