// Runs a batch with many workers in a separate process. Prints its time, memory and statements as JSON. Needs --expose-gc.
import { randomBytes } from 'node:crypto';
import { createTasker, defineHandler, mustParseTemplate, silentLogger } from '../../dist/bundle/index.js';

const { databaseUrl, workers, resultBytes = 0, ask = workers } = JSON.parse(process.argv[2]);
const used = () => {
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 2 ** 20;
};
/** Buffers are freed some time after the objects that refer to them, so this waits until nothing further is freed. */
const memory = async () => {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3 || (used() < least - 0.5 && round < 20); round++) {
    least = used();
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return Math.min(least, used());
};
const [seen, statements] = [{ first: 0, most: 0 }, {}];

const cut = defineHandler('cut', {}, () => {
  const configs = Array.from({ length: workers }, (_, i) => ({
    batch_id: String(i),
    start_cursor: i,
    end_cursor: i + 1,
  }));
  statements.before = tasker.statements;
  seen.cutAt = performance.now();
  return { batch_processing_outcome: { type: 'create_batches', cursor_configs: configs } };
});
const work = defineHandler('work', {}, ({ context }) => {
  if (seen.first === 0) {
    seen.first = performance.now();
    statements.created = tasker.statements;
  }
  return { items: 1, at: context.stepInputs.cursor.start_cursor, text: randomBytes(resultBytes / 2).toString('hex') };
});
const total = defineHandler('total', {}, async ({ context }) => {
  statements.worked = tasker.statements;
  seen.joined = await memory();
  let items = 0;
  for await (const { result } of context.dependencies('work_')) {
    items += result.items;
    if (items % 1000 === 0) seen.most = Math.max(seen.most, await memory());
    if (items === ask) break;
  }
  statements.read = tasker.statements;
  return { items };
});

const batch = {
  batch_size: 1,
  parallelism: 1_000,
  cursor_field: 'id',
  worker_template: 'work',
  failure_strategy: 'fail_fast',
};
const template = {
  name: 'large',
  namespace: 'test',
  version: '1.0.0',
  identity_strategy: 'always_unique',
  steps: [
    { name: 'cut', type: 'batchable', handler: 'cut' },
    { name: 'work', type: 'batch_worker', handler: 'work', depends_on: ['cut'], batch_config: batch },
    { name: 'total', type: 'deferred_convergence', handler: 'total', depends_on: ['work'] },
  ],
};
const tasker = await createTasker({
  databaseUrl,
  templates: mustParseTemplate(JSON.stringify(template)),
  handlers: [cut, work, total],
  logger: silentLogger,
});
const before = await memory();
const started = performance.now();
const { taskUuid } = await tasker.createTask({ namespace: 'test', name: 'large', version: '1.0.0' });
const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 120_000 });
const seconds = (performance.now() - started) / 1_000;
const { results } = await tasker.getStep(taskUuid, 'total');
await tasker.stop();
const after = await memory();
console.log(
  JSON.stringify({
    status,
    items: results.result?.items,
    createdMs: Math.round(seen.first - seen.cutAt),
    seconds: Number(seconds.toFixed(2)),
    memoryMb: { before, joined: seen.joined, most: seen.most, after },
    statements: {
      creation: statements.created - statements.before,
      workers: statements.worked - statements.created,
      reading: statements.read - statements.worked,
    },
  }),
);
