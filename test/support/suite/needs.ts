import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The needs of a test file besides its own process, according to its imports. */
export interface Needs {
  /** Takes long: needs a database server, another process, the compiler, random cases or much processor time. */
  outside: boolean;
  /** A database server. A run starts servers only for these files. */
  server: boolean;
  /** A process that no other file shares, because it changes the process, or because a helper's hooks work only once. */
  alone: boolean;
  /** The built package, for child processes and for the threads of a worker. */
  build: boolean;
  /** The built web page. */
  page: boolean;
}

const OF_TESTS = `test${path.sep}`;
const STARTS_PROCESS = /from '(?:node:)?child_process'/;
const NAMES_BUILD = /\bdist\/(?!2020)/;
const ASKS_FOR_SERVER = /\binject\(/;
/** Patterns to search in the tests and in what they import from `test/`. */
const OUTSIDE = [
  STARTS_PROCESS,
  NAMES_BUILD,
  ASKS_FOR_SERVER,
  /from '(?:typescript|fast-check)'/,
  /^import \{[^}]*\bcpuMs\b/m,
];
const OF_PROCESS = /\bprocess\.(?:chdir\(|on\('warning')|\.setGlobal\w+\(|\bprocess, 'cwd'/;
const HOOKS_OF_HELPER = /^(?:before|after)(?:All|Each)\(/m;
/** A constant with the text of a program, which changes the process or thread that runs it. */
const PROGRAM_TEXT = /^const [A-Z_]+ = `.*?^`;$/gms;
/** A worker that runs from the sources starts its threads from the build. */
const STARTS_THREADS = path.normalize('src/worker/threads/thread-file.ts');
const BUILDS_PAGE = path.normalize('scripts/build-web.mjs');

const IMPORT = /^(?:import|export)\s(?!type\b)[^;'"]*?from\s+'(\.[^']+)'|^import '(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm;

interface Source {
  imports: string[];
  /** Whether the text has a sign of {@link OUTSIDE}. */
  outside: boolean;
  server: boolean;
  build: boolean;
  changesProcess: boolean;
  hooks: boolean;
}

const sources = new Map<string, Source>();

function sourceOf(file: string): Source {
  const known = sources.get(file);
  if (known) return known;
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const imports = [...text.matchAll(IMPORT)].map(([, ...names]) =>
    path.normalize(path.join(path.dirname(file), names.find((name) => name !== undefined)!)),
  );
  const isOfTests = file.startsWith(OF_TESTS);
  const has = (...signs: RegExp[]) => isOfTests && signs.some((sign) => sign.test(text));
  const source = {
    imports,
    outside: has(...OUTSIDE),
    server: has(ASKS_FOR_SERVER),
    build: has(STARTS_PROCESS, NAMES_BUILD),
    changesProcess: has(OF_PROCESS) && OF_PROCESS.test(text.replace(PROGRAM_TEXT, '')),
    hooks: has(HOOKS_OF_HELPER),
  };
  sources.set(file, source);
  return source;
}

/** Returns the file and all files in `test/` that it imports, directly or indirectly, without imports of types. */
function ofTestsFrom(file: string): string[] {
  const reached = new Set([file]);
  for (const each of reached) {
    for (const next of sourceOf(each).imports) if (next.startsWith(OF_TESTS)) reached.add(next);
  }
  return [...reached];
}

/** Returns a function that tells whether a file imports `target`, directly or indirectly. */
function importersOf(target: string): (file: string) => boolean {
  const known = new Map([[target, true]]);
  return (file) => {
    /** The files that `file` reaches, each with the file that imports it. */
    const reached = new Map<string, string | undefined>([[file, undefined]]);
    for (const [each] of reached) {
      const answer = known.get(each);
      if (answer === false) continue;
      if (answer) {
        for (let at: string | undefined = each; at !== undefined; at = reached.get(at)) known.set(at, true);
        return true;
      }
      for (const next of sourceOf(each).imports) if (!reached.has(next)) reached.set(next, each);
    }
    for (const each of reached.keys()) known.set(each, false);
    return false;
  };
}

const startsThreads = importersOf(STARTS_THREADS);
const buildsPage = importersOf(BUILDS_PAGE);

/** Returns the needs of a test file, given by its path from the root of the repository. */
export function needsOf(file: string): Needs {
  const test = path.normalize(file);
  const ofTests = ofTestsFrom(test).map(sourceOf);
  const [, ...ofHelpers] = ofTests;
  return {
    outside: ofTests.some(({ outside }) => outside),
    server: ofTests.some(({ server }) => server),
    alone: ofTests.some(({ changesProcess }) => changesProcess) || ofHelpers.some(({ hooks }) => hooks),
    // Read on demand, because these two read the imports of the sources as well.
    get build() {
      return ofTests.some(({ build }) => build) || startsThreads(test);
    },
    get page() {
      return buildsPage(test);
    },
  };
}

/** Returns all test files, by their paths from the root of the repository. */
export function testFiles(): string[] {
  return readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => path.join('test', file))
    .sort();
}

/** Returns the test files that need only a process, which they can share. `npm run test:unit` runs them. */
export function unitTests(): string[] {
  return testFiles().filter((file) => {
    const { outside, alone } = needsOf(file);
    return !outside && !alone;
  });
}

/** Returns the test files that need a separate process. */
export function testsAlone(): string[] {
  return testFiles().filter((file) => needsOf(file).alone);
}
