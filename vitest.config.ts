import { defineConfig } from 'vitest/config';

/** What must hold on every supported server; all else runs on the newest. */
const ON_EVERY_SERVER = ['test/store/**/*.test.ts', 'test/engine/**/*.test.ts'];
/** Of faults and crashes the suite has time for on the newest and the oldest server; on the others `npm run prove` runs them. */
const ON_OLDEST_SERVER = [...ON_EVERY_SERVER, 'test/crash/**/*.test.ts'];
const ON_OTHER_SERVERS = process.env.PROVE === '1' ? ON_OLDEST_SERVER : ON_EVERY_SERVER;

const common = {
  pool: 'forks',
  // What a slow machine needs that does much else.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 20_000 } },
} as const;

export default defineConfig({
  test: {
    // Once for all projects: the servers and the build that they share.
    globalSetup: ['test/support/global-setup.ts'],
    // More than the cores that it is made for: much of it waits, for leases, timeouts, and other processes.
    maxWorkers: 4,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'json-summary'] },
    projects: [
      {
        test: {
          ...common,
          name: 'postgres-18',
          include: ['test/**/*.test.ts'],
          typecheck: { enabled: true, include: ['test/**/*.test-d.ts'], tsconfig: './tsconfig.json' },
          provide: { postgres: '18' },
        },
      },
      { test: { ...common, name: 'postgres-17', include: ON_OTHER_SERVERS, provide: { postgres: '17' } } },
      { test: { ...common, name: 'postgres-15', include: ON_OLDEST_SERVER, provide: { postgres: '15' } } },
    ],
  },
});
