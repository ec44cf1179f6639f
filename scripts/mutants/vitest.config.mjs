// Configuration of a lane: runs the tests of its plan in order, one at a time, on a server that stays up between runs.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';

const plan = JSON.parse(readFileSync(process.env.MUTANTS_PLAN, 'utf8'));

class PlannedOrder extends BaseSequencer {
  sort(specifications) {
    const place = ({ moduleId }) => plan.files.indexOf(path.relative(plan.root, moduleId));
    return [...specifications].sort((a, b) => place(a) - place(b));
  }
  shard(specifications) {
    return specifications;
  }
}

export default defineConfig({
  root: plan.root,
  cacheDir: path.join(plan.folder, 'vite'),
  test: {
    include: plan.files,
    setupFiles: [path.join(plan.root, 'scripts/mutants/hooks.mjs')],
    reporters: [path.join(plan.root, 'scripts/mutants/reporter.mjs')],
    sequence: { sequencer: PlannedOrder },
    provide: { postgres: '18', servers: { 18: plan.server }, data: plan.data },
    pool: 'forks',
    maxWorkers: 1,
    isolate: plan.isolate,
    // The same limits as in the suite.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
  },
});
