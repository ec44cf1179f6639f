import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import {
  type Client,
  ConflictError,
  createClient,
  getTaskerClient,
  InvalidRequestError,
  NotFoundError,
  RequestTimeoutError,
  TaskerClientError,
} from '../../src/client/index.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { type Listening, listen } from '../../src/server/listen.ts';
import { workflow } from '../../src/workflow/workflow.ts';
import { emptyDatabase } from '../support/database.ts';
import { template } from '../support/setup.ts';
import { eitherSignal } from '../support/waits/waiting.ts';

const first = defineHandler('first', {}, () => ({ made: 1 }));
const second = defineHandler('second', { inputs: { lucky: 'lucky' } }, ({ lucky }) => {
  if (!lucky) throw new PermanentError('no luck today');
  return { made: 2 };
});

const typed = workflow('test/typed@1.0.0', {
  input: z.object({ n: z.number() }),
  identity_strategy: 'always_unique',
})
  .step('add', {
    retry: { max_attempts: 1 },
    run: ({ input }): { sum: number; more?: number } => {
      if (input.n < 0) throw new PermanentError('too small');
      return { sum: input.n + 1, ...(input.n > 0 && { more: input.n }) };
    },
  })
  .output(({ steps }) => ({ sum: steps.add.sum, more: steps.add.more }));

let database: Awaited<ReturnType<typeof emptyDatabase>>;
let tasker: Tasker;
let server: Listening;
let client: Client;

beforeAll(async () => {
  database = await emptyDatabase();
  tasker = await createTasker({
    databaseUrl: database.url,
    poolSize: 6,
    templates: [
      template({ first: [], second: ['first'] }),
      template({ pay: eitherSignal() }, { name: 'either' }),
      template({ first: [] }, { name: 'unserved', steps: undefined, namespace: 'quiet' }),
    ],
    handlers: [first, second],
    workflows: [typed],
    namespaces: ['test'],
  });
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  server = await listen(restApp({ tasker, logger: silentLogger, facts }), { host: '127.0.0.1', port: 0 });
  client = createClient({ baseUrl: server.url });
});

afterAll(async () => {
  await server?.close();
  await tasker?.stop({ drainTimeoutMs: 100 });
  await database?.drop();
});

const DEMO = { namespace: 'test', name: 'demo', version: '1.0.0' };
const UNSERVED = { namespace: 'quiet', name: 'unserved' };

describe('the client on a real server', () => {
  it('runs a workflow, and returns its output; the errors are those of tasker.run', async () => {
    const options = { timeoutMs: 20_000, priority: 3 };
    expect(await client.run(typed, { n: 2 }, options)).toEqual({ sum: 3, more: 2 });
    const task = await client.tasks.create(typed, { n: 4 }, { priority: 7 });
    expect(await client.tasks.wait(task.task_uuid)).toMatchObject({ output: { sum: 5, more: 4 }, priority: 7 });
    const failing = async (n: number) => {
      const [own, there] = await Promise.allSettled([client.run(typed, { n }), tasker.run(typed, { n })]);
      const [message, expected] = [own, there].map((one) =>
        String((one as PromiseRejectedResult).reason.message).replace(/[0-9a-f-]{36}/g, 'UUID'),
      );
      expect(message).toBe(expected);
      expect((own as PromiseRejectedResult).reason).toBeInstanceOf(TaskerClientError);
      return (own as PromiseRejectedResult).reason as TaskerClientError;
    };
    expect(await failing(-1)).toMatchObject({ code: 'TASK_FAILED', details: { status: 'blocked_by_failures' } });
    expect(await failing(0)).toMatchObject({ code: 'TASK_FAILED', message: expect.stringContaining('more') });
    await expect(client.run(typed, { n: 'two' } as never)).rejects.toBeInstanceOf(InvalidRequestError);
    await expect(client.run(typed, { n: 5 }, { timeoutMs: 0 })).rejects.toBeInstanceOf(RequestTimeoutError);
  });

  it('sends the first of several signals, whose name and payload are the result of the step', async () => {
    const { task_uuid: uuid } = await client.tasks.create({ ...DEMO, name: 'either' });
    const refused = client.signals.send(uuid, { name: 'paid', payload: {} });
    await expect(refused).rejects.toThrow("required property 'amount'");
    const { tasks } = await client.signals.send(uuid, { name: 'paid', payload: { amount: 3 } });
    expect(tasks).toMatchObject([{ task_uuid: uuid }]);
    await client.tasks.wait(uuid, { timeoutMs: 20_000 });
    const [step] = await client.steps.list(uuid);
    expect(step).toMatchObject({
      current_state: 'complete',
      results: { result: { name: 'paid', payload: { amount: 3 } } },
    });
  });

  it('creates a task of the active version, and rolls back by activating another one', async () => {
    const active = { namespace: 'rolled', name: 'back' };
    const old = { ...active, version: '1.0.0' };
    const steps = [{ name: 'first', handler: 'first' }];
    for (const version of ['1.0.0', '1.1.0'])
      await client.templates.register({ ...active, version, identity_strategy: 'always_unique', steps });
    const create = async () => (await client.tasks.create({ ...active, context: {} })).version;
    expect(await create()).toBe('1.1.0');
    expect(await client.templates.activate(old, { by: 'ann', reason: 'fails' })).toEqual({
      ...old,
      previous_version: '1.1.0',
      pinned: true,
      changed: true,
    });
    expect(await create()).toBe('1.0.0');
    const marks = async () =>
      (await client.templates.list({ namespace: 'rolled' })).templates.map((one) => [
        one.version,
        one.active,
        one.pinned,
      ]);
    expect(await marks()).toEqual([
      ['1.0.0', true, true],
      ['1.1.0', false, false],
    ]);
    expect(await client.templates.activate({ ...old, version: 'latest' })).toMatchObject({
      version: '1.1.0',
      pinned: false,
    });
    expect(await create()).toBe('1.1.0');
    await expect(client.templates.activate({ ...old, version: '9.9.9' })).rejects.toMatchObject({ status: 404 });
  });

  it('creates a task with the defaults, waits for its end and reads its steps', async () => {
    const task = await client.tasks.create({ ...DEMO, context: { lucky: true } });
    expect(task).toMatchObject({
      ...DEMO,
      version: '1.0.0',
      initiator: 'tasker-core-typescript',
      source_system: 'tasker-core',
      reason: 'Task requested',
      correlation_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]/),
    });
    const ended = await client.tasks.wait(task.task_uuid, { timeoutMs: 30_000 });
    expect(ended).toMatchObject({ status: 'complete', completed_steps: 2 });
    const steps = await client.steps.list(task.task_uuid);
    expect(steps.map(({ name, results }) => [name, results?.result])).toEqual([
      ['first', { made: 1 }],
      ['second', { made: 2 }],
    ]);
    expect(await client.steps.get(task.task_uuid, steps[0]!.step_uuid)).toEqual(steps[0]);
    expect(await client.steps.audit(task.task_uuid, steps[0]!.step_uuid)).toMatchObject([{ success: true }]);
    expect((await client.tasks.summary(task.task_uuid)).template.steps).toHaveLength(2);
  });

  it('stops waiting when the task is blocked, and an operator can finish its step by hand', async () => {
    const { task_uuid: uuid } = await client.tasks.create({ ...DEMO, context: { lucky: false } });
    expect((await client.tasks.wait(uuid, { timeoutMs: 30_000 })).status).toBe('blocked_by_failures');
    const failed = (await client.steps.list(uuid)).find(({ name }) => name === 'second')!;
    expect(failed.current_state).toBe('error');
    const step = await client.steps.complete(uuid, failed.step_uuid, {
      reason: 'checked',
      by: 'ana',
      result: { made: 3 },
    });
    expect(step).toMatchObject({ current_state: 'complete', results: { result: { made: 3 } } });
    expect((await client.tasks.wait(uuid, { timeoutMs: 30_000 })).status).toBe('complete');
  });

  it('yields every change of a watched task, and stops after the last', async () => {
    const { task_uuid: uuid } = await client.tasks.create({ ...UNSERVED, context: { n: 1 } });
    const seen: string[] = [];
    for await (const task of client.tasks.watch(uuid, { timeoutMs: 30_000 })) {
      seen.push(task.status);
      if (seen.length === 1) await client.tasks.cancel(uuid);
    }
    expect(seen[0]).toBe('pending');
    expect(seen.at(-1)).toBe('cancelled');
  });

  it('ends a wait at its timeout, or with the abort reason of the caller', async () => {
    const { task_uuid: uuid } = await client.tasks.create({ ...UNSERVED, context: { n: 2 } });
    const late = await client.tasks.wait(uuid, { timeoutMs: 50 }).catch((error: unknown) => error);
    expect(late).toBeInstanceOf(RequestTimeoutError);
    expect(late).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining(uuid) });
    const stop = new AbortController();
    const waiting = client.tasks.wait(uuid, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(client.tasks.wait(uuid, { signal: stop.signal })).rejects.toThrow('enough');
  });

  it('lists all tasks that match, over several pages, and stops reading when the loop ends', async () => {
    const tag = randomUUID();
    const made: string[] = [];
    for (let n = 0; n < 5; n++) {
      made.unshift((await client.tasks.create({ ...UNSERVED, context: { n }, tags: [tag] })).task_uuid);
    }
    await tasker.engine.search.flush();
    const found: string[] = [];
    for await (const { task_uuid } of client.tasks.listAll({ tag, per_page: 2 })) found.push(task_uuid);
    expect(found).toEqual(made);
    for await (const { task_uuid } of client.tasks.listAll({ tag, per_page: 2 })) {
      expect(task_uuid).toBe(made[0]);
      break;
    }
    const page = await client.tasks.list({ tag, per_page: 2, state: 'pending' });
    expect(page.pagination).toMatchObject({ total_count: 5, has_next: true });
  });

  it('reports rejections of the server with code, status, details and the id of the request', async () => {
    const missing = await client.tasks.get(randomUUID()).catch((error: unknown) => error);
    expect(missing).toBeInstanceOf(NotFoundError);
    expect(missing).toBeInstanceOf(TaskerClientError);
    expect(missing).toMatchObject({
      code: 'NOT_FOUND',
      status: 404,
      recoverable: false,
      requestId: expect.any(String),
    });
    const invalid = client.tasks.create({ ...DEMO, priority: 7_000 });
    await expect(invalid).rejects.toMatchObject({
      name: 'InvalidRequestError',
      code: 'BAD_REQUEST',
      details: { problems: [{ path: 'priority', message: expect.any(String) }] },
    });
    await expect(client.tasks.get('7')).rejects.toMatchObject({ code: 'INVALID_UUID', status: 400 });
    await expect(client.tasks.get('../templates')).rejects.toMatchObject({ code: 'INVALID_UUID' });
    await expect(client.tasks.get('..')).rejects.toBeInstanceOf(InvalidRequestError);
    await expect(client.tasks.get('')).rejects.toThrow('"" is not an id or a name');
  });

  it('rejects a second task with the same key, or returns the first task', async () => {
    const request = { ...UNSERVED, idempotency_key: `key ${randomUUID()} ü` };
    const made = await client.tasks.create(request);
    const refused = await client.tasks.create(request).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ConflictError);
    expect((refused as ConflictError).details.task_uuid).toBe(made.task_uuid);
    expect((refused as ConflictError).message).toContain('; pass returnExisting: true to get it, or use another');
    for await (const { error } of client.tasks.createMany([request])) {
      expect(error!.message).toContain("; pass onDuplicate: 'return' to get it, or use another");
    }
    const again = await client.tasks.create(request, { returnExisting: true });
    expect([again.task_uuid, made.created, again.created]).toEqual([made.task_uuid, true, false]);
  });

  it('reads templates, dead letters, statistics and health', async () => {
    const { templates } = await client.templates.list({ namespace: 'test' });
    expect(templates.map(({ name }) => name)).toEqual(['demo', 'either', 'typed']);
    expect((await client.templates.get('test', 'demo', '1.0.0')).steps).toHaveLength(2);
    expect(await client.deadLetters.list()).toEqual([]);
    expect(await client.deadLetters.stats()).toEqual([]);
    expect(await client.deadLetters.queue({ limit: 1 })).toEqual([]);
    expect(await client.deadLetters.staleness()).toEqual([]);
    await expect(client.deadLetters.ofTask(randomUUID())).rejects.toBeInstanceOf(NotFoundError);
    for await (const entry of client.deadLetters.listAll()) expect(entry).toBeUndefined();
    expect(await client.analytics.performance({ hours: 1 })).toHaveProperty('completion_rate');
    expect(await client.analytics.bottlenecks({ limit: 1 })).toHaveProperty('slow_steps');
    expect((await client.health.check()).status).toBe('healthy');
    expect((await client.health.ready()).status).toBe('ready');
    expect((await client.health.detailed()).info.version).toBe('1.2.3');
    expect(await client.request('GET', '/v1/templates', { query: { namespace: 'none' } })).toMatchObject({
      total_count: 0,
    });
  });

  it('has the methods of the earlier client', async () => {
    const old = await getTaskerClient({ baseUrl: server.url });
    const key = randomUUID();
    const task = await old.createTask({ ...DEMO, context: { lucky: true }, sourceSystem: 'shop', idempotencyKey: key });
    expect(task).toMatchObject({ source_system: 'shop', initiator: 'tasker-core-typescript', tags: [] });
    await client.tasks.wait(task.task_uuid, { timeoutMs: 30_000 });
    expect((await old.getTask(task.task_uuid)).status).toBe('complete');
    const steps = await old.listTaskSteps(task.task_uuid);
    expect(await old.getStep(task.task_uuid, steps[0]!.step_uuid)).toEqual(steps[0]);
    expect(await old.getStepAuditHistory(task.task_uuid, steps[0]!.step_uuid)).toHaveLength(1);
    expect(await old.healthCheck()).toEqual({ healthy: true });
    await expect(old.cancelTask(task.task_uuid)).rejects.toMatchObject({ recoverable: false, status: 400 });
    const open = await old.createTask({ ...UNSERVED, context: { old: 1 } });
    expect(await old.cancelTask(open.task_uuid)).toBeUndefined();
  });

  it('lists tasks by limit and offset, as the earlier client does', async () => {
    const old = await getTaskerClient({ baseUrl: server.url });
    const request = { ...UNSERVED, name: 'unserved' };
    for (let n = 0; n < 5; n++) await old.createTask({ ...request, context: { list: n } });
    await tasker.engine.search.flush();
    const { tasks: all, pagination } = await old.listTasks({ namespace: 'quiet' });
    expect(pagination).toMatchObject({ limit: 50, offset: 0, total: all.length, has_more: false, page: 1 });
    const ids = all.map(({ task_uuid }) => task_uuid);
    for (const [limit, offset] of [
      [2, 0],
      [2, 1],
      [3, 2],
      [1, 4],
      [4, 100],
    ] as const) {
      const { tasks, pagination } = await old.listTasks({ namespace: 'quiet', limit, offset });
      expect(tasks.map(({ task_uuid }) => task_uuid)).toEqual(ids.slice(offset, offset + limit));
      expect(pagination.has_more).toBe(offset + limit < ids.length);
    }
    const cancelled = await old.listTasks({ namespace: 'quiet', status: 'cancelled' });
    expect(new Set(cancelled.tasks.map(({ status }) => status))).toEqual(new Set(['cancelled']));
    await expect(old.listTasks({ limit: 0 })).rejects.toThrow('limit: 0 must be a whole number from 1 to 1000');
  });
});
