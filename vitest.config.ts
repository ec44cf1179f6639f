import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { unitTests } from './test/support/needs.ts';

/** What must hold on every supported server; all else runs once, on the newest. */
const ON_EVERY_SERVER = ['test/store/**/*.test.ts', 'test/engine/**/*.test.ts'];
/** Faults and crashes: the suite has time for them on the newest and the oldest server; `npm run prove` has for the others. */
const FAULTS = 'test/crash/**/*.test.ts';
/** What needs no server, no build and no other process. */
const UNIT = unitTests();

const common = {
  pool: 'forks',
  // What a slow machine needs that does much else.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 20_000 } },
} as const;

/** Files of one process share its modules: importing them anew for each took a tenth of the suite's time. */
function onServer(postgres: string, include: string[]): TestProjectInlineConfiguration {
  return { test: { ...common, name: `postgres-${postgres}`, include, isolate: false, provide: { postgres } } };
}

export default defineConfig({
  test: {
    // Once for all projects: the line about tests that were not run, and the servers and the build that projects share.
    globalSetup: ['test/support/not-tested.ts', 'test/support/global-setup.ts'],
    // More than the cores that it is made for: much of it waits, for leases, timeouts, and other processes.
    maxWorkers: 4,
    // Each project would compile the sources anew.
    experimental: { fsModuleCache: true },
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'json-summary'] },
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: UNIT,
          isolate: false,
          setupFiles: ['test/support/unit-setup.ts'],
        },
      },
      {
        test: {
          ...common,
          name: 'once',
          include: ['test/**/*.test.ts'],
          exclude: [...UNIT, ...ON_EVERY_SERVER, FAULTS],
          provide: { postgres: '18' },
        },
      },
      {
        test: {
          name: 'types',
          include: [],
          typecheck: { enabled: true, only: true, include: ['test/**/*.test-d.ts'], tsconfig: './tsconfig.json' },
        },
      },
      onServer('18', [...ON_EVERY_SERVER, FAULTS]),
      onServer('17', process.env.PROVE === '1' ? [...ON_EVERY_SERVER, FAULTS] : ON_EVERY_SERVER),
      onServer('15', [...ON_EVERY_SERVER, FAULTS]),
    ],
  },
});
