import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { template } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

const only = (task: object) => shared.setup({ a: [] }, { task: { ...task }, worker: false });

describe('default_context', () => {
  const default_context = { currency: 'EUR', shipping: { express: false, zone: 1 }, gift: null };

  it('default_context supplies the keys that a request omits, and handlers see them', async () => {
    const seen = defineHandler('a', { inputs: { currency: 'currency', order: 'order' } }, (inputs) => inputs);
    const { tasker, demo } = await shared.setup({ a: [] }, { task: { default_context }, handlers: [seen] });
    const { taskUuid } = await tasker.createTask({ ...demo, context: { order: 'O-7' } });
    const task = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect(task.context).toEqual({ ...default_context, order: 'O-7' });
    expect((await tasker.getStep(taskUuid, 'a')).results?.result).toMatchObject({ currency: 'EUR', order: 'O-7' });
  });

  it.each([
    ['nothing', undefined, default_context],
    ['an undefined key', { currency: undefined }, default_context],
    ['null', { currency: null }, { ...default_context, currency: null }],
    ['a map, which replaces the whole map', { shipping: { zone: 2 } }, { ...default_context, shipping: { zone: 2 } }],
    ['a key named like a method', { toString: 'x' }, { ...default_context, toString: 'x' }],
  ])('a request overrides default_context: %s', async (_, context, expected) => {
    const { tasker, demo } = await only({ default_context });
    const { taskUuid } = await tasker.createTask({ ...demo, ...(context && { context }) });
    expect((await tasker.getTask(taskUuid)).context).toEqual(expected);
  });

  it('input_schema checks the context including the defaults', async () => {
    const input_schema = {
      type: 'object',
      required: ['currency', 'order'],
      properties: { currency: { enum: ['EUR', 'USD'] } },
    };
    const { tasker, demo } = await only({ default_context: { currency: 'EUR' }, input_schema });
    await tasker.createTask({ ...demo, context: { order: 1 } });
    await expect(tasker.createTask({ ...demo, context: { order: 1, currency: 'GBP' } })).rejects.toThrow(
      /does not match the template's input_schema: \/currency must be one of/,
    );
    await expect(tasker.createTask(demo)).rejects.toThrow(/required property 'order'/);
  });

  it('the defaults are part of the identity of a strict template', async () => {
    const { tasker, demo } = await only({ default_context: { currency: 'EUR' }, identity_strategy: 'strict' });
    const { taskUuid } = await tasker.createTask({ ...demo, context: { order: 1 } });
    const same = tasker.createTask({ ...demo, context: { currency: 'EUR', order: 1 } });
    await expect(same).rejects.toMatchObject({ code: 'conflict', details: { task_uuid: taskUuid } });
    expect(await tasker.createTask({ ...demo, context: { order: 1, currency: 'USD' } })).toMatchObject({
      created: true,
    });
  });

  it('the defaults count towards the size of the context', async () => {
    const texts = (letter: string) =>
      Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`${letter}${i}`, 'x'.repeat(9_000)]));
    const { tasker, demo } = await only({ default_context: texts('a') });
    await expect(tasker.createTask({ ...demo, context: texts('b') })).rejects.toMatchObject({
      code: 'invalid_context',
      message: expect.stringContaining("context and the template's default_context together exceed 1048576 bytes"),
    });
    await tasker.createTask({ ...demo, context: texts('a') });
  });

  it('the defaults of a newer registration apply only to new tasks', async () => {
    const { tasker, demo } = await only({ default_context: { rate: 1 } });
    const before = await tasker.createTask(demo);
    await tasker.registerTemplates([template({ a: [] }, { ...demo, default_context: { rate: 2 } })]);
    const after = await tasker.createTask(demo);
    const rates = [before, after].map(async ({ taskUuid }) => (await tasker.getTask(taskUuid)).context);
    expect(await Promise.all(rates)).toEqual([{ rate: 1 }, { rate: 2 }]);
  });
});

describe('default_options', () => {
  const default_options = {
    priority: 7,
    tags: ['billing'],
    initiator: 'scheduler',
    source_system: 'shop',
    reason: 'monthly run',
  };
  const kept = { priority: 7, tags: ['billing'], initiator: 'scheduler', sourceSystem: 'shop', reason: 'monthly run' };

  it('default_options apply to the fields that a request omits', async () => {
    const { tasker, demo } = await only({ default_options });
    const handle = await tasker.createTask(demo);
    expect(handle.priority).toBe(7);
    expect(await tasker.getTask(handle.taskUuid)).toMatchObject(kept);
  });

  it('a request overrides default_options, even with zero and an empty list', async () => {
    const { tasker, demo } = await only({ default_options });
    const { taskUuid, priority } = await tasker.createTask({ ...demo, priority: 0, tags: [], reason: 'by hand' });
    expect(priority).toBe(0);
    expect(await tasker.getTask(taskUuid)).toMatchObject({ ...kept, priority: 0, tags: [], reason: 'by hand' });
  });

  it('each task of a batch gets the options of its own template', async () => {
    const { tasker, demo } = await only({ default_options });
    const plain = { ...demo, name: 'plain' };
    await tasker.registerTemplates([template({ a: [] }, plain)]);
    const handles = await tasker.createTasks([demo, plain, { ...demo, priority: -3 }]);
    expect(handles.map(({ priority }) => priority)).toEqual([7, 0, -3]);
    const tasks = await Promise.all(handles.map(({ taskUuid }) => tasker.getTask(taskUuid)));
    expect(tasks.map(({ tags, reason }) => [tags, reason])).toEqual([
      [['billing'], 'monthly run'],
      [[], null],
      [['billing'], 'monthly run'],
    ]);
  });
});
