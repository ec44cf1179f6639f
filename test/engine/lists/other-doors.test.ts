import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { DEMO, invariants, setup, states, until } from '../../support/setup.ts';
import { lines, listOf } from './list-of.ts';

const CHAIN = [{ name: 'label', handler: 'label', inputs: { sku: 'element.sku' }, retry: { max_attempts: 1 } }];
const OPERATOR = { actor: 'ana', reason: 'again' };

it('an undo ends the elements, and undoes the list with its result', async () => {
  const undone: unknown[] = [];
  const { tasker, sql } = await setup({
    templates: listOf(
      CHAIN,
      { output: 'steps.label.sku', undo: { handler: 'unpack' } },
      {
        fail: { dependencies: ['each'], retry: { max_attempts: 1 } },
      },
    ),
    handlers: [
      ...['start', 'ship'].map((name) => defineHandler(name, {}, () => ({}))),
      defineHandler('label', {}, ({ context }) => context.inputData),
      defineHandler('fail', {}, () => {
        throw new PermanentError('planned');
      }),
      defineHandler('unpack', {}, ({ context }) => {
        undone.push((context.undo!.result as { outputs: unknown }).outputs);
        return {};
      }),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(3) } });
  await until(
    () => states(tasker, taskUuid),
    (seen) => seen['fail'] === 'error' && seen['each'] === 'complete',
  );
  await tasker.undoTask(taskUuid, OPERATOR);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(undone).toEqual([['S0', 'S1', 'S2']]);
  await invariants(sql);
});

it('an undo while elements run cancels them, and the list has nothing to undo', async () => {
  let isHeld = true;
  const { tasker } = await setup({
    templates: listOf(CHAIN, { undo: { handler: 'unpack' }, parallelism: 2 }),
    handlers: [
      ...['start', 'ship', 'unpack'].map((name) => defineHandler(name, {}, () => ({}))),
      defineHandler('label', {}, async () => {
        while (isHeld) await new Promise((resolve) => setTimeout(resolve, 5));
        return {};
      }),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(9) } });
  await until(
    () => states(tasker, taskUuid),
    (seen) => seen['label[1]'] === 'in_progress',
  );
  await tasker.undoTask(taskUuid, OPERATOR);
  isHeld = false;
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(await states(tasker, taskUuid)).toMatchObject({ each: 'cancelled', 'label[0]': 'cancelled' });
});

it('an archived task is restored with its elements, and a deleted one leaves no rows', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tasker-lists-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { tasker, sql } = await setup({
    templates: listOf(CHAIN, { on_element_failure: 'continue', output: 'index' }),
    handlers: [
      ...['start', 'ship'].map((name) => defineHandler(name, {}, () => ({}))),
      defineHandler('label', {}, ({ context }) => {
        if (context.inputData['sku'] === 'S1') throw new PermanentError('planned');
        return {};
      }),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(3) } });
  await tasker.waitForTask(taskUuid);
  const tables = ['for_each', 'for_each_page', 'failed_element'];
  const rows = async () => {
    const counts = await Promise.all(
      tables.map((table) => sql<{ n: number }>(`select count(*)::int n from tasker.${table}`)),
    );
    return counts.map(([count]) => count!.n);
  };
  const before = await states(tasker, taskUuid);
  expect(await rows()).toEqual([1, 1, 1]);
  const { files } = await tasker.prune({ olderThan: '0s' }, { archive: folder }).result();
  expect(await rows()).toEqual([0, 0, 0]);
  await tasker.restoreArchive(files[0]!).result();
  expect(await rows()).toEqual([1, 1, 1]);
  expect(await states(tasker, taskUuid)).toEqual(before);
  const history = await tasker.getHistory(taskUuid);
  expect(history.map(({ step }) => step)).toContain('label[2]');
  await tasker.deleteTask(taskUuid, OPERATOR);
  expect(await rows()).toEqual([0, 0, 0]);
});
