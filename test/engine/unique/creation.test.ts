import { describe, expect, it } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { deferred, endStates, states, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const unique = (on_conflict?: string, more: Record<string, unknown> = {}) => ({
  task: { unique: { key: 'context.customer', ...(on_conflict && { on_conflict }) }, ...more },
  worker: false,
});
const of = (customer: unknown, more: Record<string, unknown> = {}) => ({ context: { customer, ...more } });
const statusOf = async (tasker: Tasker, { taskUuid }: { taskUuid: string }) => (await tasker.getTask(taskUuid)).status;

describe('a template with one open task for each key', () => {
  it('returns the open task of the key, and creates one for another key', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, unique());
    const first = await tasker.createTask({ ...demo, ...of('c-1') });
    expect(first).toMatchObject({ created: true, outcome: 'created', rule: null, replacedTaskUuid: null });
    const second = await tasker.createTask({ ...demo, ...of('c-1', { n: 2 }) });
    expect(second).toMatchObject({ taskUuid: first.taskUuid, created: false, outcome: 'returned', rule: 'unique' });
    expect((await tasker.createTask({ ...demo, ...of('c-2') })).outcome).toBe('created');
    // A number is another key than its text.
    expect((await tasker.createTask({ ...demo, ...of(1) })).outcome).toBe('created');
    expect((await tasker.createTask({ ...demo, ...of('1') })).outcome).toBe('created');
    expect((await tasker.createTask({ ...demo, ...of(1) })).outcome).toBe('returned');
  });

  it('rejects a request whose key an open task has, and names that task', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, unique('reject'));
    const { taskUuid } = await tasker.createTask({ ...demo, ...of('c-1') });
    await expect(tasker.createTask({ ...demo, ...of('c-1') })).rejects.toMatchObject({
      code: 'conflict',
      message: `a task of demo with the key "c-1" (unique) is open, in pending: ${taskUuid}; wait until that task has ended, or cancel it`,
      details: { task_uuid: taskUuid, rule: 'unique', key: '"c-1"' },
    });
    await tasker.cancelTask(taskUuid);
    expect((await tasker.createTask({ ...demo, ...of('c-1') })).outcome).toBe('created');
  });

  it('cancels the open task and creates another one in its place, without waiting for its handler', async () => {
    const [started, stopped] = [deferred(), deferred()];
    const { tasker, demo } = await shared.setup(
      { a: [] },
      {
        task: unique('cancel_running').task,
        handlers: [
          defineHandler('a', { inputs: { n: 'n' } }, async ({ n, signal }) => {
            if (n !== 1) return {};
            started.resolve();
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
            stopped.resolve();
            return { late: true };
          }),
        ],
      },
    );
    const first = await tasker.createTask({ ...demo, ...of('c-1', { n: 1 }) });
    await started.promise;
    const second = await tasker.createTask({ ...demo, ...of('c-1', { n: 2 }) });
    expect(second).toMatchObject({
      created: true,
      outcome: 'replaced',
      rule: 'unique',
      replacedTaskUuid: first.taskUuid,
    });
    expect(await statusOf(tasker, first)).toBe('cancelled');
    await stopped.promise;
    expect(await endStates(tasker, [second])).toEqual(['complete']);
    const [entry] = (await tasker.audit({ task: first.taskUuid })).entries;
    expect(entry).toMatchObject({
      action: 'cancel',
      actor: 'unique',
      reason: `task ${second.taskUuid} with the same key replaces it (unique, on_conflict: cancel_running)`,
    });
  });

  it('replaces an open task that has not begun, and returns one that has', async () => {
    const hand = deferred();
    const { tasker, demo, another } = await shared.setup({ a: [] }, unique('replace_pending'));
    const first = await tasker.createTask({ ...demo, ...of('c-1', { n: 1 }) });
    const second = await tasker.createTask({ ...demo, ...of('c-1', { n: 2 }) });
    expect(second).toMatchObject({ outcome: 'replaced', replacedTaskUuid: first.taskUuid });
    expect(await states(tasker, first.taskUuid)).toEqual({ a: 'cancelled' });
    await another({ worker: true, handlers: [defineHandler('a', {}, () => hand.promise)] });
    await until(
      () => statusOf(tasker, second),
      (status) => status === 'steps_in_process',
    );
    const third = await tasker.createTask({ ...demo, ...of('c-1', { n: 3 }) });
    expect(third).toMatchObject({ taskUuid: second.taskUuid, outcome: 'returned', rule: 'unique' });
    hand.resolve();
    expect(await endStates(tasker, [second])).toEqual(['complete']);
    expect((await tasker.createTask({ ...demo, ...of('c-1', { n: 4 }) })).outcome).toBe('created');
  });

  it('replaces a task that starts later', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, unique('replace_pending'));
    const first = await tasker.createTask({ ...demo, ...of('c-1'), delayMs: 3_600_000 });
    const second = await tasker.createTask({ ...demo, ...of('c-1'), delayMs: 7_200_000 });
    expect(second).toMatchObject({ outcome: 'replaced', replacedTaskUuid: first.taskUuid });
    expect(await statusOf(tasker, first)).toBe('cancelled');
  });

  it.each([
    ['is blocked', { a: { handler: 'fails', retry: { max_attempts: 1 } } }, 'blocked_by_failures'],
    ['waits', { a: { handler: undefined, type: 'signal', signal: { name: 'go' } } }, 'waiting'],
  ])('counts a task that %s as open', async (_, steps, status) => {
    const fails = () => {
      throw new Error('broken');
    };
    const { tasker, demo } = await shared.setup(steps as never, {
      task: unique('reject').task,
      handlers: [defineHandler('fails', {}, fails)],
    });
    const first = await tasker.createTask({ ...demo, ...of('c-1') });
    await until(
      () => statusOf(tasker, first),
      (seen) => seen === status,
    );
    await expect(tasker.createTask({ ...demo, ...of('c-1') })).rejects.toThrow(
      `is open, in ${status}: ${first.taskUuid}`,
    );
  });

  it('counts a paused task as open', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, unique('reject'));
    const { taskUuid } = await tasker.createTask({ ...demo, ...of('c-1') });
    await tasker.pause({ task: taskUuid });
    await expect(tasker.createTask({ ...demo, ...of('c-1') })).rejects.toMatchObject({
      details: { task_uuid: taskUuid },
    });
  });

  it('shares its keys with the other versions of the template', async () => {
    const { tasker, demo, another } = await shared.setup({ a: [] }, unique());
    const first = await tasker.createTask({ ...demo, ...of('c-1') });
    const later = await another({});
    const { mustParseTemplate } = await import('../../../src/template/parse-template.ts');
    await later.registerTemplates([
      mustParseTemplate(
        JSON.stringify({
          ...demo,
          version: '2.0.0',
          steps: [{ name: 'a', handler: 'a' }],
          unique: { key: 'context.customer' },
        }),
      ),
    ]);
    const { taskUuid, version, outcome } = await later.createTask({ ...demo, version: '2.0.0', ...of('c-1') });
    expect({ taskUuid, version, outcome }).toEqual({ taskUuid: first.taskUuid, version: '1.0.0', outcome: 'returned' });
  });
});

describe('the key of a task', () => {
  it.each([
    [{}, "task NAME: the template's unique.key: context.customer does not exist"],
    [
      { customer: null },
      "task NAME: the template's unique.key: the key must be a string, a number or a boolean, got null",
    ],
    [
      { customer: ['c-1'] },
      "task NAME: the template's unique.key: the key must be a string, a number or a boolean, got an object",
    ],
  ])('is refused in the context %j, with the field of the template', async (context, message) => {
    const { tasker, demo } = await shared.setup({ a: [] }, unique());
    const name = `${demo.namespace}/demo@1.0.0`;
    await expect(tasker.createTask({ ...demo, context })).rejects.toMatchObject({
      code: 'invalid_context',
      message: expect.stringContaining(message.replace('NAME', name)),
      details: { field: 'unique.key' },
    });
  });

  it('may read the default context, the tags and the priority of the task', async () => {
    const { tasker, demo } = await shared.setup(
      { a: [] },
      {
        task: {
          unique: { key: 'context.region + task.tags[0] + string(task.priority) + task.name' },
          default_context: { region: 'eu' },
        },
        worker: false,
      },
    );
    const first = await tasker.createTask({ ...demo, tags: ['x'], priority: 3 });
    expect((await tasker.createTask({ ...demo, context: { region: 'eu' }, tags: ['x'], priority: 3 })).taskUuid).toBe(
      first.taskUuid,
    );
    expect((await tasker.createTask({ ...demo, tags: ['x'], priority: 4 })).outcome).toBe('created');
  });
});

describe('the identity of a request', () => {
  it('counts before the key: a repetition returns its first task, even if that has ended', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, unique('cancel_running'));
    const request = { ...demo, ...of('c-1'), idempotencyKey: 'first' };
    const first = await tasker.createTask(request);
    await tasker.cancelTask(first.taskUuid);
    const open = await tasker.createTask({ ...demo, ...of('c-1'), idempotencyKey: 'second' });
    const again = await tasker.createTask(request, { onDuplicate: 'return' });
    expect(again).toMatchObject({ taskUuid: first.taskUuid, created: false, outcome: 'returned', rule: 'identity' });
    expect(await statusOf(tasker, open)).toBe('pending');
    await expect(tasker.createTask(request)).rejects.toThrow('with the idempotency key first already exists');
    expect(await statusOf(tasker, open)).toBe('pending');
  });

  it('is not reserved by a request that was returned', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, unique());
    const first = await tasker.createTask({ ...demo, ...of('c-1'), idempotencyKey: 'one' });
    const request = { ...demo, ...of('c-1'), idempotencyKey: 'two' };
    expect((await tasker.createTask(request)).taskUuid).toBe(first.taskUuid);
    await tasker.cancelTask(first.taskUuid);
    expect((await tasker.createTask(request)).outcome).toBe('created');
  });
});

it('a template without `unique` leaves the keys alone', async () => {
  const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
  const before = await shared.sql('select count(*)::int n from tasker.task_key');
  expect(await tasker.createTask(demo)).toMatchObject({ outcome: 'created', rule: null });
  expect(await shared.sql('select count(*)::int n from tasker.task_key')).toEqual(before);
});
