// Lists every key and every statement with the column that its table would be distributed by, for distributed PostgreSQL:
//   node scripts/distribution.mjs           prints the list
//   node scripts/distribution.mjs --check   fails if a table with task_uuid is unique by something else, and is not excused
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const COLUMN = 'task_uuid';

/** Tables with `task_uuid` that would not be distributed by it, and why. */
const EXCUSED = {
  dead_letter: 'lists of operators; changed in transactions of their own',
  domain_event: 'the log of events is ordered for all tasks; it stays on one node',
  event_dead: 'belongs to the log of events',
  operator_action: 'the audit is one list; it would be replicated or stay on one node',
  pause: 'few rows, which recordings read; a reference table',
  queue: 'ordered by priority over all tasks; it stays on one node, or becomes one queue for each node',
  schedule_firing: 'few rows; stays on one node',
  task_key: 'distributed by its hash; a creation that replaces a task changes two tasks',
  task_identity: 'distributed by its hash; a second transaction would create the task',
};

/** Returns the keys of each table: `{ table: { columns, keys: [[column, …], …] } }`. */
function tablesOf(schema) {
  const tables = {};
  for (const [, name, body] of schema.matchAll(/^create table tasker\.(\w+) \(\n([\s\S]*?)^\)/gm)) {
    const columns = [...body.matchAll(/^ {2}(\w+) (?!PRIMARY|UNIQUE|CHECK|FOREIGN)/gm)].map(([, column]) => column);
    const keys = [...body.matchAll(/(?:PRIMARY KEY|UNIQUE) \(([^)]*)\)/g)].map(([, list]) => list.split(', '));
    tables[name] = { columns: columns.filter((column) => column !== 'constraint'), keys };
  }
  for (const [, name, list] of schema.matchAll(/^create unique index \w+ on tasker\.(\w+) \(([^)]*)\)/gim)) {
    tables[name]?.keys.push(list.split(', '));
  }
  return tables;
}

/** Returns the column that distributes a table, or the reason why the column does not. */
function placeOf({ columns, keys }) {
  if (!columns.includes(COLUMN)) return `no ${COLUMN}`;
  const wrong = keys.filter((key) => !key.includes(COLUMN));
  return wrong.length === 0 ? COLUMN : `unique by ${wrong.map((key) => `(${key.join(', ')})`).join(' and ')}`;
}

function filesIn(folder, ending) {
  return readdirSync(folder, { recursive: true })
    .map((name) => path.join(folder, name))
    .filter((file) => file.endsWith(ending));
}

/** Returns the tables that each statement names, by its name. */
function statementsOf() {
  const found = {};
  const add = (name, text) => {
    found[name] = [...new Set([...text.matchAll(/\btasker\.(\w+)(?!\w*\()/g)].map(([, table]) => table))];
  };
  for (const file of filesIn(path.join(root, 'statements'), '.sql')) {
    add(path.basename(file, '.sql'), readFileSync(file, 'utf8'));
  }
  for (const file of filesIn(path.join(root, 'src/store'), '.ts')) {
    const code = readFileSync(file, 'utf8');
    for (const [, name, text] of code.matchAll(/\bsql\('(\w+)'\)`((?:\\`|[^`])*)`/g)) add(name, text);
  }
  return found;
}

/** Returns the lines of the list, and the tables that break the rule. */
function distribution() {
  const tables = tablesOf(readFileSync(path.join(root, 'migrations/schema.sql'), 'utf8'));
  const places = Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, placeOf(table)]));
  const lines = ['keys:'];
  for (const [name, { keys }] of Object.entries(tables)) {
    for (const key of keys) lines.push(`  ${name} (${key.join(', ')}): ${places[name]}`);
  }
  lines.push('statements:');
  for (const [name, used] of Object.entries(statementsOf()).sort()) {
    const known = used.filter((table) => places[table]);
    const others = known.filter((table) => places[table] !== COLUMN);
    const by =
      known.length === 0
        ? 'no table in its own text'
        : others.length === 0
          ? COLUMN
          : `${COLUMN} except ${others.join(', ')}`;
    lines.push(`  ${name}: ${others.length === known.length && known.length > 0 ? `none (${others.join(', ')})` : by}`);
  }
  const broken = Object.keys(places).filter((name) => places[name].startsWith('unique by') && !(name in EXCUSED));
  lines.push('tables with task_uuid that would not be distributed by it:');
  for (const [name, why] of Object.entries(EXCUSED)) lines.push(`  ${name}: ${why}`);
  return { lines, places, broken };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { lines, places, broken } = distribution();
  const stale = Object.keys(EXCUSED).filter((name) => !places[name]?.startsWith('unique by'));
  for (const name of stale) console.error(`table ${name} needs no excuse; remove it from EXCUSED`);
  if (!process.argv.includes('--check')) console.log(lines.join('\n'));
  for (const name of broken)
    console.error(`table ${name} has ${COLUMN}, but is ${places[name]}; add ${COLUMN} to the key`);
  if (broken.length + stale.length > 0) process.exitCode = 1;
}
