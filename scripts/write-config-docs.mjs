// Writes the tables of docs/configuration-keys.md and schemas/tasker-config.json from the configuration keys. A test
// compares them. Uses dist:
//   npm run build && node scripts/write-config-docs.mjs
import { readFile, writeFile } from 'node:fs/promises';
import { CONFIG_KEYS } from '../dist/config/config-keys.js';
import { INEFFECTIVE_KEYS } from '../dist/config/ineffective-keys.js';
import { defaultOf } from '../dist/config/show/show-config.js';
import { ALLOWED_NAMES } from '../dist/config/toml/allowed-variables.js';
import { configJsonSchema, ineffectiveTable, keysTable } from './docs/config-docs.mjs';

const documented = { CONFIG_KEYS, INEFFECTIVE_KEYS, defaultOf };

const page = new URL('../docs/configuration-keys.md', import.meta.url);
const parts = {
  keys: keysTable(documented),
  'keys without effect': ineffectiveTable(documented),
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
  `${JSON.stringify(configJsonSchema(documented), null, 2)}\n`,
);
