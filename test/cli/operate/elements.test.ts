import { beforeAll, expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { listOf } from '../../engine/lists/list-of.ts';
import { endStates } from '../../support/setup.ts';
import { projectOnDatabase } from '../installation.ts';

const on = projectOnDatabase();
const CHAIN = [
  { name: 'label', handler: 'label', inputs: { sku: 'element.sku' }, retry: { max_attempts: 1 } },
  { name: 'pack', handler: 'pack', dependencies: ['label'] },
];
let small: string;
let large: string;

/** A list of three elements and one of a hundred, each with a failed element. */
beforeAll(async () => {
  const tasker = await createTasker({
    databaseUrl: on.database.url,
    templates: listOf(CHAIN),
    handlers: [
      ...['start', 'pack', 'ship'].map((name) => defineHandler(name, {}, () => ({}))),
      defineHandler('label', {}, ({ context }) => {
        const { sku } = context.inputData as { sku: string };
        if (sku === 'S2') throw new PermanentError(`no label for ${sku}`);
        return {};
      }),
    ],
    name: 'till-1',
    logger: silentLogger,
  });
  const request = (count: number) => ({
    namespace: 'test',
    name: 'demo',
    context: { lines: Array.from({ length: count }, (_, i) => ({ sku: `S${i}` })) },
  });
  const tasks = await tasker.createTasks([request(3), request(100)]);
  await endStates(tasker, tasks);
  await tasker.stop();
  [small, large] = tasks.map(({ taskUuid }) => taskUuid) as [string, string];
});

const shown = async (...words: string[]) => (await on.project.run(words)).stdout;

it('`task get` shows the chain of each element below its list, with the label', async () => {
  const tree = (await shown('task', 'get', small)).split('\n\n')[1]!;
  expect(tree.split('\n').map((line) => line.replace(/\s+$/, ''))).toEqual([
    expect.stringMatching(/^✔ start /),
    expect.stringMatching(/^· each .*2 of 3 elements, 1 failed$/),
    expect.stringMatching(/^├─ · ship .*pending$/),
    expect.stringMatching(/^├─ ✔ label\[0\] .*S0/),
    expect.stringMatching(/^│ {2}✔ pack\[0\] .*S0/),
    expect.stringMatching(/^├─ ✔ label\[1\] .*S1/),
    expect.stringMatching(/^│ {2}✔ pack\[1\] .*S1/),
    expect.stringMatching(/^└─ ✖ label\[2\] .*S2.*no label for S2$/),
    expect.stringMatching(/^ {3}· pack\[2\] .*pending · S2$/),
  ]);
});

it('`task get` and `task why` fold long lists, and name the failed elements', async () => {
  const tree = await shown('task', 'get', large);
  expect(tree).toMatch(/each .*99 of 100 elements, 1 failed/);
  expect(tree).toMatch(/label ×100 .*1 .*error.*99 .*complete/);
  expect(tree).toMatch(/label\[2\] .*S2.*no label for S2/);
  expect(tree).toMatch(/pack ×100 /);
  expect(await shown('task', 'why', large)).toMatch(
    /waits for its elements: 99 of 100 are complete, 1 failed; label\[2\] \(S2\) failed/,
  );
});

it('--element names the steps of an element without brackets, and lists them', async () => {
  const list = await on.project.json<{ name: string }[]>(['step', 'list', large, '--element', '7']);
  expect(list.map(({ name }) => name)).toEqual(['label[7]', 'pack[7]']);
  const got = await on.project.json(['step', 'get', large, 'label', '--element', '2']);
  expect(got).toMatchObject({ name: 'label[2]', element: { number: 2, key: 'S2' }, current_state: 'error' });
  expect(await shown('step', 'get', large, 'label', '--element', '2')).toMatch(/element +2 · S2/);
  expect(await shown('step', 'get', large, 'each')).toMatch(/elements +99 of 100 elements, 1 failed/);
  const none = await on.project.run(['step', 'list', large, '--element', '100']);
  expect(none.stderr).toContain('no step of the task runs for element 100');
});

it('--element without a task or beyond the longest list is refused', async () => {
  const withoutTask = await on.project.run(['step', 'list', '--element', '3']);
  expect(withoutTask).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('pass the id of a task with --element'),
  });
  const beyond = await on.project.run(['step', 'get', large, 'label', '--element', '100000']);
  expect(beyond.stderr).toContain('it must be a whole number from 0 to 99999');
});

it('acts on the step of an element, and a rerun from it, take --element', async () => {
  const resolved = await on.project.run(['step', 'resolve', small, 'label', '--element', '2', '--reason', 'by hand']);
  expect(resolved).toMatchObject({ code: 0, stderr: expect.stringContaining('step label[2] is resolved_manually') });
  const preview = await on.project.run(['task', 'rerun', large, '--from', 'label', '--element', '2', '--dry-run']);
  expect(preview.code, preview.stderr).toBe(0);
  expect(preview.stdout).toContain('label[2]');
  expect(preview.stdout).not.toContain('label[3]');
});
