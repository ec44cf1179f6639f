import { statSync } from 'node:fs';
import path from 'node:path';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { testFiles, testsAlone, unitTests } from './test/support/suite/needs.ts';
import { tiersOf } from './test/support/suite/tiers.ts';

/** Tests that run on every supported server. All others run once, on the newest. */
const STATEMENTS = 'test/store/**/*.test.ts';
/** Tests of the engine, faults and crashes run on the newest server; `npm run prove` runs them on the others as well. */
const ENGINE = 'test/engine/**/*.test.ts';
const FAULTS = 'test/crash/**/*.test.ts';
const ON_SERVERS = [STATEMENTS, ENGINE, FAULTS];
/**
 * These run on the oldest server too. Together they execute nearly every statement of the engine. This includes all
 * statements that are built for a call, and statements that lock, are cancelled, or lose their session.
 * `test/store/every-statement.test.ts` plans all statements on all servers.
 */
const ON_OLDEST = [
  'crash/eight-workers',
  'crash/locked-task',
  'crash/refused-result',
  'crash/server-lost',
  'engine/analytics/counting',
  'engine/analytics/queueing',
  'engine/analytics/statistics',
  'engine/approvals/approvals',
  'engine/batches/batches',
  'engine/batches/random-batches',
  'engine/checkpoints',
  'engine/dead-letters/redrive',
  'engine/decisions',
  'engine/history-times',
  'engine/identity',
  'engine/life-of-a-task',
  'engine/migrate',
  'engine/operate/audit',
  'engine/operate/retry-and-delete',
  'engine/operate/search',
  'engine/operate/search-projection',
  'engine/operate/summary',
  'engine/queue-compaction',
  'engine/recorded-together',
  'engine/rerun/rerun',
  'engine/retention/archive',
  'engine/retention/compact',
  'engine/retention/prune',
  'engine/schedules/schedules',
  'engine/settled-by-hand',
  'engine/signals/inbox',
  'engine/signals/signals',
  'engine/streams/late-commits',
  'engine/times-under-lock',
  'engine/waits/begin-and-end',
  'engine/waits/operators',
  'engine/waits/start-later',
].map((name) => `test/${name}.test.ts`);
/** Log lines of the program appear with the failed test only. */
const LOG_LINES = 'test/support/suite/log-lines.ts';
const PROVE = process.env.PROVE === '1';
/** The seed of the random tests of `npm run test:rest`. */
const SEED = Number(process.env.SEED ?? Date.now() % 1e6);
/** Tests of the checks and lists of this repository, which `npm run check:static` runs. */
const HOUSE = testFiles().filter((file) => file.startsWith(path.join('test', 'house')));
/** Tests without a server, a build or another process. */
const UNIT = new Set(unitTests().filter((file) => !HOUSE.includes(file)));
/** Tests that change their process. All others share processes, because starting one and importing the sources takes a second. */
const ALONE = new Set(testsAlone());

const WITH_SERVER = testFiles().filter((file) => !UNIT.has(file) && !ALONE.has(file) && !HOUSE.includes(file));

const common: NonNullable<TestProjectInlineConfiguration['test']> = {
  pool: 'forks',
  isolate: false,
  // Enough for a slow and busy machine. A poll ends before the default lease of 30 s does.
  testTimeout: 240_000,
  hookTimeout: 240_000,
  expect: { poll: { timeout: 28_000 } },
  // Not `performance`: work that an earlier file of the same process left behind would wait for its clock forever.
  fakeTimers: { toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] },
};

/** A project whose tests run on one version of PostgreSQL. */
function onServer(
  name: string,
  postgres: string,
  include: string[],
  options: { isolate?: boolean; thorough?: boolean } = {},
): TestProjectInlineConfiguration {
  const { isolate = false, thorough = false } = options;
  const setupFiles = [LOG_LINES, 'test/support/suite/random-seed.ts'];
  const seed = thorough ? SEED : Number(process.env.SEED ?? 1);
  return { test: { ...common, name, include, isolate, setupFiles, provide: { postgres, thorough, seed } } };
}

/** Starts with the longest files. One that starts last would keep a single worker busy at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const length = (file: TestSpecification) => {
      const known = this.ctx.cache.getFileTestResults(`${file.project.name}:${path.relative('.', file.moduleId)}`);
      return known?.duration ?? statSync(file.moduleId).size;
    };
    // By project, because a process serves only one. The unit tests, which are short, come last.
    const project = (file: TestSpecification) => file.project.name;
    return [...files].sort((a, b) => project(a).localeCompare(project(b)) || length(b) - length(a));
  }
}

/** The paths that the command line names, as `npm run test:one -- test/engine/one-step.test.ts` does. */
const NAMED = process.argv.slice(2).flatMap((arg) => /^(?:\.\/)?(test\/.+)$/.exec(arg)?.[1] ?? []);

/** Returns the projects that may have a named file, because starting each of the others takes a tenth of a second. */
function ofNamed(projects: TestProjectInlineConfiguration[]): TestProjectInlineConfiguration[] {
  const found = projects.filter(({ test }) => {
    const { include = [], typecheck } = test ?? {};
    if (typecheck?.enabled) return NAMED.some((name) => !name.endsWith('.test.ts'));
    return include.some((file) => NAMED.some((name) => file.includes(name)));
  });
  return found.length > 0 ? found : projects;
}

export default defineConfig({
  test: {
    // Once for all projects: the line about skipped tests, and the shared servers and build.
    globalSetup: ['test/support/suite/not-tested.ts', 'test/support/suite/global-setup.ts'],
    // For two cores. Many tests wait for leases, timeouts and other processes.
    maxWorkers: 5,
    sequence: { sequencer: LongestFirst },
    reporters: ['./test/support/suite/reporter.ts'],
    // One line for each file, and log lines only of failed tests.
    slowTestThreshold: Number.POSITIVE_INFINITY,
    silent: 'passed-only',
    // Without it, each project compiles the sources again.
    experimental: { fsModuleCache: true },
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'json-summary'] },
    projects: ofNamed([
      // `npm test`
      {
        test: {
          ...common,
          name: 'unit',
          include: [...UNIT],
          setupFiles: [LOG_LINES, 'test/support/suite/unit-setup.ts'],
        },
      },
      onServer('alone', '18', [...ALONE], { isolate: true }),
      onServer(
        'postgres-18',
        '18',
        WITH_SERVER.filter((file) => tiersOf(file).test),
      ),
      // `npm run test:rest`
      {
        test: {
          name: 'types',
          include: [],
          typecheck: { enabled: true, only: true, include: ['test/**/*.test-d.ts'], tsconfig: './tsconfig.types.json' },
        },
      },
      onServer(
        'rest',
        '18',
        WITH_SERVER.filter((file) => tiersOf(file).rest),
        { thorough: true },
      ),
      onServer('postgres-17', '17', PROVE ? ON_SERVERS : [STATEMENTS], { thorough: true }),
      onServer('postgres-15', '15', PROVE ? ON_SERVERS : [STATEMENTS, ...ON_OLDEST], { thorough: true }),
      // `npm run check:static`
      { test: { ...common, name: 'house', isolate: true, include: HOUSE } },
    ]),
  },
});
