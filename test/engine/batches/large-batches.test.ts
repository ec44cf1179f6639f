import { describe, expect, it } from 'vitest';
import { portionsOf } from '../../../src/engine/create-task.ts';
import type { NewTask } from '../../../src/store/tasks.ts';
import { DEMO, setup, template } from '../../support/setup.ts';

/** A context of about 1,000,000 bytes, different for each number. */
const contextOf = (n: number) => ({ n, texts: Array.from({ length: 100 }, () => 'x'.repeat(9_990)) });
const MANY = 40;

const task = (context: string, identityHash: string | null = null) =>
  ({ taskUuid: context, context, identityHash }) as NewTask;

describe('splitting a list of tasks', () => {
  it('a list is split in order by the bytes of its contexts, and an oversized task gets its own batch', () => {
    const tasks = ['1234', '5', 'ääää', '67', '8'].map((context) => task(context));
    const split = portionsOf(tasks, 6).map((portion) => portion.map(({ context }) => context));
    expect(split).toEqual([['1234', '5'], ['ääää'], ['67', '8']]);
    expect(portionsOf(tasks)).toEqual([tasks]);
  });

  it('a list is split in the order of identities, so that two callers do not deadlock', () => {
    const hashes = ['d', 'b', null, 'a', 'c'];
    const tasks = hashes.map((hash) => task('12', hash));
    const split = portionsOf(tasks, 4).map((portion) => portion.map(({ identityHash }) => identityHash));
    expect(split).toEqual([[null, 'a'], ['b', 'c'], ['d']]);
    expect(portionsOf(tasks)).toEqual([tasks]);
  });

  it('the first of several tasks with the same identity is created first', () => {
    const tasks = ['b1', 'a1', 'a2', 'b2', 'a3'].map((context) => task(context, context[0]!));
    const split = portionsOf(tasks, 4).map((portion) => portion.map(({ context }) => context));
    expect(split).toEqual([['a1', 'a2'], ['a3', 'b1'], ['b2']]);
  });
});

describe.each(['always_unique', 'strict'])('forty megabytes of contexts of an %s template', (strategy) => {
  it('tasks with forty megabytes of contexts are created in order in one call', async () => {
    const templates = [template({ a: [] }, { identity_strategy: strategy })];
    const { tasker, sql } = await setup({ templates, worker: false });
    const requests = Array.from({ length: MANY }, (_, n) => ({ ...DEMO, context: contextOf(n) }));
    const handles = await tasker.createTasks(requests);
    const rows = await sql<{ task_uuid: string; n: number }>(
      `select task_uuid, (context ->> 'n')::int n from tasker.task`,
    );
    const byId = new Map(rows.map((row) => [row.task_uuid, row.n]));
    expect(handles.map(({ taskUuid }) => byId.get(taskUuid))).toEqual(requests.map((_, n) => n));
    expect(handles.every((handle) => handle.created)).toBe(true);
    expect(await sql('select count(*)::int n from tasker.queue')).toEqual([{ n: MANY }]);
  });
});

it('a large list with one existing task creates nothing', async () => {
  const templates = [template({ a: [] }, { identity_strategy: 'strict' })];
  const { tasker, sql } = await setup({ templates, worker: false });
  const there = await tasker.createTask({ ...DEMO, context: contextOf(7) });
  const requests = Array.from({ length: MANY }, (_, n) => ({ ...DEMO, context: contextOf(n) }));
  await expect(tasker.createTasks(requests)).rejects.toMatchObject({
    code: 'conflict',
    details: { task_uuid: there.taskUuid, index: 7 },
  });
  expect(await sql('select count(*)::int n from tasker.task')).toEqual([{ n: 1 }]);
  const handles = await tasker.createTasks(requests, { onDuplicate: 'return' });
  expect(handles.filter((handle) => !handle.created).map((handle) => handle.taskUuid)).toEqual([there.taskUuid]);
  expect(await sql('select count(*)::int n from tasker.task')).toEqual([{ n: MANY }]);
});
