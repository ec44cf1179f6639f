import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ConfigContext } from '../config/find-config.ts';
import { generateConfig } from '../config/generate-config.ts';
import { folderError } from './folder-error.ts';
import type { GlobalOptions } from './options.ts';
import { note, print, printJson } from './output.ts';

/** Options of `tasker config generate`. */
export interface ConfigGenerateOptions extends GlobalOptions {
  context: ConfigContext;
  environment?: string;
  source: string;
  output?: string;
}

/** `tasker config generate`: the layers of a folder as one file. */
export function configGenerate({ context, environment, source, output, json }: ConfigGenerateOptions): void {
  const generated = generateConfig({ context, environment, source });
  if (output !== undefined) write(output, generated.text);
  if (json) printJson({ ...generated, output: output ?? null });
  else if (output === undefined) print(generated.text.trimEnd());
  else note(`${output}: ${context} for ${generated.environment}, from ${generated.files.length} files`);
}

function write(output: string, text: string): void {
  try {
    mkdirSync(path.dirname(path.resolve(output)), { recursive: true });
    writeFileSync(output, text);
  } catch (error) {
    throw folderError(output, error);
  }
}
