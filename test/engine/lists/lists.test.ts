import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { DEMO, setup, states } from '../../support/setup.ts';
import { lines, listOf } from './list-of.ts';

const CHAIN = [
  { name: 'label', handler: 'label', inputs: { sku: 'element.sku', at: 'index', by: 'steps.start.by' } },
  { name: 'pack', handler: 'pack', dependencies: ['label'] },
];

it('the steps of a list run for each element, and its step has the outputs in order', async () => {
  const { tasker } = await setup({
    templates: listOf(CHAIN, { output: '{"of": steps.label.sku, "parcel": steps.pack.parcel, "at": index}' }),
    handlers: [
      defineHandler('start', {}, () => ({ by: 'truck' })),
      defineHandler('label', {}, ({ context }) => ({ ...context.inputData })),
      defineHandler('pack', { depends: { label: 'label' } }, ({ label }) => ({
        parcel: `P-${(label as { sku: string }).sku}`,
      })),
      defineHandler('ship', { depends: { each: 'each' } }, ({ each }) => ({ each })),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(30) } });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  const steps = await tasker.getSteps(taskUuid);
  const each = steps.find(({ name }) => name === 'each')!;
  expect(each.results?.result).toEqual({
    total: 30,
    completed: 30,
    failed: 0,
    outputs: lines(30).map(({ sku }, at) => ({ of: sku, parcel: `P-${sku}`, at })),
    failures: [],
  });
  expect(each).toMatchObject({ attempts: 1, currentState: 'complete' });
  expect(steps).toHaveLength(63);
  expect(steps.find(({ name }) => name === 'label[7]')!.results?.result).toEqual({ sku: 'S7', at: 7, by: 'truck' });
  expect((await tasker.getStep(taskUuid, 'pack[29]'))?.currentState).toBe('complete');
});

it('an empty list completes at once', async () => {
  const { tasker } = await setup({
    templates: listOf(CHAIN, { output: 'index' }),
    handlers: ['start', 'label', 'pack', 'ship'].map((name) => defineHandler(name, {}, () => ({}))),
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: [] } });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect(await states(tasker, taskUuid)).toEqual({ start: 'complete', each: 'complete', ship: 'complete' });
  const each = (await tasker.getSteps(taskUuid)).find(({ name }) => name === 'each')!;
  expect(each.results?.result).toEqual({ total: 0, completed: 0, failed: 0, outputs: [], failures: [] });
});
