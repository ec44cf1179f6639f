import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** What a test file needs besides its own process, as its imports show. */
export interface Needs {
  /** A database server or another process; or the compiler, random properties, processor time: what takes long. */
  outside: boolean;
  /** The built package: child processes run it, and so do the threads of a worker. */
  build: boolean;
}

const STARTS_PROCESS = /from '(?:node:)?child_process'/;
const NAMES_BUILD = /\bdist\/(?!2020)/;
/** Looked for in the tests and in what they import from `test/`. */
const OUTSIDE = [
  STARTS_PROCESS,
  NAMES_BUILD,
  /\binject\(/,
  /from '(?:typescript|fast-check)'/,
  /^import \{[^}]*\bcpuMs\b/m,
];
/** A worker in the sources starts its threads from the build. */
const STARTS_THREADS = path.normalize('src/worker/threads/thread-file.ts');

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

/** The file and all files that it imports, directly or not; without imports of types. */
function reachedFrom(file: string): string[] {
  const reached = new Set([file]);
  for (const each of reached) for (const next of sourceOf(each).imports) reached.add(next);
  return [...reached];
}

/** Returns the needs of a test file, given by its path from the root of the repository. */
export function needsOf(file: string): Needs {
  const reached = reachedFrom(path.normalize(file));
  const ofTests = reached.filter((each) => each.startsWith(`test${path.sep}`)).map((each) => sourceOf(each).text);
  return {
    outside: ofTests.some((text) => OUTSIDE.some((sign) => sign.test(text))),
    build:
      reached.includes(STARTS_THREADS) || ofTests.some((text) => STARTS_PROCESS.test(text) || NAMES_BUILD.test(text)),
  };
}

/** Returns the test files that need nothing but their own process: `npm run test:unit` runs them. */
export function unitTests(): string[] {
  const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => path.join('test', file));
  return files.filter((file) => !needsOf(file).outside).sort();
}
