import { expect, it } from 'vitest';
import { listTemplates, newestDigests } from '../../src/store/templates.ts';
import { digestOf } from '../../src/template/template-digest.ts';
import { setup, template } from '../support/setup.ts';

it('templates are listed by name and version with their newest registration', async () => {
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

it('the newest digest of a template is found by its namespace, name and version', async () => {
  const { tasker } = await setup({ worker: false });
  const one = (namespace: string, name: string, version: string, ...steps: string[]) =>
    template(Object.fromEntries(steps.map((step) => [step, []])), { namespace, name, version });
  const all = [
    one('shop', 'pay', '1.0.0', 'a'),
    one('shop', 'pay', '2.0.0', 'a', 'b'),
    one('shop', 'ship', '1.0.0', 'a', 'b', 'c'),
    one('bank', 'pay', '1.0.0', 'a', 'b', 'c', 'd'),
  ];
  await tasker.registerTemplates(all);
  const { database } = tasker.engine;
  const wanted = { namespace: 'shop', name: 'pay', version: '1.0.0' };
  expect(await newestDigests(database, [wanted])).toEqual([{ ...wanted, digest: digestOf(all[0]!), byProgram: true }]);
  expect(await newestDigests(database, [{ ...wanted, version: '3.0.0' }])).toEqual([]);
  expect(await newestDigests(database, [{ ...wanted, name: 'refund' }])).toEqual([]);
  expect(await newestDigests(database, [{ ...wanted, namespace: 'home' }])).toEqual([]);
});
