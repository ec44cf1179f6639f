import { expect, it } from 'vitest';
import { listTemplates } from '../../src/store/templates.ts';
import { setup, template } from '../support/setup.ts';

it('templates are listed by name and version, each as it was registered last', async () => {
  const one = (name: string, version: string, ...steps: string[]) =>
    template(Object.fromEntries(steps.map((step) => [step, []])), { name, version });
  const { tasker } = await setup({ worker: false });
  await tasker.registerTemplates([one('pay', '2.0.0', 'a'), one('pay', '1.0.0', 'a'), one('cancel', '1.0.0', 'a')]);
  await tasker.registerTemplates([one('pay', '1.0.0', 'a', 'b')]);
  await tasker.registerTemplates([one('pay', '1.0.0', 'a', 'b', 'c')]);
  const listed = await listTemplates(tasker.engine.database);
  expect(listed.map(({ name, version, steps }) => [name, version, steps])).toEqual([
    ['cancel', '1.0.0', 1],
    ['pay', '1.0.0', 3],
    ['pay', '2.0.0', 1],
  ]);
});
