import { expect, it } from 'vitest';
import { DEMO, setup, template } from '../support/setup.ts';

it('work is ready only for a worker that serves its namespace', async () => {
  const { tasker } = await setup({
    templates: [template({ a: [] }), template({ a: [] }, { namespace: 'other' })],
    worker: false,
  });
  const { engine } = tasker;
  const [mine, other] = [await engine.namespaceIds([DEMO.namespace]), await engine.namespaceIds(['other'])];
  const ready = async (ids: readonly number[]) => (await engine.peek(ids, { timeoutMs: 10_000 })).ready;
  expect(await ready([...mine, ...other])).toBe(false);
  await tasker.createTask(DEMO);
  expect(await ready(mine)).toBe(true);
  expect(await ready([...mine, ...other])).toBe(true);
  expect(await ready(other)).toBe(false);
});
