import type { ConfigContext } from '../../config/find-config.ts';
import { generateConfig } from '../../config/show/generate-config.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted } from '../show/text.ts';
import { writeOutput } from '../show/write-output.ts';
import { here } from '../this-run.ts';

/** Options of `tasker config generate`. */
export interface ConfigGenerateOptions extends GlobalOptions {
  context: ConfigContext;
  environment?: string;
  source: string;
  output?: string;
}

/** `tasker config generate`: merges the layers of a folder into one file. */
export function configGenerate({ context, environment, source, output, json }: ConfigGenerateOptions): void {
  const generated = generateConfig({ ...here(), context, environment, source });
  if (output !== undefined) writeOutput(output, generated.text);
  if (json) printJson({ ...generated, output: output ?? null });
  else if (output === undefined) print(generated.text.trimEnd());
  else
    note(
      `wrote ${output}: ${context} configuration for ${generated.environment}, from ${counted(generated.files.length, 'file')}`,
    );
}
