import { expect, it, onTestFinished } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { Engine, KIND } from '../../src/engine/engine.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { uuidV7 } from '../../src/model/ids.ts';
import type { AttemptEnd } from '../../src/worker/attempt-end.ts';
import { Recorder } from '../../src/worker/recorder.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

/** Returns a recorder, and the end of an attempt that it can record. */
async function withOneEnd(recorded: () => void) {
  const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
  const { taskUuid } = await tasker.createTask(demo);
  const database = await Database.connect({ url: shared.url, poolSize: 2, logger: silentLogger });
  onTestFinished(() => database.close());
  const engine = new Engine(database, silentLogger);
  const { namespace } = demo;
  const identity = { name: 'w', host: 'h', pid: 1, namespaces: [namespace], callables: [], concurrency: 1 };
  const workerId = await engine.registerWorker({ ...identity, leaseMs: 60_000 });
  const namespaceIds = await engine.namespaceIds([namespace]);
  const token = workerId * 2 ** 24 + 1;
  const { steps } = await engine.claim({ limit: 1, token, workerId, namespaceIds, excluded: [] }, { timeoutMs: 9_000 });
  const { idx, attempts: attempt, templateId, rank } = steps[0]!;
  const about = { taskUuid, idx, claim: token, attempt, templateId, rank };
  // The recorder does not read `step` here, so it is omitted.
  const end = { ...about, kind: KIND.completed, delayMs: 0, durationMs: 1, result: '{}', detail: 'null' } as AttemptEnd;
  const { logger, lines } = collectingLogger();
  let reservations = 0;
  const recorder = new Recorder(
    engine,
    {
      reserve: () => ({ freeSlots: 0, token: token + ++reservations, lastRank: -101 }),
      recorded,
      doubt: () => undefined,
      release: () => undefined,
      withoutEvents: (end) => end,
    },
    logger,
  );
  onTestFinished(() => recorder.stop());
  return { recorder, end, lines, reservations: () => reservations, tasker, taskUuid };
}

it('a recorded batch is not sent again when a listener throws', async () => {
  let heard = 0;
  const { recorder, end, lines, reservations, tasker, taskUuid } = await withOneEnd(() => {
    heard++;
    throw new Error('the listener is broken');
  });
  recorder.push(end);
  await expect.poll(() => heard).toBe(1);
  expect(recorder.pending).toBe(0);
  await expect.poll(() => lines.length).toBeGreaterThan(0);
  expect(lines).toMatchObject([
    { level: 'error', message: 'results recorded, but processing the response failed', fields: { steps: 1 } },
  ]);
  expect(await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).toMatchObject({ status: 'complete' });
  expect([heard, reservations()]).toEqual([1, 1]);
});

it('results that are too large for one statement are recorded by several statements', async () => {
  const { recorder, end, lines, reservations } = await withOneEnd(() => {});
  // The tasks do not exist, so the database reads these results and rejects them.
  const large = { ...end, result: JSON.stringify('x'.repeat(17 * 1024 * 1024)) };
  for (let i = 0; i < 3; i++) recorder.push({ ...large, taskUuid: uuidV7() });
  await expect.poll(() => recorder.pending).toBe(0);
  expect([lines, reservations()]).toEqual([[], 3]);
});
