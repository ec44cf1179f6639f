import { typesOf } from '../../template/generate/template-types.ts';
import { zodTypesOf } from '../../template/generate/zod-types.ts';
import { note, printJson } from '../show/output.ts';
import { counted } from '../show/text.ts';
import { type GenerateOptions, putGenerated, templatesFor } from './put-generated.ts';

/** `tasker generate types`: writes the TypeScript types of event payloads, of the contexts and outputs of tasks, and of the results of steps. */
export async function generateTypes(
  paths: readonly string[],
  options: GenerateOptions & { zod?: boolean },
): Promise<void> {
  if (options.zod) {
    const made = zodTypesOf(await templatesFor(paths, options));
    return putGenerated(made.text, options, counted(made.count, 'schema'));
  }
  const { text, counts, warnings, unknown } = typesOf(await templatesFor(paths, options));
  if (options.json && options.out === undefined) return printJson({ types: text, warnings, unknown });
  for (const warning of warnings) note(`warning: ${warning}`);
  for (const place of unknown) note(`unknown: ${place}`);
  putGenerated(text, options, `${counted(counts.events, 'event')}, ${counted(counts.inputs, 'input')}`);
  if (options.json) printJson({ out: options.out, ...counts, warnings, unknown });
}
