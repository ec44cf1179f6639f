// Lists the files of the built package that run for a one-step task, from createTask to the end of the task. It uses V8
// coverage, and lists the files roughly in the order of their first calls.
//   node scripts/trace-step.mjs [--json]     DATABASE_URL, or an embedded server
import { Session } from 'node:inspector/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { buildIfStale } from './build-if-stale.mjs';

/** Number of tasks. Large enough that occasional work (a poll, a heartbeat) does not happen in all of them. */
const TASKS = 25;
/** A task that takes longer is left out, because a poll or a heartbeat may happen in every such task. */
const QUICK_MS = 500;
const MOST_TRIES = 200;
/** Number of tasks that run first, so that all modules are loaded and all caches are filled. */
const WARM_UP = 3;

const { values: options } = parseArgs({
  options: { json: { type: 'boolean', default: false } },
});

buildIfStale();
const root = path.dirname(import.meta.dirname);
const dist = pathToFileURL(path.join(root, 'dist/')).href;
const { createTasker, defineHandler, mustParseTemplate, silentLogger } = await import(`${dist}index.js`);
const { withDatabase, withServer } = await import('../bench/harness.mjs');

const TEMPLATE = `
name: one_step
namespace: trace
version: 1.0.0
identity_strategy: always_unique
steps:
  - name: work
    handler: work
`;

/** Records the files whose functions are called during a run. Calls before it, while modules load, do not count. */
class Trace {
  #session = new Session();
  #files = new Map();
  #running = false;

  async start() {
    this.#session.connect();
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  }

  async of(run) {
    await this.#take();
    this.#files = new Map();
    this.#running = true;
    const looking = this.#look();
    await run();
    this.#running = false;
    await looking;
    await this.#take();
    return this.#files;
  }

  /** Reads the calls after each turn of the event loop. The order within a turn is unknown. */
  async #look() {
    while (this.#running) {
      await this.#take();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Reads the calls, which resets the counts. */
  async #take() {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage');
    for (const { url, functions } of result) {
      if (!url.startsWith(dist)) continue;
      const called = functions.filter(({ ranges }) => ranges[0].count > 0).map(({ functionName }) => functionName);
      if (called.length === 0) continue;
      const file = fileURLToPath(url).slice(fileURLToPath(dist).length);
      const known = this.#files.get(file) ?? new Set();
      for (const name of called) known.add(name);
      this.#files.set(file, known);
    }
  }
}

async function filesOfTasks(databaseUrl) {
  const work = defineHandler('work', {}, async () => ({ done: true }));
  const templates = [mustParseTemplate(TEMPLATE)];
  const tasker = await createTasker({ templates, handlers: [work], databaseUrl, logger: silentLogger });
  const once = async () => {
    const { taskUuid } = await tasker.createTask({
      namespace: 'trace',
      name: 'one_step',
      version: '1.0.0',
      context: {},
    });
    const { status } = await tasker.waitForTask(taskUuid);
    if (status !== 'complete') throw new Error(`the task is ${status}`);
  };
  for (let i = 0; i < WARM_UP; i++) await once();
  const trace = new Trace();
  await trace.start();
  const seen = [];
  for (let tries = 0; seen.length < TASKS && tries < MOST_TRIES; tries++) {
    const from = performance.now();
    const files = await trace.of(once);
    if (performance.now() - from < QUICK_MS) seen.push(files);
  }
  await tasker.stop();
  if (seen.length < TASKS)
    throw new Error(`the machine is too busy: ${seen.length} of ${MOST_TRIES} tasks took less than ${QUICK_MS} ms`);
  const [first, ...others] = seen;
  return [...first]
    .filter(([file]) => others.every((files) => files.has(file)))
    .map(([file, functions]) => ({ file, functions: [...functions].filter((name) => name !== '') }));
}

await withServer((server) =>
  withDatabase(server, async (url) => {
    const files = await filesOfTasks(url);
    if (options.json) console.log(JSON.stringify(files, null, 2));
    else {
      for (const [at, { file, functions }] of files.entries())
        console.log(`${String(at + 1).padStart(3)} ${file}  ${functions.join(', ')}`);
    }
    console.log(`a one-step task passes through ${files.length} files`);
  }),
);
