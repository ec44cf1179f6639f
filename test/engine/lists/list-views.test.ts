import { expect, it } from 'vitest';
import { taskGraph } from '../../../src/app/json/graph.ts';
import { taskTimeline } from '../../../src/app/json/timeline.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { DEMO, setup, until } from '../../support/setup.ts';
import { lines, listOf } from './list-of.ts';

const CHAIN = [
  { name: 'label', handler: 'label', inputs: { sku: 'element.sku' }, retry: { max_attempts: 1 } },
  { name: 'pack', handler: 'pack', dependencies: ['label'] },
];

/** Runs a list of nine elements, of which element 4 fails, until the others have ended. */
async function blockedList(more: Record<string, unknown> = {}, top: Record<string, unknown> = {}) {
  const { tasker } = await setup({
    templates: { ...listOf(CHAIN, { parallelism: 3, ...more }), ...top },
    handlers: [
      ...['start', 'pack', 'ship'].map((name) => defineHandler(name, {}, () => ({}))),
      defineHandler('label', {}, ({ context }) => {
        const { sku } = context.inputData as { sku: string };
        if (sku === 'S4') throw new PermanentError(`no label for ${sku}`);
        return {};
      }),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(9) } });
  await until(
    () => tasker.getTask(taskUuid),
    ({ status }) => status === 'blocked_by_failures' || status === 'complete',
  );
  return { tasker, taskUuid };
}

it('a step shows the progress of its list, and a step of an element the number and the label', async () => {
  const { tasker, taskUuid } = await blockedList();
  const progress = { total: 9, started: 9, open: 0, completed: 8, failed: 1 };
  expect(await tasker.getStep(taskUuid, 'each')).toMatchObject({ elements: progress, element: null });
  expect(await tasker.getStep(taskUuid, 'label[4]')).toMatchObject({
    elements: null,
    element: { number: 4, key: 'S4' },
  });
  expect(await tasker.getStep(taskUuid, 'start')).toMatchObject({ elements: null, element: null });
  const steps = await tasker.getSteps(taskUuid);
  expect(steps.filter(({ element }) => element).map(({ name, element }) => [name, element!.key])).toContainEqual([
    'pack[8]',
    'S8',
  ]);
});

it('a list without labels has none, and a list that has not begun has no progress', async () => {
  const { tasker, taskUuid } = await blockedList({ key: undefined });
  expect((await tasker.getStep(taskUuid, 'label[4]')).element).toEqual({ number: 4, key: null });
  const { taskUuid: later } = await tasker.createTask({
    ...DEMO,
    context: { lines: [] },
    startAt: new Date(Date.now() + 3_600_000),
  });
  expect((await tasker.getStep(later, 'each')).elements).toBeNull();
});

it('a label that reads a sensitive value is hidden from everyone, because labels are stored apart from the list', async () => {
  const { tasker, taskUuid } = await blockedList({}, { sensitive: ['lines'] });
  expect((await tasker.getStep(taskUuid, 'label[4]')).element).toEqual({ number: 4, key: '[redacted]' });
  const { steps } = await tasker.why(taskUuid);
  expect(steps.find(({ step }) => step === 'each')!.why).toContain('label[4] ([redacted]) failed');
});

it('the explanation of a list counts its elements and names the failed step, and steps wait within their element', async () => {
  const { tasker, taskUuid } = await blockedList();
  const { steps, summary } = await tasker.why(taskUuid);
  const why = (name: string) => steps.find(({ step }) => step === name)!;
  expect(why('each').why).toBe(
    'waits for its elements: 8 of 9 are complete, 1 failed; label[4] (S4) failed, so the list cannot complete until an operator acts',
  );
  expect(why('pack[4]')).toMatchObject({
    why: 'waits for label[4]; label[4] failed, so it cannot run until an operator acts',
    waitsFor: ['label[4]'],
  });
  expect(why('ship').why).toBe('waits for each');
  expect(summary).toMatch(/^cannot continue: label\[4\] failed permanently; an operator must act/);
});

it('the graph of a task connects the steps of equal elements only, and a list to its first steps', async () => {
  const { tasker, taskUuid } = await blockedList();
  const [{ task, steps }, snapshot] = [
    { task: await tasker.getTask(taskUuid), steps: await tasker.getSteps(taskUuid) },
    await tasker.engine.snapshotOf(taskUuid),
  ];
  const { nodes, edges } = taskGraph({ task, steps }, snapshot);
  const pairs = edges.map(({ from, to }) => `${from} -> ${to}`);
  expect(pairs).toHaveLength(2 + 9 + 9);
  expect(pairs).toContain('each -> label[7]');
  expect(pairs.filter((pair) => pair.endsWith(' -> pack[7]'))).toEqual(['label[7] -> pack[7]']);
  expect(pairs.filter((pair) => pair.endsWith(' -> ship'))).toEqual(['each -> ship']);
  expect(nodes.find(({ name }) => name === 'pack[7]')).toMatchObject({
    element_of: 'each',
    element: { number: 7, key: 'S7' },
  });
});

it('in the timeline, a list waits while its elements run, and a step of an element is ready after its own parent', async () => {
  const { tasker, taskUuid } = await blockedList({ on_element_failure: 'continue' }, {});
  const [task, steps, history, waits] = await Promise.all([
    tasker.waitForTask(taskUuid),
    tasker.getSteps(taskUuid),
    tasker.getHistory(taskUuid),
    tasker.getWaits(taskUuid),
  ]);
  const { graph } = await tasker.engine.snapshotOf(taskUuid);
  const shown = taskTimeline({ task, steps, history, waits, graph }, new Date().toISOString());
  const spans = (name: string) => shown.steps.find((step) => step.name === name)!.spans;
  const ms = (time: string | null) => Date.parse(time!);
  expect(spans('each').map(({ kind }) => kind)).toEqual(['queued', 'running', 'waiting', 'queued', 'running']);
  const [, begin, waited] = spans('each');
  expect(ms(waited!.from)).toBe(ms(begin!.to));
  for (const { name, spans: own } of shown.steps.filter(
    (step) => /^(label|pack)/.test(step.name) && step.spans.length,
  )) {
    expect(ms(own[0]!.from), name).toBeGreaterThanOrEqual(ms(begin!.to));
    expect(ms(own.at(-1)!.to), name).toBeLessThanOrEqual(ms(waited!.to));
  }
  expect(spans('pack[7]')[0]!.from).toBe(new Date(ms(spans('label[7]').at(-1)!.to)).toISOString());
});
