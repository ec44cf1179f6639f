// Runs all checks except the tests. Continues after a failure, so that one run reports all of them.
// With names as arguments, it runs only those: node scripts/check-static.mjs lint types
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkCommits, checkContents, checkLinks } from './check-files.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Returns a check that runs a program. Its output is only shown if it fails. */
function program(command, ...args) {
  return () => {
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
    });
    if (status === 0) return [];
    return [stdout, stderr, error?.message].filter(Boolean);
  };
}

const tool = (name, ...args) => program(path.join(root, 'node_modules/.bin', name), ...args);
const script = (name, ...args) => program(process.execPath, `scripts/${name}`, ...args);

/** Returns a check that consists of several. */
const all =
  (...checks) =>
  () =>
    checks.flatMap((check) => check());

/** The checks in order: dist is built before the checks that read it. */
const CHECKS = {
  format: tool('biome', 'ci', '--colors=off', '--diagnostic-level=warn', '--error-on-warnings', '.'),
  lint: tool('eslint', '.', '--max-warnings=0'),
  types: tool('tsc', '-p', 'tsconfig.json', '--noEmit'),
  'web-types': tool('tsc', '-p', 'web/tsconfig.json'),
  build: tool('tsc', '-p', 'tsconfig.build.json'),
  'web-build': tool('vite', 'build', 'web', '--logLevel', 'warn'),
  deadcode: tool('knip', '--no-progress'),
  distribution: script('distribution.mjs', '--check'),
  'template-schema': script('write-json-schema.mjs', '--check'),
  reference: all(
    script('write-reference.mjs', '--check'),
    script('write-verbs.mjs', '--check'),
    script('write-llms.mjs', '--check'),
  ),
  'handler-shapes': script('write-handler-shapes.mjs', '--check'),
  'database-schema': script('dump-schema.mjs', '--check'),
  statements: script('write-statements.mjs', '--check'),
  'package-shape': tool('publint', '--strict'),
  'package-types': tool('attw', '--pack', '.', '--profile', 'esm-only'),
  contents: () => checkContents(root),
  links: () => checkLinks(root),
  'docs-site': script('build-site.mjs'),
  prose: script('check-prose.mjs'),
  commits: () => checkCommits(root),
  house: tool('vitest', 'run', '--project', 'house'),
};

/** Runs a check. A check that throws is reported as failed, and the next checks still run. */
function outcomeOf(check) {
  try {
    return check();
  } catch (error) {
    return [error.stack];
  }
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in CHECKS));
if (unknown.length > 0) {
  console.error(`unknown check ${unknown.join(', ')}; the checks are ${Object.keys(CHECKS).join(', ')}`);
  process.exit(2);
}

const failed = [];
const names = wanted.length > 0 ? wanted : Object.keys(CHECKS);
for (const name of names) {
  const began = performance.now();
  const problems = outcomeOf(CHECKS[name]);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${problems.length === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  for (const problem of problems) console.log(problem.replace(/^/gm, '       '));
  if (problems.length > 0) failed.push(name);
}

if (failed.length > 0) console.log(`\nfailed: ${failed.join(', ')}`);
console.log(`static: ${names.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
