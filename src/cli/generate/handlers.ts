import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { TaskerError } from '../../errors.ts';
import { handlersOf } from '../../template/generate/handler-stubs.ts';
import { zodTypesOf } from '../../template/generate/zod-types.ts';
import type { GlobalOptions } from '../options.ts';
import { note } from '../show/output.ts';
import { counted } from '../show/text.ts';
import { writeOutput } from '../show/write-output.ts';
import { findTemplate } from '../template/find.ts';
import { here, inFolder } from '../this-run.ts';
import { putGenerated } from './put-generated.ts';

/** `tasker generate handler`: writes handler stubs for a template, or for one of its steps. */
export async function generateHandler(
  wanted: string,
  options: GlobalOptions & { step?: string; out?: string },
): Promise<void> {
  const template = await findTemplate(wanted, options);
  const text = handlersOf(template, { ...(options.step !== undefined && { step: options.step }) });
  if (text === undefined) {
    const names = template.steps.map(({ name }) => name).join(', ');
    throw new TaskerError(
      'step_not_found',
      `template ${template.name} has no step ${options.step ?? ''} with a handler; its steps are ${names}`,
    );
  }
  if (options.out !== undefined && existsSync(inFolder(options.out))) {
    throw new TaskerError('conflict', `${options.out} already exists; handlers are not overwritten`);
  }
  putGenerated(text, options, 'handlers');
}

/** `tasker generate scaffold`: writes models and stubs of handlers. Existing handlers are kept. */
export async function generateScaffold(
  wanted: string,
  options: GlobalOptions & { outputDir?: string; check?: boolean },
): Promise<void> {
  const template = await findTemplate(wanted, options);
  const { outputDir: folder = '.', check = false } = options;
  const { text, names, count } = zodTypesOf([template]);
  const place = (name: string) => path.join(folder, name);
  putGenerated(text, { out: place(`models/${template.name}.ts`), check }, counted(count, 'schema'));
  const file = place(`handlers/${template.name}.ts`);
  const stubs = handlersOf(template, {
    models: { names: names.get(template)!, from: `../models/${template.name}.${importEnding(folder)}` },
  });
  if (stubs === undefined) return;
  if (existsSync(inFolder(file))) return note(`${file} exists, and is kept`);
  if (check) throw new TaskerError('conflict', `${file} is missing; run the command without --check`);
  writeOutput(file, stubs);
  note(`wrote ${file}: handlers`);
}

/** Returns the ending of imports of TypeScript files: `ts` only if the project's compiler accepts it. */
function importEnding(folder: string): 'ts' | 'js' {
  for (let at = path.resolve(here().cwd, folder); ; at = path.dirname(at)) {
    const file = path.join(at, 'tsconfig.json');
    if (existsSync(file)) {
      const accepts = /"(allowImportingTsExtensions|rewriteRelativeImportExtensions)"\s*:\s*true/;
      return accepts.test(readFileSync(file, 'utf8')) ? 'ts' : 'js';
    }
    if (at === path.dirname(at)) return 'js';
  }
}
