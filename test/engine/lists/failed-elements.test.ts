import { expect, it } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { DEMO, deferred, setup, states, until } from '../../support/setup.ts';
import { lines, listOf } from './list-of.ts';

const CHAIN = [
  { name: 'label', handler: 'label', inputs: { sku: 'element.sku' }, retry: { max_attempts: 1 } },
  { name: 'pack', handler: 'pack', dependencies: ['label'], inputs: { sku: 'element.sku' } },
];
const OPERATOR = { actor: 'ana', reason: 'repaired' };

/** Handlers, of which `label` fails for these elements. */
const failingFor = (skus: Set<string>) => [
  ...['start', 'pack', 'ship'].map((name) => defineHandler(name, {}, () => ({ from: name }))),
  defineHandler('label', {}, ({ context }) => {
    const { sku } = context.inputData as { sku: string };
    if (skus.has(sku)) throw new PermanentError(`no label for ${sku}`);
    return { sku };
  }),
];

const each = async (tasker: Tasker, taskUuid: string) => (await tasker.getStep(taskUuid, 'each'))!;

it('on_element_failure: block lets the others continue, then the task is blocked until the element succeeds', async () => {
  const failing = new Set(['S1', 'S5']);
  const { tasker } = await setup({ templates: listOf(CHAIN, { parallelism: 2 }), handlers: failingFor(failing) });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(9) } });
  const blocked = await until(
    () => tasker.getTask(taskUuid),
    ({ status }) => status === 'blocked_by_failures',
  );
  expect(blocked).toMatchObject({ failedSteps: 2, completedSteps: 15, pendingSteps: 4, healthStatus: 'blocked' });
  const before = await states(tasker, taskUuid);
  expect(before).toMatchObject({ 'label[1]': 'error', 'pack[1]': 'pending', 'pack[8]': 'complete', each: 'pending' });
  failing.clear();
  await tasker.retryStep(taskUuid, 'label[1]', OPERATOR);
  await until(
    () => states(tasker, taskUuid),
    (seen) => seen['pack[1]'] === 'complete',
  );
  expect((await tasker.getTask(taskUuid)).status).toBe('blocked_by_failures');
  await tasker.resolveStep(taskUuid, 'label[5]', OPERATOR);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect((await each(tasker, taskUuid)).results?.result).toEqual({ total: 9, completed: 9, failed: 0, failures: [] });
});

it('on_element_failure: continue completes the list, with null and the reason for a failed element', async () => {
  const { tasker } = await setup({
    templates: listOf(CHAIN, { on_element_failure: 'continue', output: 'steps.label.sku' }),
    handlers: failingFor(new Set(['S1'])),
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(3) } });
  expect(await tasker.waitForTask(taskUuid)).toMatchObject({ status: 'complete', failedSteps: 1, handledFailures: 1 });
  expect((await each(tasker, taskUuid)).results?.result).toEqual({
    total: 3,
    completed: 2,
    failed: 1,
    outputs: ['S0', null, 'S2'],
    failures: [{ element: 1, key: 'S1', step: 'label', message: 'no label for S1' }],
  });
  expect((await states(tasker, taskUuid))['pack[1]']).toBe('skipped');
  await expect(tasker.retryStep(taskUuid, 'label[1]', OPERATOR)).rejects.toThrow(
    `step label[1] of task ${taskUuid} cannot be retried: its list has continued without its element, or has ended; rerun the step and everything after it`,
  );
});

it('on_element_failure: stop cancels the others, and the step fails with the reason', async () => {
  const held = deferred();
  const begun = deferred();
  const { tasker } = await setup({
    templates: listOf(CHAIN, { on_element_failure: 'stop', parallelism: 3 }),
    handlers: [
      ...['start', 'pack', 'ship'].map((name) => defineHandler(name, {}, () => ({}))),
      defineHandler('label', {}, async ({ context }) => {
        const { sku } = context.inputData as { sku: string };
        if (sku === 'S1') {
          await begun.promise;
          throw new PermanentError('no label');
        }
        begun.resolve();
        await held.promise;
        return {};
      }),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(100) } });
  const blocked = await until(
    () => tasker.getTask(taskUuid),
    ({ status }) => status === 'blocked_by_failures',
  );
  held.resolve();
  expect(await states(tasker, taskUuid)).toEqual({
    start: 'complete',
    each: 'error',
    ship: 'pending',
    'label[0]': 'cancelled',
    'label[1]': 'error',
    'label[2]': 'cancelled',
    'pack[0]': 'skipped',
    'pack[1]': 'skipped',
    'pack[2]': 'skipped',
  });
  expect(blocked).toMatchObject({ handledFailures: 1 });
  expect((await each(tasker, taskUuid)).results?.error).toMatchObject({
    message: 'step each: element 1 (S1) failed, so the others were stopped: label[1]: no label',
    error_type: 'element_failed',
    retryable: false,
  });
});

it('a cancelled task cancels the elements, and none starts any more', async () => {
  const held = deferred();
  const { tasker, sql } = await setup({
    templates: listOf(CHAIN, { parallelism: 2 }),
    handlers: [
      ...['start', 'pack', 'ship'].map((name) => defineHandler(name, {}, () => ({}))),
      defineHandler('label', {}, () => held.promise),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(10) } });
  await until(
    () => states(tasker, taskUuid),
    (seen) => seen['label[1]'] === 'in_progress' && seen['label[0]'] === 'in_progress',
  );
  await tasker.cancelTask(taskUuid);
  held.resolve();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const seen = Object.values(await states(tasker, taskUuid));
  expect(seen).toHaveLength(7);
  expect(new Set(seen)).toEqual(new Set(['complete', 'cancelled']));
  expect(await sql('select count(*)::int n from tasker.queue')).toEqual([{ n: 0 }]);
});

it.each([
  ['context.order', { order: 7 }, 'step each: elements: the value is a number; it must be a list'],
  [
    'context.missing',
    {},
    'step each: elements: context.missing does not exist; test it first with has(context.missing)',
  ],
])('a list that is not a list fails its step: %s', async (elements, context, message) => {
  const { tasker } = await setup({ templates: listOf(CHAIN, { elements }), handlers: failingFor(new Set()) });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context });
  await until(
    () => tasker.getTask(taskUuid),
    ({ status }) => status === 'blocked_by_failures',
  );
  expect((await each(tasker, taskUuid)).results?.error?.message).toContain(message);
});

it('a key or an output that cannot be evaluated names the element', async () => {
  const { tasker } = await setup({
    templates: listOf(CHAIN, { key: undefined, output: '10 % element.n' }),
    handlers: failingFor(new Set()),
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: [{ sku: 'a', n: 3 }, { sku: 'b' }] } });
  await until(
    () => tasker.getTask(taskUuid),
    ({ status }) => status === 'blocked_by_failures',
  );
  expect((await each(tasker, taskUuid)).results?.error?.message).toContain('step each: output of element 1: ');
});

it('an operator who completes the step of a list ends its elements', async () => {
  const held = deferred();
  const { tasker } = await setup({
    templates: listOf(CHAIN, { parallelism: 2 }),
    handlers: [
      ...['start', 'pack', 'ship'].map((name) => defineHandler(name, {}, () => ({}))),
      defineHandler('label', {}, () => held.promise),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(5) } });
  await until(
    () => states(tasker, taskUuid),
    (seen) => seen['label[1]'] === 'in_progress',
  );
  await tasker.completeStep(taskUuid, 'each', { ...OPERATOR, result: { total: 0 } });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  held.resolve();
  expect(await states(tasker, taskUuid)).toMatchObject({
    'label[0]': 'cancelled',
    'pack[0]': 'skipped',
    ship: 'complete',
  });
});
