// Writes statements/*.sql: every variant of the statements that have variants. The program reads these files. Their sources
// are in scripts/statements, where a line that begins with `word|` belongs only to the variants with that word.
//   node scripts/write-statements.mjs          writes the files
//   node scripts/write-statements.mjs --check  only compares
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const SOURCES = new URL('statements/', import.meta.url);
const FILES = new URL('../statements/', import.meta.url);

/** The variants of each source, with the words of the lines that belong to each. */
const VARIANTS = {
  claim_steps: { claim_steps: ['one'], claim_steps_of_several: ['several'] },
  record_steps: {
    record_steps: ['listed', 'static', 'own', 'plain', 'held', 'plainly'],
    record_steps_dynamic: ['listed', 'dynamic', 'plain', 'held', 'plainly'],
    record_steps_routed: ['listed', 'dynamic', 'plain', 'held', 'routed'],
    record_steps_events: ['listed', 'static', 'own', 'events', 'held', 'plainly'],
    record_steps_dynamic_events: ['listed', 'dynamic', 'events', 'held', 'plainly'],
    record_steps_routed_events: ['listed', 'dynamic', 'events', 'held', 'routed'],
    record_waits: ['listed', 'static', 'own', 'waits', 'given', 'plainly'],
    record_timers: ['static', 'waits', 'timers', 'plainly'],
  },
};

const textOf = (url) => readFileSync(url, 'utf8').replaceAll('\r\n', '\n');

/** Returns the text of each statement file, by name. */
function statements() {
  return Object.entries(VARIANTS).flatMap(([source, variants]) => {
    const lines = textOf(new URL(`${source}.sql`, SOURCES)).split('\n');
    return Object.entries(variants).map(([name, words]) => {
      const own = lines
        .map((line) => /^(?:(\w+)\|)?(.*)$/.exec(line))
        .filter(([, word]) => word === undefined || words.includes(word))
        .map(([, , text]) => text);
      const head = `-- Written by scripts/write-statements.mjs from scripts/statements/${source}.sql: edit it there.`;
      return [`${name}.sql`, `${head}\n--\n${own.join('\n')}`];
    });
  });
}

const wanted = new Map(statements());
const there = readdirSync(FILES);
const stale = there.filter((name) => !wanted.has(name));
const changed = [...wanted].filter(([name, text]) => !there.includes(name) || textOf(new URL(name, FILES)) !== text);

if (!process.argv.includes('--check')) {
  for (const name of stale) rmSync(new URL(name, FILES));
  for (const [name, text] of changed) writeFileSync(new URL(name, FILES), text);
} else if (stale.length + changed.length > 0) {
  const names = [...stale, ...changed.map(([name]) => name)].join(', ');
  console.error(`statements/ is out of date (${names}); run node scripts/write-statements.mjs`);
  process.exitCode = 1;
}
