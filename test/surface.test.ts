import { describe, expect, it } from 'vitest';
import { exportsOf } from './support/exports-of.ts';

describe('the surface', () => {
  it('of tasker-core is this list, so that every change is visible', async () => {
    const { values, types } = exportsOf('src/index.ts');
    await expect(`${values.join('\n')}\n`).toMatchFileSnapshot('surface/values.txt');
    await expect(`${types.join('\n')}\n`).toMatchFileSnapshot('surface/types.txt');
  });
});
