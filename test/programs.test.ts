import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PROGRAM_NAMES, PROGRAMS, programPath } from './support/suite/programs.ts';

/** The test files of the suite that start an outside program. */
const FILES = [
  'test/crash/pgbouncer.test.ts',
  'test/db/fail-over.test.ts',
  'test/db/pooled-transactions.test.ts',
  'test/events/sinks/rabbitmq-sink.test.ts',
  'test/examples/python-worker.test.ts',
  'test/metrics/alert-rules.test.ts',
  'test/web/bad-night.test.ts',
  'test/web/idle-pages.test.ts',
  'test/web/lists.test.ts',
  'test/web/roles.test.ts',
  'test/web/screens.test.ts',
  'test/web/task.test.ts',
  'test/web/web-page.test.ts',
];
/** A test file of a suite for each of these programs. */
const suitesFor = (names: readonly string[]) => `
import { describeWith } from '${pathToFileURL('test/support/suite/programs.ts')}';
import { it } from 'vitest';
for (const name of ${JSON.stringify(names)}) describeWith(name, 'suite of ' + name, () => it('runs', () => {}));
`;

interface Run {
  code: number;
  output: string;
}

/**
 * Runs these files, and a suite for each of the `others`, with an empty PATH. No server is set up for them, so a test that is
 * not skipped fails.
 */
async function withEmptyPath(
  files: readonly string[],
  others: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Run> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tasker-programs-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'others.test.mjs');
  const config = path.join(folder, 'vitest.config.mjs');
  if (others.length > 0)
    writeFileSync(file, suitesFor(others).replaceAll("'vitest'", `'${import.meta.resolve('vitest')}'`));
  const options = {
    root: process.cwd(),
    test: {
      include: [...files, file],
      testNamePattern:
        'suite of|pgbouncer|broker$|with a broker|in a browser|promtool|in Python|fail-over|web page|page of a task',
      globalSetup: ['test/support/suite/not-tested.ts'],
      // One process, because each would import all sources.
      pool: 'forks',
      isolate: false,
      maxWorkers: 1,
      experimental: { fsModuleCache: true },
    },
  };
  writeFileSync(config, `export default ${JSON.stringify(options)};`);
  const { TASKER_REQUIRE_ALL: _, ...ours } = process.env;
  return await new Promise((resolve) => {
    execFile(
      process.execPath,
      ['node_modules/vitest/vitest.mjs', 'run', '--config', config],
      { env: { ...ours, NO_COLOR: '1', PATH: '', ...env } },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), output: stdout + stderr }),
    );
  });
}

describe('a run of the suite without outside programs', () => {
  it('skips the tests that need them, and its last line names the programs and how to install them', async () => {
    const { code, output } = await withEmptyPath(FILES, []);
    expect(output).toMatch(/Tests +\d+ skipped \(\d+\)/);
    expect(output.trim().split('\n').at(-1)).toMatch(
      /^not tested, since programs are missing: a transaction pooler \(\d+ tests need pgbouncer\), a message broker \(\d+ tests need rabbitmq-server\), a browser \(\d+ tests need chromium\), Python \(1 test needs python3\), Prometheus rules \(1 test needs promtool\), replication \(1 test needs pg_rewind\); on Debian: apt-get install --no-install-recommends pgbouncer rabbitmq-server chromium python3 promtool postgresql$/,
    );
    expect(code).toBe(0);
  });

  it('fails with TASKER_REQUIRE_ALL=1 for each suite that needs a missing program', async () => {
    // The other files import all sources, and declare their suites in the same way.
    const { code, output } = await withEmptyPath(['test/metrics/alert-rules.test.ts'], PROGRAM_NAMES, {
      TASKER_REQUIRE_ALL: '1',
    });
    expect(output).toMatch(new RegExp(`Tests +${PROGRAM_NAMES.length + 1} failed \\| \\d+ skipped`));
    expect(output).toContain('TASKER_REQUIRE_ALL=1, and pgbouncer is not installed; on Debian: apt-get install');
    expect(output).toContain('not tested, since programs are missing: a transaction pooler');
    expect(code).toBe(1);
  });
});

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
