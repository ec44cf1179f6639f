// Tries one mutant: runs the tests that cover it until one fails, then checks that the mutant is the cause.
import path from 'node:path';

/** Cost of a test in addition to its own time, in milliseconds: its share of imports and hooks. */
const OVERHEAD_MS = 300;

/** Maximum time of a test that takes `ms` without a mutant. */
const limitOf = (ms, factor) => factor * (10_000 + 5 * ms);

export class Judge {
  #tests;
  #reach;
  #budgetMs;
  /** By test: whether it passes in a lane without a mutant. Undefined if not tried yet. */
  #steady;
  #saveSteady;
  /** By source file: how many mutants each test killed. The tests that killed mutants run first. */
  #killers = new Map();

  constructor({ tests, reach, budgetMs, steady, saveSteady }) {
    this.#tests = tests;
    this.#reach = reach;
    this.#budgetMs = budgetMs;
    this.#steady = steady;
    this.#saveSteady = saveSteady;
  }

  /** The covering tests to run, the nearest and cheapest first, as far as the budget allows. */
  #plan(mutant) {
    const units = this.#reach(mutant);
    const killers = this.#killers.get(mutant.file) ?? new Map();
    const words = wordsOf(mutant.context);
    const cost = (test) => {
      const likely = 1 + 5 * (killers.get(keyOf(test)) ?? 0) + 2 * sharedWords(words, test);
      return ((test.ms + OVERHEAD_MS) * nearness(mutant.file, test.file)) / likely;
    };
    const covering = this.#tests
      .filter((test) => this.#steady[keyOf(test)] !== false && units.some((unit) => test.units.has(unit)))
      .sort((a, b) => cost(a) - cost(b));
    const planned = [];
    let ms = 0;
    for (const test of covering) {
      if (ms > 0 && ms + test.ms > this.#budgetMs) continue;
      ms += test.ms;
      planned.push(test);
    }
    return { planned, covering: covering.length };
  }

  /** Tries a mutant of a file. `original` and `mutated` are the whole text of the file. */
  async judge(lane, mutant, { original, mutated }) {
    const { planned, covering } = this.#plan(mutant);
    const answer = { covering, run: planned.length, flaky: [] };
    if (planned.length === 0) return { ...answer, outcome: 'survived', why: 'no test covers it' };
    try {
      for (const isolate of [false, true]) {
        let left = planned.filter((test) => test.isolate === isolate);
        while (left.length > 0) {
          lane.write(mutant.file, mutated);
          const failure = await this.#fails(lane, left);
          if (!failure) break;
          const suspects = suspectsOf(failure, left);
          if (await this.#fails(lane, suspects, 2)) {
            lane.write(mutant.file, original);
            if (await this.#passes(lane, suspects)) return { ...answer, ...this.#killed(mutant, suspects[0], failure) };
          } else answer.flaky.push(`${labelOf(failure)}: ${failure.message}`);
          // This failure does not count. The tests that have not run yet are next.
          left = left.filter((test) => !suspects.includes(test) && !failure.passed.has(keyOf(test)));
        }
      }
    } finally {
      lane.write(mutant.file, original);
    }
    return { ...answer, outcome: 'survived' };
  }

  async #fails(lane, tests, factor = 1) {
    const ms = new Map(tests.map((test) => [keyOf(test), test.ms]));
    const { results, failure } = await lane.run({
      tests: byFile(tests),
      limitOf: (file, name) => limitOf(ms.get(keyOf({ file, name })) ?? 5_000, factor),
      bail: true,
      isolate: tests[0].isolate,
    });
    if (!failure) return undefined;
    return { ...failure, passed: new Set(results.filter(({ state }) => state === 'passed').map(keyOf)) };
  }

  /** Whether the tests pass without a mutant, selected and run in the same way. */
  async #passes(lane, tests) {
    const unknown = tests.filter((test) => this.#steady[keyOf(test)] === undefined);
    if (unknown.length > 0) {
      const passes = !(await this.#fails(lane, unknown, 2));
      for (const test of unknown) this.#steady[keyOf(test)] = passes;
      this.#saveSteady(this.#steady);
    }
    return tests.every((test) => this.#steady[keyOf(test)]);
  }

  #killed(mutant, test, failure) {
    const killers = this.#killers.get(mutant.file) ?? new Map();
    killers.set(keyOf(test), (killers.get(keyOf(test)) ?? 0) + 1);
    this.#killers.set(mutant.file, killers);
    const { kind, message } = failure;
    return { outcome: 'killed', timeout: kind === 'timeout', test: test.file, by: labelOf(failure), message };
  }
}

const keyOf = ({ file, name }) => `${file}\n${name}`;
const labelOf = ({ file, name }) => [file ?? 'the test run', name].filter(Boolean).join(': ');

/** The tests that a failure belongs to: one test, or all tests of a file that failed as a whole. */
function suspectsOf(failure, tests) {
  const exact = tests.filter(({ file, name }) => file === failure.file && name === failure.name);
  if (exact.length > 0) return exact;
  const ofFile = tests.filter(({ file }) => file === failure.file);
  return ofFile.length > 0 ? ofFile : tests.filter(({ file }) => file === tests[0].file);
}

function byFile(tests) {
  const names = new Map();
  for (const { file, name } of tests) names.set(file, [...(names.get(file) ?? []), name]);
  return [...names];
}

/** Returns a smaller number for a test that is more likely to detect the mutant. */
function nearness(source, test) {
  const [, room = 'store', name] = /^(?:src\/(\w+)|statements)\/(?:.*\/)?([\w-]+)\.(?:ts|sql)$/.exec(source);
  if (path.basename(test, '.test.ts') === name.replaceAll('_', '-')) return 0.1;
  if (name.startsWith('event') || name === 'publishing') return test.startsWith('test/events/') ? 0.3 : 1;
  const rooms = { store: ['store', 'engine'], engine: ['engine', 'store'], worker: ['worker'] }[room];
  return rooms.some((each) => test.startsWith(`test/${each}/`)) ? 0.3 : 1;
}

/** Words of at least five letters, including those inside names: `missingHandlers` has `missing` and `handlers`. */
function wordsOf(text) {
  const words = text
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .match(/[a-z]{5,}/g);
  return new Set(words ?? []);
}

/** Returns how many words of the source around a mutant are in the name of a test. */
function sharedWords(words, { file, name }) {
  let shared = 0;
  for (const word of wordsOf(`${path.basename(file, '.test.ts')} ${name}`)) if (words.has(word)) shared++;
  return shared;
}
