import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import config from '../../vitest.config.ts';
import { needsOf, testFiles, testsAlone, unitTests } from '../support/suite/needs.ts';
import '../support/suite/unit-setup.ts';
import { NAMED_IN_TIERS, tiersOf } from '../support/suite/tiers.ts';

const processes = await import('node:child_process');
const threads = await import('node:worker_threads');

it('the unit tests are the test files whose imports reach no server, process or compiler', () => {
  const tests = unitTests();
  expect(tests).toEqual(
    expect.arrayContaining([
      'test/config/load-config.test.ts',
      'test/handlers/define-handler.test.ts',
      'test/model/context-limits.test.ts',
      'test/registry/resolver-chain.test.ts',
      'test/template/parse-template.test.ts',
      'test/time/together.test.ts',
    ]),
  );
  expect(tests.length).toBeGreaterThan(50);
  expect(tests.filter((file) => /^test\/(?:store|engine|crash)\//.test(file))).toEqual([]);
  expect(needsOf('test/engine/one-step.test.ts')).toMatchObject({ outside: true, server: true, build: true });
  expect(needsOf('test/surface.test.ts')).toMatchObject({ outside: true, server: false, page: false });
  expect(needsOf('test/web/lists.test.ts')).toMatchObject({ outside: true, server: true, page: true });
});

/** The projects that each command runs, according to package.json. */
function filesOf(...projects: string[]): Set<string> {
  const named = config.test!.projects!.map(
    (project) => (project as { test: { name: string; include: string[] } }).test,
  );
  return new Set(named.filter(({ name }) => projects.includes(name)).flatMap(({ include }) => include));
}

it('every test file belongs to npm test, to npm run test:rest, or to the static checks', () => {
  const covered = filesOf('unit', 'alone', 'postgres-18', 'rest', 'house');
  expect(testFiles().filter((file) => !covered.has(file))).toEqual([]);
});

it('the lists of the tiers name existing files, which do not need a separate process', () => {
  const isThere = (name: string) => existsSync(name) || existsSync(`${name}.test.ts`);
  expect(NAMED_IN_TIERS.filter((name) => !isThere(name))).toEqual([]);
  const alone = [...testsAlone(), ...unitTests()];
  expect(testFiles().filter((file) => tiersOf(file).rest && alone.includes(file))).toEqual([]);
});

it('a test that changes its process or uses a helper with hooks runs in a separate process', () => {
  expect(testsAlone()).toEqual(expect.arrayContaining(['test/db/database.test.ts', 'test/tracing/tracing.test.ts']));
  // The text of a program that threads run does not change the process of the test.
  expect(needsOf('test/worker/threads/threads.test.ts')).toMatchObject({ alone: false, build: true });
});

it('a unit test that starts a process or a thread fails', () => {
  expect(() => processes.spawn('true')).toThrow('a unit test starts a process');
  expect(() => processes.execFileSync('true')).toThrow('a unit test starts a process');
  expect(() => new threads.Worker('', { eval: true })).toThrow('a unit test starts a thread');
});
