import { expect, it } from 'vitest';
import { NewestSnapshots } from '../../src/engine/template-store.ts';

it('the average number of uses of cached templates is rounded to two decimal places', () => {
  const kept = new NewestSnapshots<object>();
  expect(kept.stats.averageUses).toBe(0);
  for (const key of ['a', 'b', 'c']) kept.put(key, {});
  for (const key of ['a', 'b', 'b', 'c']) kept.get(key);
  expect(kept.stats).toMatchObject({ cached: 3, hits: 4, averageUses: 1.33 });
});
