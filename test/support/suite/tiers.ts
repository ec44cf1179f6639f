import path from 'node:path';

/**
 * The tests that `npm test` leaves out and `npm run test:rest` runs. An entry is a file without its ending, or a folder.
 * `npm test` keeps at least one test of each subject; the comments name it.
 */
const REST = [
  // Crashes and chaos. `npm test` keeps the kill of a worker, the kill of the server, lost answers, refused results, a locked
  // task and a pooler.
  'crash/blocked-for-a-minute',
  'crash/blocked-loop',
  'crash/dynamic-killed',
  'crash/eight-workers',
  'crash/events-killed',
  'crash/lost-expansions',
  'crash/lost-helpers',
  'crash/missing-handlers-killed',
  'crash/pause-races',
  'crash/prune-killed',
  'crash/random-faults',
  'crash/rerun-chaos',
  'crash/routes-killed',
  'crash/server-lost',
  'crash/signals-killed',
  'crash/silent-server',
  'crash/statistics-recount',
  'crash/lists-killed',
  'crash/undo-killed',
  'crash/worker-stopped',
  'db/fail-over',
  'db/lost-at-start',
  'engine/retention/prune-beside-load',
  'engine/schedules/schedules-killed',
  'engine/signals/races',
  'engine/waits/many-tokens',
  'engine/waits/races',
  'events/delivery/delivery-faults',
  'rest/load',
  'rest/streams-under-load',
  'worker/handler-processes',
  // Large inputs.
  'app/large-rerun',
  'engine/batches/large-batches',
  'engine/batches/large-fan-out',
  'events/delivery/bounded-memory',
  'worker/lease/thousands-of-workers',
  // Installation and packing. `npm test` starts commands from dist.
  'package',
  'cli/deployment',
  'cli/dev-reload',
  'cli/init',
  'cli/init-and-dev',
  'cli/worker-signals',
  // Embedded servers, also of other users. `npm test` starts one in `db/embedded-start`.
  'app/embedded',
  'cli/embedded-database',
  'db/embedded-binaries',
  'db/embedded-file-lock',
  'db/embedded-folders',
  'db/embedded-lifetimes',
  'db/embedded-settings',
  'db/embedded-users',
  'examples/embedded',
  // Whole programs. `npm test` runs the small examples and the programs of the pages.
  'examples/csv',
  'examples/night',
  'examples/orders-demo',
  'examples/python-worker',
  'examples/server',
  // Needs a message broker. `npm test` covers webhooks, and sinks that programs define.
  'events/sinks/rabbitmq-sink',
  // The browser.
  'client/browser',
  'web',
  // The compiler over whole programs.
  'docs-samples',
  'examples/page-compiled',
  'reference',
  'template/generated-types',
];

/** Tests with random cases. `npm test` runs a few with a fixed seed, `npm run test:rest` runs more with another seed. */
const BOTH = [
  'engine/batches/random-batches',
  'engine/dynamic-properties',
  'engine/properties',
  'engine/random-operators',
  'engine/lists/random-lists',
  'engine/random-undo',
  'engine/routes/random-routes',
  'rest/fuzz',
];

/** All entries, so that a test can check that they name existing files. */
export const NAMED_IN_TIERS = [...REST, ...BOTH].map((name) => `test/${name}`);

/** Returns whether `npm test` or `npm run test:rest` runs a test file, given by its path from the root. */
export function tiersOf(file: string): { test: boolean; rest: boolean } {
  const name = file.replaceAll(path.sep, '/').replace(/^test\/|\.test\.ts$/g, '');
  const inList = (list: readonly string[]) => list.some((each) => name === each || name.startsWith(`${each}/`));
  const both = inList(BOTH);
  return { test: both || !inList(REST), rest: both || inList(REST) };
}
