import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { openSession } from '../../support/database.ts';
import { temporaryFolder } from '../../support/retention.ts';
import { DEMO, endStates, invariants, setup, template, until } from '../../support/setup.ts';

const of = (customer: string, more: object = {}) => ({ ...DEMO, context: { customer }, tags: ['vip'], ...more });
// The key is computed again from the stored task.
const UNIQUE = { key: 'context.customer + task.tags[0] + string(task.priority)', on_conflict: 'return' };

async function bench(unique: object = UNIQUE) {
  const made = await setup({
    templates: template({ a: { undo: { handler: 'undo_a' } }, b: ['a'] }, { unique }),
    handlers: ['a', 'b', 'undo_a'].map((name) => defineHandler(name, {}, () => ({}))),
  });
  const { tasker, sql } = made;
  const ended = async () => {
    const task = await tasker.createTask(of('c-1'));
    await endStates(tasker, [task]);
    return task.taskUuid;
  };
  /** A task that stays open, because it starts later. */
  const open = async () => (await tasker.createTask(of('c-1', { delayMs: 3_600_000 }))).taskUuid;
  const holder = async () => (await sql<{ id: string }>('select task_uuid id from tasker.task_key'))[0]!.id;
  return { ...made, ended, open, holder };
}

describe('a task that has ended is not reopened while another open task has its key', () => {
  it('by a rerun', async () => {
    const { tasker, ended, open, sql } = await bench();
    const first = await ended();
    const second = await open();
    expect(second).not.toBe(first);
    const refused = {
      code: 'conflict',
      message: `task ${first} cannot be run again: task ${second}, which is in pending, has the same key "c-1vip0" (unique); wait until that task has ended, or cancel it`,
      details: { task_uuid: first, rule: 'unique', holder_uuid: second },
    };
    await expect(tasker.rerunTask(first, { from: 'b' })).rejects.toMatchObject(refused);
    await expect(tasker.rerunTask(first, { from: 'b', dryRun: true })).rejects.toMatchObject(refused);
    expect((await tasker.getTask(first)).status).toBe('complete');
    await tasker.cancelTask(second);
    await tasker.rerunTask(first, { from: 'b' });
    expect(await endStates(tasker, [{ taskUuid: first }])).toEqual(['complete']);
    await invariants(sql);
  });

  it('by an undo, of one task or of several', async () => {
    const { tasker, ended, open } = await bench();
    const first = await ended();
    const second = await open();
    await expect(tasker.undoTask(first)).rejects.toThrow(`task ${first} cannot be undone: task ${second}, which`);
    const { skipped } = await tasker.bulk.undo({ ids: [first] }).result();
    expect(skipped).toMatchObject([{ taskUuid: first, why: expect.stringContaining(`task ${second}, which is in`) }]);
    await tasker.cancelTask(second);
    await tasker.undoTask(first);
    expect(await endStates(tasker, [{ taskUuid: first }])).toEqual(['undone']);
  });

  it('by a redrive, of one task or of several', async () => {
    const { tasker, open } = await bench();
    const first = await open();
    await tasker.cancelTask(first);
    await tasker.deadLetters.add(first);
    const second = await open();
    await expect(tasker.deadLetters.redrive(first)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`task ${first} cannot be redriven: task ${second}, which`),
    });
    const { skipped } = await tasker.deadLetters.redriveAll({ ids: [first] }).result();
    expect(skipped).toMatchObject([{ taskUuid: first, why: expect.stringContaining(`task ${second}, which is in`) }]);
    await tasker.cancelTask(second);
    expect(await tasker.deadLetters.redrive(first)).toMatchObject({ how: 'reopened' });
  });
});

it('a reopened task has its key again, also if another task had it in the meantime', async () => {
  const { tasker, ended, open, holder } = await bench();
  const first = await ended();
  await tasker.cancelTask(await open());
  await tasker.pause({ namespace: 'test' });
  await tasker.rerunTask(first, { from: 'b' });
  expect(await holder()).toBe(first);
  expect(await tasker.createTask(of('c-1'))).toMatchObject({ taskUuid: first, outcome: 'returned' });
  // An open task can run again, because it has its key.
  await tasker.rerunTask(first, { from: 'a' });
  await tasker.resume({ namespace: 'test' });
  expect(await endStates(tasker, [{ taskUuid: first }])).toEqual(['complete']);
});

it('a rerun waits for a creation of the same key that is in progress', async () => {
  const { tasker, ended, url, sql } = await bench();
  const first = await ended();
  const client = await openSession(url);
  await client.query('begin');
  const { taskUuid } = await tasker.createTask(of('c-1', { delayMs: 3_600_000 }), { client });
  const rerun = tasker.rerunTask(first, { from: 'b' }).catch((error: unknown) => error);
  await until(
    () => sql(`select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`),
    (rows) => rows.length > 0,
  );
  await client.query('commit');
  expect(await rerun).toMatchObject({ code: 'conflict', details: { holder_uuid: taskUuid } });
});

it('a task that is being undone has its key, and is not cancelled for another one', async () => {
  const { tasker, ended } = await bench({ ...UNIQUE, on_conflict: 'cancel_running' });
  const first = await ended();
  await tasker.pause({ namespace: 'test' });
  await tasker.undoTask(first);
  await expect(tasker.createTask(of('c-1'))).rejects.toMatchObject({
    code: 'conflict',
    message: `the open task of demo with the key "c-1vip0" (unique) is being undone, and cannot be replaced before that has ended: ${first}; wait until that task has ended, or cancel it`,
  });
  await tasker.resume({ namespace: 'test' });
  expect(await endStates(tasker, [{ taskUuid: first }])).toEqual(['undone']);
  expect((await tasker.createTask(of('c-1'))).outcome).toBe('created');
});

it('a copy of an open task is refused, and a copy may replace it', async () => {
  const returning = await bench();
  const open = await returning.open();
  await expect(returning.tasker.copyTask(open)).rejects.toMatchObject({
    code: 'conflict',
    details: { task_uuid: open, rule: 'unique' },
  });
  expect(await returning.tasker.getCopies(open)).toEqual([]);
  const replacing = await bench({ ...UNIQUE, on_conflict: 'cancel_running' });
  const other = await replacing.open();
  const copy = await replacing.tasker.copyTask(other);
  expect(copy).toMatchObject({ outcome: 'replaced', replacedTaskUuid: other });
  expect(await replacing.tasker.getCopies(other)).toEqual([copy.taskUuid]);
});

it('restored tasks have ended, and take their key when they are reopened', async () => {
  const { tasker, ended, open } = await bench();
  const first = await ended();
  const { files } = await tasker.prune({ olderThan: '0s' }, { archive: temporaryFolder() }).result();
  const second = await open();
  expect(await tasker.restoreArchive(files[0]!).result()).toMatchObject({ restored: 1 });
  await expect(tasker.rerunTask(first, { from: 'b' })).rejects.toMatchObject({ details: { holder_uuid: second } });
  await tasker.cancelTask(second);
  await tasker.rerunTask(first, { from: 'b' });
  expect(await endStates(tasker, [{ taskUuid: first }])).toEqual(['complete']);
});
