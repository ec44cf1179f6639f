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
  text: string;
  imports: string[];
}

const sources = new Map<string, Source>();

function sourceOf(file: string): Source {
  const known = sources.get(file);
  if (known) return known;
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const imports = [...text.matchAll(IMPORT)].map(([, ...names]) =>
    path.normalize(path.join(path.dirname(file), names.find((name) => name !== undefined)!)),
  );
  const source = { text, imports };
  sources.set(file, source);
  return source;
}

/** Returns the file and all files that it imports, directly or indirectly, without imports of types. */
function reachedFrom(file: string): string[] {
  const reached = new Set([file]);
  for (const each of reached) for (const next of sourceOf(each).imports) reached.add(next);
  return [...reached];
}

/** Returns the needs of a test file, given by its path from the root of the repository. */
export function needsOf(file: string): Needs {
  const reached = reachedFrom(path.normalize(file));
  const ofTests = reached.filter((each) => each.startsWith(`test${path.sep}`)).map((each) => sourceOf(each).text);
  const [, ...ofHelpers] = ofTests;
  const has = (...signs: RegExp[]) => ofTests.some((text) => signs.some((sign) => sign.test(text)));
  const changesProcess = ofTests.some((text) => OF_PROCESS.test(text.replace(PROGRAM_TEXT, '')));
  return {
    outside: has(...OUTSIDE),
    server: has(ASKS_FOR_SERVER),
    alone: changesProcess || ofHelpers.some((text) => HOOKS_OF_HELPER.test(text)),
    build: reached.includes(STARTS_THREADS) || has(STARTS_PROCESS, NAMES_BUILD),
    page: reached.includes(BUILDS_PAGE),
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
