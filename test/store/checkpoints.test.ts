import { expect, it } from 'vitest';
import { isSaved, loadCheckpoints, saveCheckpoint } from '../../src/store/checkpoints.ts';
import { handWorker } from '../support/hand-worker.ts';

it('a checkpoint belongs to one step, and only the holder of the current claim can save it', async () => {
  const { engine, claim, held, taskUuid } = await handWorker({ a: [], b: [] });
  await claim();
  const { database } = engine;
  const keyOf = (name: string) => ({ taskUuid, idx: held.get(name)!.row.idx, claim: held.get(name)!.token });
  const [a, b] = [keyOf('a'), keyOf('b')];
  expect(await saveCheckpoint(database, a, '{"cursor":1}')).toBe(true);
  expect(await saveCheckpoint(database, b, '{"cursor":2}')).toBe(true);
  expect(await saveCheckpoint(database, { ...a, claim: a.claim + 1 }, '{"cursor":3}')).toBe(false);
  const saved = (step: typeof a, cursor: number) => ({
    taskUuid,
    idx: step.idx,
    data: `{"cursor": ${cursor}}`,
    calls: null,
  });
  expect(await loadCheckpoints(database, [a])).toEqual([saved(a, 1)]);
  expect(await loadCheckpoints(database, [b])).toEqual([saved(b, 2)]);
  expect(await isSaved(database, a, '{"cursor":1}')).toBe(true);
  expect(await isSaved(database, a, '{"cursor":2}')).toBe(false);
});
