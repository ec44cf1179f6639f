// Writes the table of the TypeScript package's names in docs/typescript-names.md. Run it after write-reference.mjs: npm run
// reference
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { namesTable, withNames } from './docs/names-table.mjs';

const file = (name) => fileURLToPath(new URL(`../docs/${name}`, import.meta.url));
const read = (name) => readFileSync(file(name), 'utf8').replaceAll('\r\n', '\n');
const table = namesTable(JSON.parse(read('names.json')), read('reference/README.md'));
writeFileSync(file('typescript-names.md'), withNames(read('typescript-names.md'), table));
