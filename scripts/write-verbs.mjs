// Writes what derives from the contract: the tables of routes, of the client's methods, of the tools for assistants and of
// permissions in docs, the routes and types of the client, and the shapes of responses. Also writes the table of commands
// that their page does not describe. With --check, only compares. Reads dist. `npm run reference` builds it first.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { READ_TOOLS, WRITE_TOOLS } from '../dist/cli/mcp/all-tools.js';
import { makeProgram } from '../dist/cli/program.js';
import { createClient } from '../dist/client/client.js';
import { PERMISSIONS as OF_ACTIONS } from '../dist/contract/bulk-acts.js';
import { CONTRACT } from '../dist/contract/contract.js';
import { PreviewSchema } from '../dist/contract/schemas/bulk-acts.js';
import { filterQuery } from '../dist/contract/schemas/task-filter.js';
import { PERMISSIONS, ROLE_PERMISSIONS } from '../dist/model/permissions.js';
import { clientModule } from './docs/client-module.mjs';
import { commandTable } from './docs/command-table.mjs';
import { permissionTable } from './docs/permission-table.mjs';
import { shapesModule } from './docs/shapes-module.mjs';
import { toolTables } from './docs/tool-tables.mjs';
import { methodTables, routeTables, withTables } from './docs/verb-tables.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const conditions = Object.keys(filterQuery);
const client = createClient({ baseUrl: 'http://localhost' });
const page = (file, text) => {
  const before = readFileSync(`${root}${file}`, 'utf8').replaceAll('\r\n', '\n');
  const after = withTables(before, text);
  if (!after.includes(text)) throw new Error(`${file} has no markers for the tables of verbs`);
  return after;
};
const commands = readFileSync(`${root}docs/cli-commands.md`, 'utf8');
const formatted = (file, text) => {
  const biome = `${root}node_modules/@biomejs/biome/bin/biome`;
  const { stdout, stderr, status } = spawnSync(process.execPath, [biome, 'format', `--stdin-file-path=${file}`], {
    cwd: root,
    input: text,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
};
const written = {
  'docs/api-routes.md': page('docs/api-routes.md', routeTables(CONTRACT, conditions)),
  'docs/client-methods.md': page('docs/client-methods.md', methodTables(CONTRACT, client)),
  'docs/assistant-tools.md': page('docs/assistant-tools.md', toolTables([...READ_TOOLS, ...WRITE_TOOLS], 'task_list')),
  'docs/cli-commands.md': page(
    'docs/cli-commands.md',
    commandTable(await makeProgram(), withTables(commands.replaceAll('\r\n', '\n'), '')),
  ),
  'docs/security-reference.md': page(
    'docs/security-reference.md',
    permissionTable({ permissions: PERMISSIONS, roles: ROLE_PERMISSIONS, contract: CONTRACT, actions: OF_ACTIONS }),
  ),
  'src/client/contract.ts': formatted('src/client/contract.ts', clientModule(CONTRACT, filterQuery)),
  'src/contract/shapes.ts': formatted(
    'src/contract/shapes.ts',
    shapesModule(CONTRACT, { bulkActs: { preview: PreviewSchema } }),
  ),
};
const wrong = [];
for (const [file, after] of Object.entries(written)) {
  let before = '';
  try {
    before = readFileSync(`${root}${file}`, 'utf8').replaceAll('\r\n', '\n');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  if (after === before) continue;
  if (process.argv.includes('--check')) wrong.push(file);
  else writeFileSync(`${root}${file}`, after);
}
if (wrong.length > 0) {
  console.error(`${wrong.join(', ')}: out of date; run npm run reference`);
  process.exitCode = 1;
}
