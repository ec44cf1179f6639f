import { expect, it } from 'vitest';
import { Recent } from '../../../src/rest/auth/recent.ts';

it('the lookups of repeated unknown keys are limited like those of new keys', async () => {
  const recent = new Recent<string | undefined>({ freshMs: -1, most: 100, mostNew: 2 });
  const keys = Array.from({ length: 10 }, (_, i) => `invented ${i}`);
  for (const key of keys) await recent.get(key, async () => undefined);
  await recent.get('mine', async () => 'known');
  const pending = keys.map((key) => recent.get(key, () => new Promise<undefined>(() => undefined)));
  const refused = await Promise.all(
    pending.map((one) =>
      Promise.race([
        one.then(
          () => false,
          () => true,
        ),
        new Promise((resolve) => setImmediate(resolve, false)),
      ]),
    ),
  );
  expect(refused.filter(Boolean)).toHaveLength(8);
  // A key that was valid a moment ago is looked up in any case.
  expect(await recent.get('mine', async () => 'still known')).toBe('still known');
});
