import { expect, it } from 'vitest';
import { needsOf, testsAlone, unitTests } from './support/suite/needs.ts';

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
      'test/unit-tests.test.ts',
    ]),
  );
  expect(tests.length).toBeGreaterThan(50);
  expect(tests.filter((file) => /^test\/(?:store|engine|crash)\//.test(file))).toEqual([]);
  expect(needsOf('test/engine/one-step.test.ts')).toMatchObject({ outside: true, server: true, build: true });
  expect(needsOf('test/surface.test.ts')).toMatchObject({ outside: true, server: false, page: false });
  expect(needsOf('test/web/lists.test.ts')).toMatchObject({ outside: true, server: true, page: true });
});

it('a test that changes its process or uses a helper with hooks runs in a separate process', () => {
  expect(testsAlone()).toEqual(
    expect.arrayContaining(['test/cli/doctor.test.ts', 'test/db/database.test.ts', 'test/tracing/tracing.test.ts']),
  );
  // The text of a program that threads run does not change the process of the test.
  expect(needsOf('test/worker/threads/threads.test.ts')).toMatchObject({ alone: false, build: true });
});

it('a unit test that starts a process or a thread fails', () => {
  expect(() => processes.spawn('true')).toThrow('a unit test starts a process');
  expect(() => processes.execFileSync('true')).toThrow('a unit test starts a process');
  expect(() => new threads.Worker('', { eval: true })).toThrow('a unit test starts a thread');
});
