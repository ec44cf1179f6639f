// Writes docs/reference from the docstrings of the package's exports; with --check, only compares. Reads dist:
//   npm run reference
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { readPublicApi } from './docs/public-api.mjs';

const folder = fileURLToPath(new URL('../docs/reference', import.meta.url));

const TASKS = ['tasks', 'Tasks and steps'];
const TRANSACTIONS = ['orm', 'Transactions of other libraries'];
const DOMAIN_EVENTS = ['domain-events', 'Domain events'];

/** The pages, by the source folder of a name. A folder that is not listed belongs to its parent. */
const PAGES = {
  app: ['tasker', 'The tasker'],
  config: ['configuration', 'Configuration'],
  engine: TASKS,
  handlers: ['handlers', 'Handlers'],
  'handlers/api': ['api-handlers', 'API handlers'],
  'handlers/decision': ['decisions', 'Decisions'],
  'handlers/batch': ['batches', 'Batches'],
  registry: ['registry', 'Registry and resolvers'],
  events: DOMAIN_EVENTS,
  'store/events': DOMAIN_EVENTS,
  'store/search': TASKS,
  worker: ['worker-events', 'Events of the worker'],
  'events/sinks': ['event-sinks', 'Event sinks'],
  template: ['templates', 'Templates'],
  workflow: ['workflows', 'Workflows'],
  logging: ['logging', 'Logging'],
  metrics: ['metrics', 'Metrics'],
  errors: ['errors', 'Errors'],
  testing: ['testing', 'Testing'],
  client: ['client', 'Client'],
  orm: TRANSACTIONS,
  db: TRANSACTIONS,
};
const OTHERS = ['others', 'Others'];

const names = readPublicApi();
function pageOf({ group }) {
  for (let place = group; place !== '.'; place = path.dirname(place)) if (PAGES[place]) return PAGES[place];
  return OTHERS;
}

const anchorOf = (name) => name.toLowerCase();
const pageOfName = new Map(names.map((one) => [one.name, pageOf(one)[0]]));

/** Links the names in a docstring to their entries. */
function linked(text) {
  return text.replace(/\{@link ([\w.]+)\s*(?:\|[^}]*)?\}/g, (_, name) => {
    const [head] = name.split('.');
    return pageOfName.has(head) ? `[\`${name}\`](${pageOfName.get(head)}.md#${anchorOf(head)})` : `\`${name}\``;
  });
}

/** Not `ts`, because these are declarations, and examples may omit the class or function around them. */
const code = (text) => ['```typescript', text, '```'];

function sectionOf({ name, entry, kind, form, doc, tags, aliasOf }) {
  const lines = [`## ${name}`, '', `${kind}, from \`${entry}\``, ''];
  if (aliasOf) return [...lines, `Another name of ${linked(`{@link ${aliasOf}}`)}.`, ''];
  lines.push(linked(doc), '');
  for (const { text } of tags.filter((tag) => tag.name === 'returns')) lines.push(`Returns ${linked(text)}`, '');
  for (const { text } of tags.filter((tag) => tag.name === 'throws')) lines.push(`Throws ${linked(text)}`, '');
  lines.push(...code(form), '');
  for (const { text } of tags.filter((tag) => tag.name === 'example')) lines.push('Example:', '', ...code(text), '');
  return lines;
}

const WRITTEN = '<!-- written by scripts/write-reference.mjs from the docstrings: edit those -->';
const sorted = [...names].sort((a, b) => a.name.localeCompare(b.name, 'en'));
const pages = [...new Set([...Object.values(PAGES), OTHERS])].filter(([page]) =>
  names.some((one) => pageOf(one)[0] === page),
);

function page([file, title]) {
  const sections = sorted.filter((one) => pageOf(one)[0] === file).flatMap(sectionOf);
  return [WRITTEN, '', `# ${title}`, '', ...sections].join('\n');
}

/** Returns the first sentence of a docstring, on one line. */
function summaryOf({ doc, aliasOf }) {
  const [first] = aliasOf
    ? [`Another name of \`${aliasOf}\`.`]
    : linked(doc)
        .replace(/\s+/g, ' ')
        .split(/(?<=\.)\s/);
  return first.replaceAll('|', '\\|');
}

function index() {
  const parts = pages.flatMap(([file, title]) => [
    `## ${title}`,
    '',
    '| name | what it is |',
    '| --- | --- |',
    ...sorted
      .filter((one) => pageOf(one)[0] === file)
      .map((one) => `| [\`${one.name}\`](${file}.md#${anchorOf(one.name)}) | ${summaryOf(one)} |`),
    '',
  ]);
  const head = ['# Reference', '', 'Every name that the package exports, from the docstrings in its source.', ''];
  return [WRITTEN, '', ...head, ...parts].join('\n');
}

const undocumented = names.filter(({ doc, aliasOf }) => doc === '' && !aliasOf).map(({ name }) => name);
if (undocumented.length > 0) {
  console.error(`exports without a docstring: ${undocumented.join(', ')}; describe the purpose of each`);
  process.exit(1);
}

const wanted = new Map([['README.md', index()], ...pages.map((one) => [`${one[0]}.md`, page(one)])]);
const there = existsSync(folder) ? readdirSync(folder) : [];
const stale = there.filter((name) => !wanted.has(name));
const read = (name) =>
  there.includes(name) ? readFileSync(path.join(folder, name), 'utf8').replaceAll('\r\n', '\n') : '';
/** Sorts the words of each union, because a compiler that compiles only changed files may write them in another order. */
const comparable = (text) =>
  text.replaceAll(/'[\w.-]*'(?: \| '[\w.-]*')+/g, (union) => union.split(' | ').sort().join(' | '));
const different = [...wanted]
  .filter(([name, text]) => comparable(read(name)) !== comparable(text))
  .map(([name]) => name);

if (process.argv.includes('--check')) {
  const wrong = [...different, ...stale];
  if (wrong.length > 0) {
    console.error(`docs/reference/${wrong.join(', ')}: out of date; run npm run reference`);
    process.exitCode = 1;
  }
} else {
  mkdirSync(folder, { recursive: true });
  for (const name of different) writeFileSync(path.join(folder, name), wanted.get(name));
  for (const name of stale) rmSync(path.join(folder, name));
}
