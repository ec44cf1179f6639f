import { stringify } from 'yaml';
import { asyncApiOf } from '../../template/generate/async-api.ts';
import { readIdentity } from '../project/package-json.ts';
import { note } from '../show/output.ts';
import { counted } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { type GenerateOptions, putGenerated, templatesFor } from './put-generated.ts';

/** Options of `tasker generate asyncapi`. */
export interface GenerateAsyncApiOptions extends GenerateOptions {
  title?: string;
  apiVersion?: string;
  description?: string;
}

/** `tasker generate asyncapi`: writes the events of the project as an AsyncAPI 3 document. */
export async function generateAsyncApi(paths: readonly string[], options: GenerateAsyncApiOptions): Promise<void> {
  const templates = await templatesFor(paths, options);
  const { name, version } = await readIdentity(thisRun().cwd);
  const { document, warnings } = asyncApiOf(templates, {
    title: options.title ?? name,
    version: options.apiVersion ?? version,
    description: options.description,
  });
  for (const warning of warnings) note(`warning: ${warning}`);
  const isJson = options.json || options.out?.endsWith('.json');
  const text = isJson
    ? `${JSON.stringify(document, null, 2)}\n`
    : stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 });
  putGenerated(text, options, counted(Object.keys(document.channels).length, 'event'));
}
