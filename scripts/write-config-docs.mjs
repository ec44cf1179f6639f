// Writes the tables of docs/guide/configuration.md and schemas/tasker-config.json from the keys that are read; a test
// compares. It reads dist:
//   npm run build && node scripts/write-config-docs.mjs
import { readFile, writeFile } from 'node:fs/promises';
import { configJsonSchema } from '../dist/config/show/config-json-schema.js';
import { ineffectiveTable, keysTable } from '../dist/config/show/describe-keys.js';
import { ALLOWED_NAMES } from '../dist/config/toml/allowed-variables.js';

const page = new URL('../docs/guide/configuration.md', import.meta.url);
const parts = {
  keys: keysTable(),
  'keys without effect': ineffectiveTable(),
  variables: ALLOWED_NAMES.map((name) => `\`${name}\``).join(', '),
};
let text = await readFile(page, 'utf8');
for (const [name, part] of Object.entries(parts)) {
  text = text.replace(
    new RegExp(`(<!-- ${name}: [^>]*-->\n)[\\s\\S]*?(\n<!-- end of ${name} -->)`),
    (_, from, to) => `${from}\n${part}\n${to}`,
  );
}
await writeFile(page, text);
await writeFile(
  new URL('../schemas/tasker-config.json', import.meta.url),
  `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
);
