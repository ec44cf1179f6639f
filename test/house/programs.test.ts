import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PROGRAM_NAMES, PROGRAMS, programPath } from '../support/suite/programs.ts';

/** The test files of the suite that start an outside program. */
const FILES = [
  'test/crash/pgbouncer.test.ts',
  'test/db/fail-over.test.ts',
  'test/db/pooled-transactions.test.ts',
  'test/events/sinks/rabbitmq-sink.test.ts',
  'test/examples/python-worker.test.ts',
  'test/metrics/alert-rules.test.ts',
  'test/web/bad-night.test.ts',
  'test/web/child-tasks.test.ts',
  'test/web/defined.test.ts',
  'test/web/elements.test.ts',
  'test/web/frame.test.ts',
  'test/web/idle-pages.test.ts',
  'test/web/large.test.ts',
  'test/web/lists.test.ts',
  'test/web/overviews.test.ts',
  'test/web/roles.test.ts',
  'test/web/routes.test.ts',
  'test/web/runs.test.ts',
  'test/web/screens.test.ts',
  'test/web/task.test.ts',
  'test/web/timeline.test.ts',
  'test/web/truth.test.ts',
  'test/web/web-page.test.ts',
  'test/web/words.test.ts',
];
describe('an outside program', () => {
  it('is started only by suites that are skipped without it', () => {
    const tests = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((file) => /\.test\.ts$/.test(file));
    const starting = tests
      .map((file) => path.posix.join('test', file.replaceAll(path.sep, '/')))
      .filter((file) =>
        /describeWith\(\n? *'|support\/(crash-pgbouncer|rabbitmq-server)\.ts/.test(readFileSync(file, 'utf8')),
      );
    expect(starting.sort()).toEqual(FILES);
  });

  function folderWith(name: string, mode: number): string {
    const parent = mkdtempSync(path.join(tmpdir(), 'tasker-programs-'));
    onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
    for (const folder of ['bin', 'sbin']) mkdirSync(path.join(parent, folder));
    writeFileSync(path.join(parent, name), '#!/bin/sh\n');
    chmodSync(path.join(parent, name), mode);
    return path.join(parent, 'bin');
  }

  it('is found in the PATH, and in the sbin next to a bin of the PATH', () => {
    const [bin, besideSbin] = [folderWith('bin/python3', 0o755), folderWith('sbin/pgbouncer', 0o755)];
    expect(programPath('python3', bin)).toBe(path.join(bin, 'python3'));
    expect(programPath('pgbouncer', `/nowhere${path.delimiter}${besideSbin}`)).toBe(
      path.join(besideSbin, '../sbin/pgbouncer'),
    );
  });

  it('is missing if the PATH is empty, or if the file with its name is not executable', () => {
    for (const name of PROGRAM_NAMES) expect(programPath(name, '')).toBeUndefined();
    expect(programPath('python3', folderWith('bin/python3', 0o644))).toBeUndefined();
    const bin = folderWith('bin/other', 0o755);
    mkdirSync(path.join(bin, 'python3'));
    expect(programPath('python3', bin)).toBeUndefined();
  });

  it('is installed by the continuous integration, which fails if a program is missing', () => {
    const script = readFileSync('.ci/run', 'utf8');
    const packages = PROGRAM_NAMES.filter((name) => name !== 'pg_rewind').map((name) => PROGRAMS[name].debian);
    expect(script).toContain(`for one in ${packages.join(' ')}; do`);
    expect(script).toContain('/bin/pg_rewind >/dev/null 2>&1 || packages+=" postgresql"');
    expect(script).toMatch(/^export TASKER_REQUIRE_ALL=1$/m);
  });
});
