import { describe, expect, it, onTestFinished } from 'vitest';
import { type CreateTaskerOptions, createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { invariants, template, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const named = (name: string, by: string) => defineHandler(name, {}, () => ({ by }));

async function resultOf(tasker: Tasker, request: { namespace: string; name: string; version: string }) {
  const { taskUuid } = await tasker.createTask(request);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  return (await tasker.getStep(taskUuid, 'a')).results?.result;
}

describe('taskers in one process', () => {
  it('each tasker has its own handlers and its own namespaces, and stops separately', async () => {
    const one = await shared.setup({ a: [] }, { handlers: [named('a', 'one')] });
    const two = await shared.setup({ a: [] }, { handlers: [named('a', 'two')] });
    expect(await resultOf(one.tasker, one.demo)).toEqual({ by: 'one' });
    expect(await resultOf(one.tasker, two.demo)).toEqual({ by: 'two' });
    await one.tasker.stop();
    expect(await resultOf(two.tasker, two.demo)).toEqual({ by: 'two' });
  });

  it('a tasker with worker: false only creates and watches tasks, even with handlers', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false, handlers: [named('a', 'nobody')] });
    const { taskUuid } = await tasker.createTask(demo);
    expect(tasker.stats).toBeUndefined();
    await expect(tasker.waitForTask(taskUuid, { timeoutMs: 60 })).rejects.toMatchObject({ code: 'timeout' });
    expect((await tasker.getTask(taskUuid)).status).toBe('pending');
  });

  it('a tasker that serves no namespace of its templates warns once when it starts', async () => {
    const warnings = async (namespaces: string[], more: CreateTaskerOptions = {}) => {
      const { logger, lines } = collectingLogger();
      await shared.setup({ a: [] }, { handlers: [named('a', 'one')], namespaces, logger, ...more });
      return lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
    };
    expect(await warnings(['default'])).toEqual([
      expect.stringMatching(/^this worker serves namespace default, but its templates are in \w+, so it runs none/),
    ]);
    expect(await warnings(['default'], { worker: false })).toEqual([]);
    expect(await warnings([''])).toEqual([]);
  });

  it('a tasker with autoStart: false runs nothing before start()', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: [named('a', 'late')], autoStart: false });
    const { taskUuid } = await tasker.createTask(demo);
    await expect(tasker.waitForTask(taskUuid, { timeoutMs: 60 })).rejects.toMatchObject({ code: 'timeout' });
    await Promise.all([tasker.start(), tasker.start()]);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  });

  it('a tasker runs tasks of other taskers immediately, even if it polls the queue once a minute', async () => {
    const { demo, another } = await shared.setup({ a: [] }, { worker: false });
    const worker = await another({ worker: true, handlers: [named('a', 'worker')], pollMs: 60_000 });
    const elsewhere = await another({ worker: true, handlers: [named('a', 'wrong')], namespaces: ['elsewhere'] });
    expect(await resultOf(elsewhere, demo)).toEqual({ by: 'worker' });
    expect(worker.stats?.processed).toBe(1);
    await expect(
      until(
        () => elsewhere.stats?.processed,
        (n) => n === 0,
        50,
      ),
    ).resolves.toBe(0);
  });

  it('a running tasker serves a namespace that is registered later', async () => {
    const url = shared.url;
    const options = { databaseUrl: url, migrate: false, logger: silentLogger, poolSize: 3 };
    const early = await createTasker({
      ...options,
      namespaces: ['later'],
      handlers: [named('a', 'early')],
      pollMs: 50,
    });
    onTestFinished(() => early.stop());
    const late = await createTasker({ ...options, templates: template({ a: [] }, { namespace: 'later' }) });
    onTestFinished(() => late.stop());
    expect(await resultOf(late, { namespace: 'later', name: 'demo', version: '1.0.0' })).toEqual({ by: 'early' });
  });
});

describe('stop', () => {
  it('each call of stop returns the same promise, even while the tasker starts', async () => {
    const { tasker } = await shared.setup({ a: [] }, { handlers: [named('a', 'x')], autoStart: false });
    const starting = tasker.start();
    const [one, two] = [tasker.stop(), tasker.stop()];
    expect(one).toBe(two);
    await Promise.all([starting, one]);
  });

  it('every method of a stopped tasker rejects with `stopped`', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.stop();
    await tasker.stop();
    const verbs = [
      () => tasker.createTask(demo),
      () => tasker.getTask(taskUuid),
      () => tasker.getSteps(taskUuid),
      () => tasker.listTasks(),
      () => tasker.cancelTask(taskUuid),
      () => tasker.why(taskUuid),
      () => tasker.watchTask(taskUuid).next(),
    ];
    for (const verb of verbs) await expect(verb()).rejects.toMatchObject({ code: 'stopped' });
    await expect(tasker.createTask(demo)).rejects.toThrow('this tasker was stopped; create another one');
  });

  it('starting a stopped tasker is rejected', async () => {
    const { tasker } = await shared.setup({ a: [] }, { handlers: [named('a', 'x')], autoStart: false });
    await tasker.stop();
    await expect(tasker.start()).rejects.toMatchObject({ code: 'stopped' });
  });

  it('leaving the block of an `await using` declaration stops the tasker', async () => {
    const { tasker } = await shared.setup({ a: [] }, { worker: false });
    {
      await using inside = tasker;
      expect(await inside.listTasks()).toBeInstanceOf(Array);
    }
    await expect(tasker.listTasks()).rejects.toMatchObject({ code: 'stopped' });
  });

  it('aborting the signal of a tasker stops the tasker', async () => {
    const controller = new AbortController();
    const { tasker } = await shared.setup({ a: [] }, { handlers: [named('a', 'x')], signal: controller.signal });
    controller.abort();
    await tasker.stop();
    await expect(tasker.listTasks()).rejects.toMatchObject({ code: 'stopped' });
  });

  it('createTasker rejects with the reason of a signal that fires before the tasker has started', async () => {
    const controller = new AbortController();
    const starting = shared.setup({ a: [] }, { handlers: [named('a', 'x')], signal: controller.signal });
    await Promise.resolve();
    controller.abort(new Error('changed my mind'));
    await expect(starting).rejects.toThrow('changed my mind');
    const before = AbortSignal.abort(new Error('never wanted'));
    await expect(shared.setup({ a: [] }, { signal: before })).rejects.toThrow('never wanted');
  });
});

describe('listTasks', () => {
  it('listTasks returns pages, newest tasks first, filtered by namespace, name, status and open', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    await tasker.registerTemplates([template({ a: [] }, { namespace: demo.namespace, name: 'other' })]);
    const of = { namespace: demo.namespace };
    const handles = [];
    for (let i = 0; i < 5; i++) handles.push(await tasker.createTask({ ...demo, name: i === 2 ? 'other' : 'demo' }));
    const ids = handles.map((handle) => handle.taskUuid).reverse();
    await tasker.cancelTask(ids[0]!);

    const list = async (more: Parameters<Tasker['listTasks']>[0]) =>
      (await tasker.listTasks({ ...of, ...more })).map((task) => ids.indexOf(task.taskUuid));
    expect(await list({})).toEqual([0, 1, 2, 3, 4]);
    expect(await list({ name: 'other' })).toEqual([2]);
    expect(await list({ status: 'cancelled' })).toEqual([0]);
    expect(await list({ status: 'pending' })).toEqual([1, 2, 3, 4]);
    expect(await list({ openOnly: true })).toEqual([1, 2, 3, 4]);
    expect(await list({ limit: 2 })).toEqual([0, 1]);
    expect(await list({ limit: 2, before: ids[1]! })).toEqual([2, 3]);
    expect(await list({ limit: 2, before: ids[3]! })).toEqual([4]);
    expect(await list({ namespace: 'nowhere' })).toEqual([]);
  });

  it.each<[object, string]>([
    [{ limit: 0 }, 'limit'],
    [{ limit: 1001 }, 'limit'],
    [{ limit: 1.5 }, 'limit'],
    [{ before: 'x' }, 'before'],
    [{ status: 'complet' }, 'did you mean complete?'],
  ])('listTasks rejects %j', async (options, message) => {
    const { tasker } = await shared.setup({ a: [] }, { worker: false });
    await expect(tasker.listTasks(options)).rejects.toThrow(message);
  });
});

describe('steps', () => {
  it('steps are found by name and by id, and the error for an unknown name lists the steps', async () => {
    const { tasker, demo } = await shared.setup({ first: [], second: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask(demo);
    const byName = await tasker.getStep(taskUuid, 'second');
    expect(await tasker.getStep(taskUuid, byName.stepUuid)).toEqual(byName);
    await expect(tasker.getStep(taskUuid, 'third')).rejects.toThrow('has no step third; it has first, second');
  });
});

describe('options', () => {
  it.each([
    { concurrency: 0 },
    { concurrency: 1.5 },
    { leaseMs: 50 },
    { leaseMs: 2 ** 31 },
    { handlerTimeoutMs: -1 },
    { pollMs: 2 ** 31 },
    { poolSize: 1 },
    { handlerMissingGraceMs: Number.NaN },
  ])('the option %j is rejected', async (option) => {
    await expect(createTasker({ databaseUrl: shared.url, ...option })).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining(Object.keys(option)[0]!),
    });
  });

  it.each([
    [{ handler: [] }, 'createTasker: unknown option handler; did you mean handlers'],
    [{ databaseURL: 'x', concurency: 4 }, 'databaseURL; did you mean databaseUrl?; unknown option concurency; did'],
    [{ zzzzzz: undefined }, 'createTasker: unknown option zzzzzz; the options are configPath, config, templates,'],
    [{ limits: { stepPerDecision: 4 } }, 'limits: unknown option stepPerDecision; did you mean stepsPerDecision?'],
    ['postgres://user:secret@host/db', 'createTasker: the options must be an object, got a string'],
    [null, 'createTasker: the options must be an object, got null'],
  ])('unknown options are rejected with similar names: %j', async (options, message) => {
    await expect(createTasker(options as never)).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining(message),
    });
  });

  it('a value that is not a handler is rejected, and the error shows the value', async () => {
    const handlers = [{ name: 'x' }] as never;
    await expect(createTasker({ databaseUrl: shared.url, handlers })).rejects.toMatchObject({
      code: 'handler_invalid',
    });
  });

  it('a registry is used without a copy, so handlers may be added later', async () => {
    const registry = new HandlerRegistry();
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: registry });
    const { taskUuid } = await tasker.createTask(demo);
    registry.register(named('a', 'added'));
    await tasker.refresh();
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect((await tasker.getStep(taskUuid, 'a')).results?.result).toEqual({ by: 'added' });
  });
});

it('the database is consistent after these tests', () => invariants(shared.sql));
