// Writes the tables of docs/api-routes.md and docs/client-methods.md from the contract; with --check, only compares.
// Reads dist. `npm run reference` builds it first.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createClient } from '../dist/client/client.js';
import { CONTRACT } from '../dist/contract/contract.js';
import { filterQuery } from '../dist/contract/schemas/task-filter.js';
import { methodTables, routeTables, withTables } from './docs/verb-tables.mjs';

const file = (name) => fileURLToPath(new URL(`../docs/${name}`, import.meta.url));
const client = createClient({ baseUrl: 'http://localhost' });
const tables = {
  'api-routes.md': routeTables(CONTRACT, Object.keys(filterQuery)),
  'client-methods.md': methodTables(CONTRACT, client),
};
const wrong = [];
for (const [name, text] of Object.entries(tables)) {
  const before = readFileSync(file(name), 'utf8').replaceAll('\r\n', '\n');
  const after = withTables(before, text);
  if (!after.includes(text)) throw new Error(`docs/${name} has no markers for the tables of verbs`);
  if (after === before) continue;
  if (process.argv.includes('--check')) wrong.push(`docs/${name}`);
  else writeFileSync(file(name), after);
}
if (wrong.length > 0) {
  console.error(`${wrong.join(', ')}: out of date; run npm run reference`);
  process.exitCode = 1;
}
