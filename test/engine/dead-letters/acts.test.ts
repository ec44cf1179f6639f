import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { blockedTasks, blockingTasker, look, untilIn } from '../../support/dead-letters.ts';
import { DEMO, template } from '../../support/setup.ts';
import { sharedTasker } from '../../support/shared-tasker.ts';

const ready = sharedTasker({ templates: template({ a: [] }) });
const MISSING = '0198aaaa-0000-7000-8000-000000000000';

describe('adding a task by hand', () => {
  it('creates an entry with reason, assignee, priority and metadata, and does not change the task', async () => {
    const { tasker } = await ready();
    const { taskUuid } = await tasker.createTask(DEMO);
    const entry = await tasker.deadLetters.add(taskUuid, {
      actor: 'anna',
      reason: 'charged twice? «ü» 你好',
      assignee: 'payments',
      priority: 10,
      metadata: { ticket: 'PAY-1' },
    });
    expect(entry).toMatchObject({
      taskUuid,
      dlqReason: 'manual_dlq',
      originalState: 'pending',
      cause: 'charged twice? «ü» 你好',
      assignee: 'payments',
      priority: 10,
      metadata: { ticket: 'PAY-1' },
      priorityScore: 10,
      notes: [],
    });
    expect((await tasker.getTask(taskUuid)).status).toBe('pending');
    expect((await look(tasker)).closed).toEqual([]);
    expect((await tasker.audit({ action: 'dlq_add' })).entries).toMatchObject([
      {
        actor: 'anna',
        door: 'library',
        taskUuid,
        details: { dlq_reason: 'manual_dlq', assignee: 'payments', priority: 10 },
      },
    ]);
  });

  it('is rejected for a task with an open entry, and for an unknown task', async () => {
    const { tasker } = await ready();
    const { taskUuid } = await tasker.createTask(DEMO);
    const { dlqEntryUuid } = await tasker.deadLetters.add(taskUuid);
    await expect(tasker.deadLetters.add(taskUuid)).rejects.toMatchObject({
      code: 'conflict',
      message: `task ${taskUuid} is already in the dead letters, as entry ${dlqEntryUuid}`,
    });
    await expect(tasker.deadLetters.add(MISSING)).rejects.toMatchObject({ code: 'task_not_found' });
    await expect(tasker.deadLetters.add('order-7')).rejects.toMatchObject({ code: 'invalid_uuid' });
  });

  it('creates one entry if two operators do it concurrently', async () => {
    const { tasker, another, sql } = await ready();
    const other = await another();
    const { taskUuid } = await tasker.createTask(DEMO);
    const outcomes = await Promise.allSettled(
      [tasker, other, tasker, other].map((one) => one.deadLetters.add(taskUuid)),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await sql('select count(*)::int n from tasker.dead_letter')).toEqual([{ n: 1 }]);
  });

  it('replaces an entry that the next check would close', async () => {
    const { tasker } = await ready();
    const { taskUuid } = await tasker.createTask(DEMO);
    await tasker.deadLetters.add(taskUuid, { reason: 'first' });
    await tasker.cancelTask(taskUuid);
    const second = await tasker.deadLetters.add(taskUuid, { reason: 'second' });
    expect(second).toMatchObject({ originalState: 'cancelled', entriesOfTask: 2 });
    expect((await look(tasker)).closed).toEqual([]);
  });
});

describe('actions on dead letters', () => {
  it('assign, note, update and resolve entries, and each of them is in the audit', async () => {
    const { tasker } = await blockingTasker();
    const ids = await blockedTasks(tasker, 2);
    await look(tasker);
    const by = { actor: 'anna', reason: 'on call' };
    expect(await tasker.deadLetters.assign(ids, 'payments', by)).toBe(2);
    expect(await tasker.deadLetters.note(ids[0]!, 'asked the bank', { actor: 'bob' })).toBe(1);
    expect(await tasker.deadLetters.update(ids[0]!, { priority: 5, metadata: { ticket: 1 } }, by)).toBe(1);
    expect(await tasker.deadLetters.resolve(ids[0]!, { resolutionNotes: 'new card by phone' }, by)).toBe(1);
    await tasker.deadLetters.note(ids[0]!, 'it is closed');
    const entry = await tasker.deadLetters.get(ids[0]!);
    expect(entry).toMatchObject({
      resolutionStatus: 'manually_resolved',
      resolvedBy: 'anna',
      resolutionNotes: 'new card by phone',
      assignee: 'payments',
      priority: 5,
      metadata: { ticket: 1 },
      notes: [
        { author: 'bob', note: 'asked the bank' },
        { author: 'operator', note: 'it is closed' },
      ],
    });
    expect(entry.resolutionTimestamp).toMatch(/^20/);
    const { entries } = await tasker.audit({ task: ids[0]! });
    expect(entries.map(({ action, actor }) => [action, actor])).toEqual([
      ['dlq_note', 'operator'],
      ['dlq_resolve', 'anna'],
      ['dlq_update', 'anna'],
      ['dlq_note', 'bob'],
      ['dlq_assign', 'anna'],
      ['dlq_add', 'lifecycle'],
    ]);
    expect(entries[1]!.details).toEqual({
      entry: entry.dlqEntryUuid,
      status: 'manually_resolved',
      resolution: 'new card by phone',
    });
    await tasker.deadLetters.assign(ids[1]!, null);
    expect((await tasker.deadLetters.get(ids[1]!)).assignee).toBeNull();
  });

  it('accept the id of an entry or of its task', async () => {
    const { tasker } = await blockingTasker();
    const [taskUuid] = await blockedTasks(tasker, 1);
    await look(tasker);
    const { dlqEntryUuid } = await tasker.deadLetters.get(taskUuid!);
    expect(await tasker.deadLetters.get(dlqEntryUuid.toUpperCase())).toMatchObject({ taskUuid });
    expect(await tasker.deadLetters.assign([dlqEntryUuid, taskUuid!], 'ann')).toBe(1);
  });

  it('change all entries or none', async () => {
    const { tasker } = await blockingTasker();
    const [first, second] = await blockedTasks(tasker, 2);
    await look(tasker);
    await tasker.deadLetters.resolve(second!);
    await expect(tasker.deadLetters.assign([first!, second!], 'ann')).rejects.toMatchObject({
      code: 'illegal_transition',
      message: expect.stringMatching(/is closed: manually_resolved by operator at 20/),
    });
    await expect(tasker.deadLetters.assign([first!, MISSING], 'ann')).rejects.toMatchObject({
      code: 'dead_letter_not_found',
    });
    expect((await tasker.deadLetters.get(first!)).assignee).toBeNull();
  });

  it('keep one resolution if two operators resolve the entries concurrently', async () => {
    const { tasker, another } = await blockingTasker();
    const other = await another({ worker: false });
    const ids = await blockedTasks(tasker, 5);
    await look(tasker);
    const outcomes = await Promise.allSettled([
      tasker.deadLetters.resolve(ids, {}, { actor: 'ann' }),
      other.deadLetters.resolve([...ids].reverse(), {}, { actor: 'bob' }),
      look(other),
    ]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    const { entries } = await tasker.deadLetters.list({ status: 'all' });
    expect(new Set(entries.map((entry) => entry.resolvedBy)).size).toBe(1);
  });

  it.each([
    [{}, 'nothing to change'],
    [{ status: 'pending' }, 'a dead letter is pending until it is closed'],
    [{ status: 'manualy_resolved' }, 'did you mean manually_resolved?'],
    [{ assignee: ' ' }, 'assignee must not be empty'],
    [{ assignee: 'a'.repeat(256) }, 'at most 255'],
    [{ assignee: 7 }, 'assignee must be a string'],
    [{ priority: 101 }, 'priority must be a whole number from -100 to 100, got 101'],
    [{ priority: 0.5 }, 'priority must be a whole number'],
    [{ note: '' }, 'note must not be empty'],
    [{ note: 'a\u0000b' }, 'note must be a string without U+0000'],
    [{ note: 'a'.repeat(10_001) }, 'at most 10000'],
    [{ metadata: [1] }, 'metadata must be an object'],
    [{ metadata: { text: 'a'.repeat(70_000) } }, 'at most 65536'],
    [{ metadata: { n: Number.NaN } }, 'metadata'],
  ])('with %j are rejected', async (change, message) => {
    const { tasker } = await ready();
    await expect(tasker.deadLetters.update(MISSING, change as never)).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining(message),
    });
  });

  it('are rejected with an empty list, too many ids, or an invalid id', async () => {
    const { tasker } = await ready();
    await expect(tasker.deadLetters.note([], 'x')).rejects.toMatchObject({ code: 'bad_request' });
    const many = Array.from({ length: 1_001 }, () => randomUUID());
    await expect(tasker.deadLetters.note(many, 'x')).rejects.toMatchObject({ message: /at most 1000/ });
    await expect(tasker.deadLetters.note('x', 'x')).rejects.toMatchObject({ code: 'invalid_uuid' });
    await expect(tasker.deadLetters.get(MISSING)).rejects.toMatchObject({ code: 'dead_letter_not_found' });
  });
});

describe('deleting a task', () => {
  it('is rejected while its dead letter is open, and afterwards deletes its entries and notes', async () => {
    const { tasker, sql } = await ready();
    const { taskUuid } = await tasker.createTask(DEMO);
    await tasker.cancelTask(taskUuid);
    const { dlqEntryUuid } = await tasker.deadLetters.add(taskUuid, { reason: 'why was it cancelled?' });
    await tasker.deadLetters.note(taskUuid, 'asking');
    await expect(tasker.deleteTask(taskUuid)).rejects.toMatchObject({
      code: 'illegal_transition',
      message: `task ${taskUuid} cannot be deleted: it is in the dead letters, as entry ${dlqEntryUuid}; resolve that first, with \`tasker dlq resolve\``,
    });
    const { done, skipped } = await tasker.bulk.delete({ ids: [taskUuid] }).result();
    expect({ done, skipped }).toEqual({
      done: 0,
      skipped: [{ taskUuid, step: null, why: 'it is in the dead letters; resolve that entry first' }],
    });
    await tasker.deadLetters.resolve(taskUuid);
    await tasker.deleteTask(taskUuid);
    expect(await sql('select * from tasker.dead_letter')).toEqual([]);
    expect(await sql('select * from tasker.dead_letter_note')).toEqual([]);
  });

  it('is possible if the task has made progress since the entry was created', async () => {
    const { tasker, sql } = await ready();
    const tasks = await tasker.createTasks([DEMO, DEMO]);
    for (const { taskUuid } of tasks) {
      await tasker.deadLetters.add(taskUuid);
      await tasker.cancelTask(taskUuid);
    }
    await tasker.deleteTask(tasks[0]!.taskUuid);
    expect((await tasker.bulk.delete({ ids: [tasks[1]!.taskUuid] }).result()).done).toBe(1);
    expect(await sql('select * from tasker.dead_letter')).toEqual([]);
  });
});

describe('an explanation of a task', () => {
  it('reports that the task is in the dead letters, and its assignee', async () => {
    const { tasker } = await blockingTasker();
    const [taskUuid] = await blockedTasks(tasker, 1);
    await look(tasker);
    const at = () => tasker.why(taskUuid!).then(({ summary }) => summary);
    expect(await at()).toMatch(/; it is in the dead letters \(max_retries_exceeded\) since 20.*, and has no assignee$/);
    await tasker.deadLetters.assign(taskUuid!, 'payments');
    expect(await at()).toMatch(/, assigned to payments$/);
    await tasker.deadLetters.resolve(taskUuid!);
    expect(await at()).not.toMatch(/dead letters/);
    await untilIn(tasker, [taskUuid!], 'blocked_by_failures');
  });
});
