// Mutation testing: changes the program in one place and checks whether a test fails.
//   node scripts/mutants.mjs [--count 300] [--seed 1] [--only PART] [--tests PART] [--jobs 3] [--budget 60]
//                            [--named] [--list] [--unmutated] [--json FILE] [--write] [--fresh]
//
//   --count N       number of mutants: one third in the SQL of src/store and statements, the others in TypeScript.
//   --seed N        selects the sample; the same seed gives the same sample of the same sources.
//   --only PART     only source files whose path contains PART.
//   --tests PART    only test files whose path contains PART.
//   --jobs N        number of lanes that work in parallel, each a copy of the checkout with its own PostgreSQL server.
//   --budget N      maximum test time per mutant, in seconds; the nearest and cheapest covering tests run first.
//   --named         only the mutants of scripts/mutants/named.mjs, which are part of every run.
//   --list          prints the sample and stops.
//   --unmutated     runs the tests of the sample without changing anything; every kill is then a bug in this script.
//   --json FILE     writes all outcomes to FILE.
//   --write         writes score and survivors into docs/proofs.md.
//   --fresh         discards the outcomes of an earlier run; by default an interrupted run continues.
//
// The first run measures which tests cover which code. Coverage and outcomes are cached under $TASKER_MUTANTS, by default
// tasker-mutants in the temporary folder. An outcome is reused until the sources or the tests it depends on change.
//
// A mutant is killed if a test fails, fails again when run alone, and passes without the mutant. A test that takes far
// longer than usual also fails. These kills are reported as timeouts. Tests that compare the text of sources or
// documentation are skipped. Mutants are compiled without type checks. A mutant whose TypeScript or SQL does not parse
// is replaced by the next one. Exit code 1: a named mutant survived, or the score of a sample is below 90 %.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildIfStale } from './build-if-stale.mjs';
import { coverage } from './mutants/coverage.mjs';
import { EQUIVALENT, equivalenceOf } from './mutants/equivalent.mjs';
import { Judge } from './mutants/judge.mjs';
import { javascriptOf, Lane } from './mutants/lane.mjs';
import { NAMED, namedMutant } from './mutants/named.mjs';
import { describe, markdown, scores, writeInto } from './mutants/report.mjs';
import { idOf, mutantsOf, mutated, sample } from './mutants/sample.mjs';
import { serverStarter } from './mutants/server.mjs';
import { statementCheck } from './mutants/statements.mjs';
import { reachOf } from './mutants/units.mjs';

/** The files that are mutated. */
const SOURCES = /^(src\/(engine|store|worker)\/.*\.ts|statements\/.*\.sql)$/;
/** Tests that compare the text of sources, documentation or exports. Their failures are not kills. */
const TEXT_TESTS = /^test\/([^/]+|config\/docs|metrics\/instruments-table)\.test\.ts$/;
/** Required score, in percent of the mutants that are not equivalent. */
const AIM = 90;

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    tests: { type: 'string', default: '' },
    jobs: { type: 'string', default: '3' },
    budget: { type: 'string', default: '60' },
    named: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    unmutated: { type: 'boolean', default: false },
    json: { type: 'string' },
    write: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
  },
});
const [count, seed, jobs, budget] = ['count', 'seed', 'jobs', 'budget'].map((name) => {
  const number = Number(options[name]);
  if (Number.isInteger(number) && number >= (name === 'seed' ? 0 : 1)) return number;
  console.error(`error: --${name} must be a whole number, not ${options[name]}`);
  return process.exit(2);
});

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
buildIfStale();

const began = performance.now();
const log = (line) => console.log(`[${String(Math.round((performance.now() - began) / 1000)).padStart(5)} s] ${line}`);
const digest = (...texts) => createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, 16);
const read = (file) => readFileSync(file, 'utf8');
const digestOf = (list) => digest(...list.flatMap((file) => [file, read(file)]));

/** All files that git tracks or would add. */
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { encoding: 'utf8', maxBuffer: 2 ** 26 })
  .split('\n')
  .filter((file) => file && existsSync(file))
  .sort();
const sourceFiles = files.filter((file) => SOURCES.test(file));
const sources = Object.fromEntries(sourceFiles.map((file) => [file, read(file)]));
const code = Object.fromEntries(Object.entries(sources).filter(([file]) => file.endsWith('.ts')));
const testFiles = files.filter(
  (file) => file.endsWith('.test.ts') && file.includes(options.tests) && !TEXT_TESTS.test(file),
);
/** Everything that tests run except the test files. */
const program = digestOf(files.filter((file) => /^(src|migrations|statements|test\/support)\//.test(file)));
/** The tests that a survivor depends on. A kill depends only on its test file. */
const allTests = digestOf(testFiles);

const state = path.join(process.env.TASKER_MUTANTS ?? path.join(tmpdir(), 'tasker-mutants'), program);
mkdirSync(state, { recursive: true });
const steadyFile = path.join(state, 'steady.json');
const logFile = path.join(state, `${options.unmutated ? 'unmutated' : 'outcomes'}-${budget}.jsonl`);
if (options.fresh) rmSync(logFile, { force: true });

const folder = laneFolder();
const lanes = [];
let stopping;
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stop().then(() => process.exit(130)));

try {
  await main();
} finally {
  await stop();
}

async function main() {
  const startServer = await serverStarter(root);
  let made = 0;
  const makeLane = () => Lane.make({ from: root, files, folder: path.join(folder, String(++made)), startServer });
  for (let i = 0; i < (options.list ? 1 : jobs); i++) lanes.push(await makeLane());
  const chosen = await choose();
  if (options.list) {
    for (const mutant of chosen) console.log(`${mutant.kind}: ${describe(mutant)}`);
    return;
  }
  const cache = path.join(state, 'coverage');
  const tests = await coverage({ lanes, sources: code, program, testFiles, readTest: read, cache, log });
  const steady = existsSync(steadyFile) ? JSON.parse(read(steadyFile)) : {};
  const saveSteady = (all) => writeFileSync(steadyFile, JSON.stringify(all));
  const judge = new Judge({ tests, reach: reachOf(sources), budgetMs: budget * 1000, steady, saveSteady });
  report(await judgeAll(judge, chosen, makeLane));
}

/** Puts lanes in memory if there is room, because a disk is several times slower. */
function laneFolder() {
  const memory = '/dev/shm';
  const { bavail, bsize } = existsSync(memory) ? statfsSync(memory) : { bavail: 0, bsize: 0 };
  const parent = Math.min(bavail * bsize, freemem()) > jobs * 2 ** 31 ? memory : tmpdir();
  const made = mkdtempSync(path.join(parent, 'tasker-mutants-'));
  // Servers that run as another user must be able to read their folders.
  chmodSync(made, 0o755);
  return made;
}

function stop() {
  stopping ??= (async () => {
    await Promise.all(lanes.map((lane) => lane.close().catch(() => undefined)));
    rmSync(folder, { recursive: true, force: true });
  })();
  return stopping;
}

async function choose() {
  for (const { file, line } of EQUIVALENT)
    if (!sources[file]?.includes(line)) log(`remove the entry of ${file} in equivalent.mjs, no line has: ${line}`);
  const complete = (mutant) => {
    const text = sources[mutant.file];
    const whole = { ...mutant, id: idOf(mutant), original: text.slice(mutant.start, mutant.end) };
    const lines = text.split('\n');
    // The lines around the mutant help to choose which tests run first.
    const context = lines.slice(Math.max(0, mutant.line - 4), mutant.line + 3).join('\n');
    return { ...whole, context, equivalent: equivalenceOf(whole, lines[mutant.line - 1]) };
  };
  const selected = sourceFiles.filter((file) => file.includes(options.only));
  const named = NAMED.filter(({ file }) => selected.includes(file)).map((each) =>
    complete(namedMutant(each, sources[each.file])),
  );
  if (options.named) return named;
  const check = await statementCheck(lanes[0]);
  const valid = async (mutant) => {
    const text = mutated(sources[mutant.file], mutant);
    if (mutant.file in code && javascriptOf(text) === undefined) return false;
    return mutant.kind !== 'sql' || (await check.accepts(mutant.file, text));
  };
  const mutants = selected.flatMap((file) => mutantsOf(file, sources[file]));
  const chosen = (await sample({ mutants, count, seed, valid })).map(complete);
  await check.close();
  log(`${chosen.length} of ${mutants.length} mutants and ${named.length} named ones, seed ${seed}`);
  return options.unmutated ? chosen : [...named, ...chosen];
}

/** Outcomes of earlier runs that are still valid, by mutant. */
function knownOutcomes() {
  const known = new Map();
  if (!existsSync(logFile)) return known;
  for (const line of read(logFile).split('\n').filter(Boolean)) {
    const one = JSON.parse(line);
    if (one.dependsOn === dependencyOf(one)) known.set(one.id, one);
  }
  return known;
}

function dependencyOf({ outcome, test }) {
  if (outcome !== 'killed') return allTests;
  return testFiles.includes(test) ? digest(read(test)) : undefined;
}

async function judgeAll(judge, chosen, makeLane) {
  const known = knownOutcomes();
  const judged = chosen.map((mutant) => {
    if (mutant.equivalent) return { ...mutant, outcome: 'equivalent', why: mutant.equivalent };
    return known.has(mutant.id) ? { ...known.get(mutant.id), ...mutant } : undefined;
  });
  const todo = chosen.map((_, i) => i).filter((i) => !judged[i]);
  const total = todo.length;
  if (total < chosen.length) log(`${chosen.length - total} outcomes are known or equivalent, ${total} mutants to try`);
  let killed = 0;
  let done = 0;
  await Promise.all(
    lanes.map(async (_, at) => {
      for (let i = todo.shift(); i !== undefined && !stopping; i = todo.shift()) {
        const started = performance.now();
        const answer = await judgeOne(chosen[i], at);
        if (stopping) return;
        judged[i] = { ...chosen[i], ...answer, seconds: Math.round((performance.now() - started) / 1000) };
        appendFileSync(logFile, `${JSON.stringify({ ...judged[i], dependsOn: dependencyOf(answer) })}\n`);
        done++;
        if (answer.outcome === 'killed') killed++;
        const { outcome, timeout, by, run, covering } = answer;
        const how =
          outcome === 'killed' ? `${timeout ? 'timeout' : 'killed'}: ${by}` : `SURVIVED ${run} of ${covering} tests`;
        log(`${done}/${total} (${killed} killed) ${describe(chosen[i])}: ${how} (${judged[i].seconds} s)`);
      }
    }),
  );
  return judged.filter(Boolean);

  async function judgeOne(mutant, at) {
    const original = sources[mutant.file];
    const texts = { original, mutated: options.unmutated ? original : mutated(original, mutant) };
    for (let tries = 1; ; tries++) {
      try {
        return await judge.judge(lanes[at], mutant, texts);
      } catch (error) {
        if (stopping || tries === 3) throw error;
        // A mutant can break its lane, for example the server. The next mutant gets a new lane.
        log(`lane ${at + 1} failed and is replaced: ${error.message}`);
        await lanes[at].close().catch(() => undefined);
        lanes[at] = await makeLane();
      }
    }
  }
}

function report(judged) {
  const named = judged.filter(({ what }) => what);
  const alive = named.filter(({ outcome }) => outcome !== 'killed');
  const text = markdown(judged, { seed, date: new Date().toISOString().slice(0, 10) });
  if (options.json) writeFileSync(options.json, `${JSON.stringify(judged, undefined, 1)}\n`);
  if (!options.named) console.log(`\n${text}\n`);
  if (options.write && !options.named) writeInto('docs/proofs.md', text);
  const flaky = new Set(judged.flatMap((each) => each.flaky ?? []));
  if (flaky.size > 0)
    log(`${flaky.size} failures did not happen again and were not counted:\n  ${[...flaky].join('\n  ')}`);
  log(`named: ${named.length - alive.length} of ${named.length} killed`);
  for (const { what } of alive) log(`named mutant survived: ${what}`);
  if (options.named) {
    process.exitCode = alive.length > 0 ? 1 : 0;
    return;
  }
  for (const [kind, { killed, tried, percent }] of scores(judged))
    log(`${kind}: ${killed} of ${tried} killed, ${percent} %`);
  if (options.unmutated) {
    process.exitCode = judged.some(({ outcome }) => outcome === 'killed') ? 1 : 0;
    return;
  }
  const whole = !options.only && !options.tests;
  const [, { percent }] = scores(judged).at(-1);
  if (alive.length > 0 || (whole && percent < AIM)) process.exitCode = 1;
}
