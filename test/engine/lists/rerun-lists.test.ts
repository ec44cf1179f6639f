import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { DEMO, invariants, setup, states, until } from '../../support/setup.ts';
import { lines, listOf } from './list-of.ts';

const CHAIN = [
  { name: 'label', handler: 'label', inputs: { sku: 'element.sku' } },
  { name: 'pack', handler: 'pack', dependencies: ['label'], inputs: { sku: 'element.sku', n: 'steps.label.n' } },
];
const OPERATOR = { actor: 'ana', reason: 'again' };

/** A task whose list has ended, with the calls of its handlers. */
async function ended(more: Record<string, unknown> = {}, failing: Set<string> = new Set()) {
  const calls: string[] = [];
  let list = lines(4);
  const noting = (name: string, also: (sku: string) => object = () => ({})) =>
    defineHandler(name, {}, ({ context }) => {
      const { sku = '' } = context.inputData as { sku?: string };
      calls.push(`${name} ${sku}`.trim());
      if (failing.has(sku)) throw new PermanentError('planned');
      return also(sku);
    });
  const { tasker, sql } = await setup({
    templates: listOf(CHAIN, { elements: 'steps.start.lines', output: 'steps.pack.n', ...more }),
    handlers: [
      noting('start', () => ({ lines: list })),
      noting('label', () => ({ n: calls.length })),
      defineHandler('pack', {}, ({ context }) => {
        calls.push(`pack ${(context.inputData as { sku: string }).sku}`);
        return { n: (context.inputData as { n: number }).n };
      }),
      noting('ship'),
    ],
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  const end = await tasker.waitForTask(taskUuid);
  expect(end.status).toBe('complete');
  const first = calls.splice(0);
  const outputs = async () =>
    ((await tasker.getStep(taskUuid, 'each'))!.results!.result as { outputs: (number | null)[] }).outputs;
  return { tasker, sql, taskUuid, calls, first, outputs, replace: (next: typeof list) => (list = next) };
}

it('a rerun of the list evaluates it again: elements may be others, and attempts continue', async () => {
  const { tasker, sql, taskUuid, calls, replace, outputs } = await ended();
  replace(lines(2));
  const plan = await tasker.rerunTask(taskUuid, { ...OPERATOR, from: 'start', dryRun: true });
  expect(plan.steps.filter(({ change }) => change === 'removed')).toHaveLength(8);
  await tasker.rerunTask(taskUuid, { ...OPERATOR, from: 'start' });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect(calls.toSorted()).toEqual(['label S0', 'label S1', 'pack S0', 'pack S1', 'ship', 'start']);
  expect(await outputs()).toHaveLength(2);
  expect(Object.keys(await states(tasker, taskUuid))).toHaveLength(7);
  expect(await tasker.getStep(taskUuid, 'label[1]')).toMatchObject({ attempts: 1, rerun: 1 });
  await invariants(sql);
});

it('a rerun from a step of one element runs the rest of its chain, and what follows the list', async () => {
  const { tasker, sql, taskUuid, calls, outputs } = await ended();
  const before = await outputs();
  await tasker.rerunTask(taskUuid, { ...OPERATOR, from: 'label[2]' });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect(calls).toEqual(['label S2', 'pack S2', 'ship']);
  const after = await outputs();
  expect([0, 1, 3].map((i) => after[i])).toEqual([0, 1, 3].map((i) => before[i]));
  expect(after[2]).toBe(1);
  calls.length = 0;
  await tasker.rerunTask(taskUuid, { ...OPERATOR, from: 'pack[0]' });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect(calls).toEqual(['pack S0', 'ship']);
  await invariants(sql);
});

it('a failed element of an ended list can be run again', async () => {
  const failing = new Set(['S1', 'S3']);
  const { tasker, sql, taskUuid, calls, outputs } = await ended({ on_element_failure: 'continue' }, failing);
  expect((await outputs())[1]).toBe(null);
  failing.delete('S1');
  await tasker.rerunTask(taskUuid, { ...OPERATOR, from: 'label[1]' });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect(calls).toEqual(['label S1', 'pack S1', 'ship']);
  expect((await tasker.getStep(taskUuid, 'each'))!.results!.result).toMatchObject({ completed: 3, failed: 1 });
  await invariants(sql);
});

it('a rerun from all elements of a step names the ways out', async () => {
  const { tasker, taskUuid } = await ended();
  await expect(tasker.rerunTask(taskUuid, { ...OPERATOR, from: 'label' })).rejects.toThrow(
    `label runs for each element of each; run task ${taskUuid} again from a step of one element, such as label[0], or from each, which runs all elements again`,
  );
});

it('a task that was cancelled while its list ran continues after a redrive', async () => {
  const calls: string[] = [];
  let isHeld = true;
  const { tasker, sql } = await setup({
    templates: listOf(CHAIN, { parallelism: 2, elements: 'context.lines' }),
    handlers: [
      ...['start', 'ship'].map((name) => defineHandler(name, {}, () => ({}))),
      defineHandler('label', {}, async ({ context }) => {
        const { sku } = context.inputData as { sku: string };
        calls.push(sku);
        while (isHeld && sku !== 'S0') await new Promise((resolve) => setTimeout(resolve, 5));
        return { n: 1 };
      }),
      defineHandler('pack', {}, () => ({})),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(6) } });
  await until(
    () => states(tasker, taskUuid),
    (seen) => seen['pack[0]'] === 'complete' && seen['label[2]'] === 'in_progress',
  );
  await tasker.cancelTask(taskUuid);
  isHeld = false;
  await tasker.deadLetters.add(taskUuid, OPERATOR);
  await tasker.deadLetters.redrive(taskUuid, OPERATOR);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect((await tasker.getStep(taskUuid, 'each'))!.results!.result).toMatchObject({ total: 6, completed: 6 });
  expect(calls.filter((sku) => sku === 'S0')).toHaveLength(1);
  await invariants(sql);
});
