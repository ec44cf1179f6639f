// Measures which units each test executes and how long it takes, in one run of all tests with counters in the sources.
// The results are cached by test file, so that a new test does not require running the others again.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { javascriptOf } from './lane.mjs';
import { ownerOf } from './owner.mjs';
import { instrumented, unitsOf } from './units.mjs';

const BATCH = 6;
/** Maximum time of a test whose duration is not known yet. */
const LIMIT_MS = 600_000;

const digest = (...texts) => createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, 20);

/**
 * `sources` maps files to their text; `program` is a digest of everything that tests run except the test files.
 * Returns `[{ file, name, ms, isolate, units }]` with `units` as a set of `file#number`.
 */
export async function coverage({ lanes, sources, program, testFiles, readTest, cache, log }) {
  const names = [];
  const first = {};
  for (const [file, text] of Object.entries(sources)) {
    first[file] = names.length;
    names.push(...unitsOf(file, text).map((_, i) => `${file}#${i}`));
  }
  // Read before anything runs: a test file that is edited meanwhile must not get the result of its earlier text.
  const places = new Map(
    testFiles.map((file) => [file, path.join(cache, `${digest(program, file, readTest(file))}.json`)]),
  );
  mkdirSync(cache, { recursive: true });
  const known = new Map();
  for (const file of testFiles) {
    try {
      known.set(file, JSON.parse(readFileSync(places.get(file), 'utf8')));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
  const todo = testFiles.filter((file) => !known.has(file));
  if (todo.length > 0) {
    log(`coverage: ${todo.length} of ${testFiles.length} test files to run`);
    let done = 0;
    const keep = (file, entry) => {
      known.set(file, entry);
      writeFileSync(places.get(file), JSON.stringify(entry));
      done++;
    };
    await Promise.all(
      lanes.map(async (lane) => {
        for (const [file, text] of Object.entries(sources)) instrument(lane, file, text, first[file]);
        while (todo.length > 0) {
          const batch = todo.splice(0, BATCH);
          const together = await measure(lane, batch, false);
          for (const file of batch) {
            let entry = together.get(file);
            // Some test files need a separate process, as in the suite.
            if (entry.failed.length > 0) entry = (await measure(lane, [file], true)).get(file);
            if (entry.failed.length > 0)
              log(`coverage: not used, fails without a mutant: ${file}: ${entry.failed.join('; ')}`);
            keep(file, entry);
          }
          log(`coverage: ${done} test files run`);
        }
        for (const [file, text] of Object.entries(sources)) lane.write(file, text);
      }),
    );
  }
  return testFiles.flatMap((file) => {
    const { isolate, hooks, tests } = known.get(file);
    return tests.map(({ name, ms, units }) => ({
      file,
      name,
      ms,
      isolate,
      units: new Set([...units, ...hooks].map((unit) => names[unit])),
    }));
  });
}

function instrument(lane, file, text, first) {
  const child = pathToFileURL(path.join(lane.root, 'scripts/mutants/count-in-child.mjs'));
  const built = javascriptOf(instrumented(file, text, first, ''));
  lane.write(
    file,
    instrumented(file, text, first, 'const __count = (globalThis as any).__countUnit ?? (() => {}); '),
    `import '${child}'; const __count = globalThis.__countUnit; ${built}`,
  );
}

async function measure(lane, files, isolate) {
  for (const name of readdirSync(lane.hits)) rmSync(path.join(lane.hits, name), { force: true });
  const { results, failure } = await lane.run({
    tests: files.map((file) => [file]),
    limitOf: () => LIMIT_MS,
    isolate,
    count: true,
  });
  const entries = new Map();
  for (const file of files) {
    const own = results.filter((result) => result.file === file);
    const failed = own
      .filter(({ state }) => state === 'failed')
      .map(({ name, message }) => `${name ?? 'the file'}: ${message}`);
    if (failure && (failure.file === file || own.length === 0)) failed.push(failure.message);
    const broken = own.some(({ state, name }) => state === 'failed' && !name);
    const tests = broken ? [] : own.filter(({ state }) => state === 'passed');
    entries.set(file, {
      isolate,
      failed,
      hooks: unitsIn(lane, file),
      tests: tests.map(({ name, ms }) => ({ name, ms: Math.round(ms), units: unitsIn(lane, file, name) })),
    });
  }
  return entries;
}

function unitsIn(lane, file, name) {
  try {
    const text = readFileSync(path.join(lane.hits, ownerOf(file, name)), 'utf8');
    return [...new Set(text.split('\n').filter(Boolean).map(Number))];
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}
