import { describe, expect, it } from 'vitest';
import { exportsOf } from './support/exports-of.ts';

describe('the surface', () => {
  it('of tasker-core is this list, so that every change is visible', async () => {
    const { values, types } = exportsOf('src/index.ts');
    await expect(`${values.join('\n')}\n`).toMatchFileSnapshot('surface/values.txt');
    await expect(`${types.join('\n')}\n`).toMatchFileSnapshot('surface/types.txt');
  });

  it('of tasker-core/client is this list, so that every change is visible', async () => {
    const { values, types } = exportsOf('src/client/index.ts');
    await expect(`${values.join('\n')}\n`).toMatchFileSnapshot('surface/client-values.txt');
    await expect(`${types.join('\n')}\n`).toMatchFileSnapshot('surface/client-types.txt');
    expect(Object.keys(await import('../src/client/index.ts')).sort()).toEqual(values);
  });

  it('of tasker-core/orm is this list, so that every change is visible', async () => {
    const { values, types } = exportsOf('src/orm/index.ts');
    await expect(`${[...values, ...types].join('\n')}\n`).toMatchFileSnapshot('surface/orm.txt');
    expect(Object.keys(await import('../src/orm/index.ts')).sort()).toEqual(values);
  });
});
