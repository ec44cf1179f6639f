import { z } from 'zod';
import { CONFIG_KEYS, CONFIG_NAMES } from '../config-keys.ts';
import { INEFFECTIVE_KEYS } from '../ineffective-keys.ts';
import { defaultOf } from './describe-keys.ts';

type Schema = { [key: string]: unknown };

/** The JSON Schema of the configuration file, for editors. Everything else than the known keys is allowed, as it is. */
export function configJsonSchema(): Schema {
  const root: Schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of tasker-core',
    type: 'object',
    properties: {},
  };
  for (const name of CONFIG_NAMES) {
    const { path, also = [], about, form } = CONFIG_KEYS[name];
    const { $schema: _, ...schema } = z.toJSONSchema(form.schema, { io: 'input' });
    const description = `${about} Must be ${form.words}. Default: ${defaultOf(name)}.`.replaceAll('`', '');
    for (const place of [path, ...also]) put(root, place, { description, ...schema });
  }
  for (const [row, reason] of Object.entries(INEFFECTIVE_KEYS)) {
    put(root, row.replace(/\.\*$/, ''), { description: `No effect here: ${reason}.` });
  }
  return root;
}

function put(root: Schema, path: string, schema: Schema): void {
  const parts = path.split('.');
  const last = parts.pop()!;
  let table = root;
  for (const part of parts) {
    const properties = table['properties'] as Record<string, Schema>;
    properties[part] ??= { type: 'object', properties: {} };
    table = properties[part];
  }
  (table['properties'] as Record<string, Schema>)[last] = schema;
}
