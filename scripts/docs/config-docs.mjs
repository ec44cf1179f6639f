/** Generates the tables of docs/configuration-keys.md and the JSON Schema of the configuration file from the keys. */
import { z } from 'zod';

const listed = (names) => names.map((one) => `\`${one}\``).join(', ');

/** Returns the table of all keys that have an effect, in Markdown. */
export function keysTable({ CONFIG_KEYS, defaultOf }) {
  const rows = Object.entries(CONFIG_KEYS).map(([name, { path, also = [], variables = [], about, form }]) => {
    const names = also.length > 0 ? `\`${path}\`, else ${listed(also)}` : `\`${path}\``;
    return `| ${names} | ${about} | ${form.words} | ${defaultOf(name)} | ${listed(variables)} |`;
  });
  const head = '| key | what it does | must be | default | variable |\n|---|---|---|---|---|';
  return [head, ...rows].join('\n');
}

/** Returns the table of keys that are accepted without effect, in Markdown. */
export function ineffectiveTable({ INEFFECTIVE_KEYS }) {
  const byReason = new Map();
  for (const [key, reason] of Object.entries(INEFFECTIVE_KEYS)) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), key]);
  }
  const rows = [...byReason].map(([reason, keys]) => `| ${listed(keys)} | ${reason} |`);
  return ['| keys | why |\n|---|---|', ...rows].join('\n');
}

/** Returns the JSON Schema of the configuration file, for editors. It allows unknown keys. */
export function configJsonSchema({ CONFIG_KEYS, INEFFECTIVE_KEYS, defaultOf }) {
  const root = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of tasker-core',
    type: 'object',
    properties: {},
  };
  for (const [name, { path, also = [], about, form }] of Object.entries(CONFIG_KEYS)) {
    const { $schema: _, ...schema } = z.toJSONSchema(form.schema, { io: 'input' });
    const description = `${about} Must be ${form.words}. Default: ${defaultOf(name)}.`.replaceAll('`', '');
    for (const place of [path, ...also]) put(root, place, { description, ...schema });
  }
  for (const [row, reason] of Object.entries(INEFFECTIVE_KEYS)) {
    put(root, row.replace(/\.\*$/, ''), { description: `No effect here: ${reason}.` });
  }
  return root;
}

function put(root, path, schema) {
  const parts = path.split('.');
  const last = parts.pop();
  let table = root;
  for (const part of parts) {
    table.properties[part] ??= { type: 'object', properties: {} };
    table = table.properties[part];
  }
  table.properties[last] = schema;
}
