import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { deferred, invariants, template, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const named = (name: string, by: string) => defineHandler(name, {}, () => ({ by }));

async function resultOf(tasker: Tasker, request: { namespace: string; name: string; version: string }) {
  const { taskUuid } = await tasker.createTask(request);
  await tasker.waitForTask(taskUuid, { timeoutMs: 5_000 });
  return (await tasker.getStep(taskUuid, 'a')).results?.result;
}

describe('taskers in one process', () => {
  it('know nothing of each other: each has its handlers, its namespaces, its end', async () => {
    const one = await shared.setup({ a: [] }, { handlers: [named('a', 'one')] });
    const two = await shared.setup({ a: [] }, { handlers: [named('a', 'two')] });
    expect(await resultOf(one.tasker, one.demo)).toEqual({ by: 'one' });
    expect(await resultOf(one.tasker, two.demo)).toEqual({ by: 'two' });
    await one.tasker.stop();
    expect(await resultOf(two.tasker, two.demo)).toEqual({ by: 'two' });
  });

  it('with worker: false only create and watch, even with handlers', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false, handlers: [named('a', 'nobody')] });
    const { taskUuid } = await tasker.createTask(demo);
    expect(tasker.stats).toBeUndefined();
    await expect(tasker.waitForTask(taskUuid, { timeoutMs: 60 })).rejects.toMatchObject({ code: 'timeout' });
    expect((await tasker.getTask(taskUuid)).status).toBe('pending');
  });

  it('with autoStart: false run nothing before start()', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: [named('a', 'late')], autoStart: false });
    const { taskUuid } = await tasker.createTask(demo);
    await expect(tasker.waitForTask(taskUuid, { timeoutMs: 60 })).rejects.toMatchObject({ code: 'timeout' });
    await Promise.all([tasker.start(), tasker.start()]);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 5_000 })).status).toBe('complete');
  });

  it('run what others create, at once, although they look into the queue once a minute', async () => {
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

  it('serve a namespace that is registered after they began', async () => {
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
  it('is the same for every call, and may come before the start is done', async () => {
    const { tasker } = await shared.setup({ a: [] }, { handlers: [named('a', 'x')], autoStart: false });
    const starting = tasker.start();
    const [one, two] = [tasker.stop(), tasker.stop()];
    expect(one).toBe(two);
    await Promise.all([starting, one]);
  });

  it('leaves nothing that can be asked: every verb says so', async () => {
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
  });

  it('before any start: start then refuses', async () => {
    const { tasker } = await shared.setup({ a: [] }, { handlers: [named('a', 'x')], autoStart: false });
    await tasker.stop();
    await expect(tasker.start()).rejects.toMatchObject({ code: 'stopped' });
  });

  it('comes with the end of a block (await using)', async () => {
    const { tasker } = await shared.setup({ a: [] }, { worker: false });
    {
      await using inside = tasker;
      expect(await inside.listTasks()).toBeInstanceOf(Array);
    }
    await expect(tasker.listTasks()).rejects.toMatchObject({ code: 'stopped' });
  });

  it('comes with a signal', async () => {
    const controller = new AbortController();
    const { tasker } = await shared.setup({ a: [] }, { handlers: [named('a', 'x')], signal: controller.signal });
    controller.abort();
    await tasker.stop();
    await expect(tasker.listTasks()).rejects.toMatchObject({ code: 'stopped' });
  });

  it('comes with a signal that fires while the tasker starts: there is none then', async () => {
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
  it('gives the newest first, by namespace, name, status and whether they are open, in pages', async () => {
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
  ])('refuses %j', async (options, message) => {
    const { tasker } = await shared.setup({ a: [] }, { worker: false });
    await expect(tasker.listTasks(options)).rejects.toThrow(message);
  });
});

describe('steps', () => {
  it('are found by name and by id, and another name is told what there is', async () => {
    const { tasker, demo } = await shared.setup({ first: [], second: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask(demo);
    const byName = await tasker.getStep(taskUuid, 'second');
    expect(await tasker.getStep(taskUuid, byName.stepUuid)).toEqual(byName);
    await expect(tasker.getStep(taskUuid, 'third')).rejects.toThrow('has no step third; it has first, second');
  });
});

describe('templates', () => {
  it('take the overrides of the environment that TASKER_ENV names', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'tasker-templates-'));
    const before = process.env.TASKER_ENV;
    onTestFinished(async () => {
      if (before === undefined) delete process.env.TASKER_ENV;
      else process.env.TASKER_ENV = before;
      await rm(folder, { recursive: true });
    });
    const text = `
name: demo
namespace: overrides
version: 1.0.0
identity_strategy: always_unique
steps:
  - name: a
    handler: { callable: a, initialization: { bank: sandbox, retries: 1 } }
environments:
  test: { steps: [{ name: a, handler: { initialization: { bank: fake } } }] }
  production: { steps: [{ name: a, handler: { initialization: { bank: real } } }] }
`;
    await writeFile(path.join(folder, 'demo.yaml'), text);
    const show = defineHandler('a', {}, ({ context }) => context.stepConfig);
    const seen: unknown[] = [];
    for (const environment of ['test', 'production', 'development', undefined]) {
      if (environment === undefined) delete process.env.TASKER_ENV;
      else process.env.TASKER_ENV = environment;
      const tasker = await createTasker({
        databaseUrl: shared.url,
        templates: folder,
        handlers: [show],
        logger: silentLogger,
        poolSize: 3,
        migrate: false,
      });
      seen.push(await resultOf(tasker, { namespace: 'overrides', name: 'demo', version: '1.0.0' }));
      await tasker.stop();
    }
    const plain = { bank: 'sandbox', retries: 1 };
    expect(seen).toEqual([{ ...plain, bank: 'fake' }, { ...plain, bank: 'real' }, plain, plain]);
  });

  it('registered again with another content: one warning that names both; running tasks keep theirs', async () => {
    const gate = deferred();
    const { logger, lines } = collectingLogger();
    const handlers = [
      defineHandler('a', {}, async () => void (await gate.promise)),
      named('b', 'old'),
      named('c', 'new'),
    ];
    const { tasker, demo, another } = await shared.setup(
      { a: [], last: { handler: 'b', dependencies: ['a'] } },
      { handlers, logger },
    );
    const old = await tasker.createTask(demo);
    lines.length = 0;
    const changed = template(
      { a: [], last: { handler: 'c', dependencies: ['a'] }, more: { handler: 'c' } },
      { namespace: demo.namespace },
    );
    await tasker.registerTemplates([changed]);
    await tasker.registerTemplates([changed]);
    const warnings = lines.filter((line) => line.level === 'warn');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]!.message).toMatch(
      new RegExp(
        `template ${demo.namespace}/demo@1.0.0 has another content \\([0-9a-f]{12}\\) than .* \\([0-9a-f]{12}\\)`,
      ),
    );
    const fresh = await tasker.createTask(demo);
    gate.resolve();
    const ended = async (taskUuid: string) => {
      await tasker.waitForTask(taskUuid, { timeoutMs: 5_000 });
      return Object.fromEntries((await tasker.getSteps(taskUuid)).map((step) => [step.name, step.results?.result]));
    };
    expect(await ended(old.taskUuid)).toEqual({ a: {}, last: { by: 'old' } });
    expect(await ended(fresh.taskUuid)).toEqual({ a: {}, last: { by: 'new' }, more: { by: 'new' } });
    // Another process, which registers the first content again, makes it the newest.
    await another({ worker: false, handlers: [] });
    await until(
      async () => (await tasker.createTask(demo)).totalSteps,
      (steps) => steps === 2,
    );
  });

  it('registered by many at once are one snapshot', async () => {
    const { another, demo, tasker } = await shared.setup({ a: [] }, { worker: false });
    await Promise.all(Array.from({ length: 8 }, () => another({ poolSize: 2 })));
    const same = template({ x: [], y: ['x'] }, { namespace: demo.namespace, name: 'fresh' });
    const many = await Promise.all(Array.from({ length: 6 }, () => another({ poolSize: 2 })));
    await Promise.all(many.map((one) => one.registerTemplates([same])));
    const rows = await shared.sql(
      `select m.id, (select count(*)::int from tasker.template_step s where s.template_id = m.id) steps,
              (select count(*)::int from tasker.template_edge e where e.template_id = m.id) edges
         from tasker.template m join tasker.namespace n on n.id = m.namespace_id where n.name = $1 and m.name = 'fresh'`,
      [demo.namespace],
    );
    expect(rows).toEqual([expect.objectContaining({ steps: 2, edges: 1 })]);
    expect((await tasker.createTask({ ...demo, name: 'fresh' })).totalSteps).toBe(2);
  });

  it('that are not there are named with what is near', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    await expect(tasker.createTask({ ...demo, version: '1.0.1' })).rejects.toThrow(
      `there is ${demo.namespace}/demo@1.0.0`,
    );
    await expect(tasker.createTask({ ...demo, name: 'dmeo' })).rejects.toMatchObject({ code: 'template_not_found' });
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
  ])('%j is refused', async (option) => {
    await expect(createTasker({ databaseUrl: shared.url, ...option })).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining(Object.keys(option)[0]!),
    });
  });

  it('a handler that is none is refused with what it got', async () => {
    const handlers = [{ name: 'x' }] as never;
    await expect(createTasker({ databaseUrl: shared.url, handlers })).rejects.toMatchObject({
      code: 'handler_invalid',
    });
  });

  it('a registry is taken as it is: handlers may be added to it later', async () => {
    const registry = new HandlerRegistry();
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: registry });
    const { taskUuid } = await tasker.createTask(demo);
    registry.register(named('a', 'added'));
    await tasker.refresh();
    await tasker.waitForTask(taskUuid, { timeoutMs: 5_000 });
    expect((await tasker.getStep(taskUuid, 'a')).results?.result).toEqual({ by: 'added' });
  });
});

it('after all of that, the database is in order', () => invariants(shared.sql));
