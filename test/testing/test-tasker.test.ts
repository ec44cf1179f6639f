import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import { messageOf } from '../../src/errors.ts';
import { defineHandler, HandlerRegistry, RetryableError, StepHandler, workflow } from '../../src/index.ts';
import { type TestTaskerOptions, testTasker } from '../../src/testing/index.ts';
import { deferred, template } from '../support/setup.ts';
import { signalStep } from '../support/waits/waiting.ts';

const server = () => inject('servers')[inject('postgres')]!;

/** Creates a test tasker on the suite's server, as with `DATABASE_URL`. */
const kitOf = (options: TestTaskerOptions) => testTasker({ databaseUrl: server(), ...options });

async function exists(databaseUrl: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: server() });
  await client.connect();
  const name = decodeURIComponent(new URL(databaseUrl).pathname.slice(1));
  const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
  await client.end();
  return rowCount === 1;
}

const cart = defineHandler('cart', {}, () => ({ total: 4 }));
const charge = defineHandler('charge', { depends: { cart: 'cart' } }, ({ cart: found }) => ({
  charged: (found as { total: number }).total,
}));
const shop = () => template({ cart: [], charge: ['cart'] }, { name: 'order', namespace: 'shop' });

describe('a tasker for tests', () => {
  it('runs a template to its end and returns the results by step', async () => {
    const kit = await kitOf({ templates: shop(), handlers: [cart, charge] });
    const { task, results, errors, steps } = await kit.run({ context: { order_id: 'O-7' } });
    expect(task).toMatchObject({ status: 'complete', name: 'order', namespace: 'shop', context: { order_id: 'O-7' } });
    expect(results).toEqual({ cart: { total: 4 }, charge: { charged: 4 } });
    expect(errors).toEqual({});
    expect(steps.charge).toMatchObject({ currentState: 'complete', attempts: 1 });
    expect((await kit.getSteps(task.taskUuid)).map((step) => step.name)).toEqual(['cart', 'charge']);
    await kit.stop();
  });

  it('runs a workflow with its input, and with fields of the request', async () => {
    const double = workflow('t/double@1.0.0', { input: z.object({ n: z.number() }) }).step('double', {
      run: ({ input }) => ({ n: input.n * 2 }),
    });
    const other = workflow('t/other@1.0.0').step('a', { run: () => ({}) });
    const kit = await kitOf({ workflows: [double, other] });
    const { task, results } = await kit.run(double, { n: 4 }, { priority: 3, timeoutMs: 20_000 });
    expect(task).toMatchObject({ status: 'complete', name: 'double', priority: 3, context: { n: 4 } });
    expect(results).toEqual({ double: { n: 8 } });
    await expect(kit.run(double, { n: 'four' } as never)).rejects.toMatchObject({ code: 'invalid_context' });
    await kit.stop();
  });

  it('rejects a stub that no step uses', async () => {
    const options = { templates: shop(), handlers: [cart, charge], stubs: { chrage: () => ({}) } };
    await expect(kitOf(options)).rejects.toMatchObject({
      code: 'config_invalid',
      message: 'testTasker: stubs: no step uses the handler chrage; did you mean charge?',
    });
  });

  it('shows the warnings of the start, and nothing else, if no logger is passed', async () => {
    const lines: string[] = [];
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
    onTestFinished(() => write.mockRestore());
    const misspelt = defineHandler('charge', { depends: { cart: 'crat' } }, () => {
      throw new Error('declined');
    });
    const kit = await kitOf({ templates: shop(), handlers: [cart, misspelt] });
    await kit.run();
    await kit.stop();
    expect(lines.filter((line) => line.includes('warning:'))).toEqual([
      expect.stringContaining(
        'handler charge: depends on step crat, which template shop/order@1.0.0 does not have; did you mean cart?',
      ),
    ]);
  });

  it('runs the subscribers of the handlers folder, unless they are disabled', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'tasker-kit-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = path.join(folder, 'shop.mjs');
    const library = pathToFileURL(path.resolve('dist/bundle/index.js')).href;
    await writeFile(
      file,
      `import { appendFileSync } from 'node:fs';
       import { defineHandler, defineSubscriber } from ${JSON.stringify(library)};
       export const charge = defineHandler('charge', {}, () => ({ paid: true }));
       export const audit = defineSubscriber('order.charged', { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }, () => appendFileSync(${JSON.stringify(`${file}.log`)}, 'x'), { name: 'audit' });`,
    );
    const templates = template({
      charge: { dependencies: [], publishes_events: [{ name: 'order.charged', description: 'paid', schema: {} }] },
    });
    const seen = async (options: Partial<TestTaskerOptions>) => {
      const kit = await kitOf({ templates, handlers: folder, ...options });
      await kit.run();
      const published = (await kit.tasker.events.list({ name: 'order.charged' })).length;
      // Subscribers receive the event a moment after its task has ended.
      if (options.subscribers !== false) await expect.poll(() => existsSync(`${file}.log`)).toBe(true);
      await kit.stop();
      return { published, seen: existsSync(`${file}.log`) };
    };
    expect(await seen({ subscribers: false })).toEqual({ published: 1, seen: false });
    expect(await seen({})).toEqual({ published: 1, seen: true });
  });

  it('has its own database, which is dropped with it', async () => {
    const [one, two] = await Promise.all([1, 2].map(() => kitOf({ templates: shop(), handlers: [cart, charge] })));
    const { task } = await one!.run();
    await expect(two!.tasker.getTask(task.taskUuid)).rejects.toMatchObject({ code: 'task_not_found' });
    expect([await exists(one!.databaseUrl), await exists(two!.databaseUrl)]).toEqual([true, true]);
    await Promise.all([one!.stop(), two!.stop(), two![Symbol.asyncDispose]()]);
    expect([await exists(one!.databaseUrl), await exists(two!.databaseUrl)]).toEqual([false, false]);
  });

  it('replaces handlers with stubs, without changing the given registry', async () => {
    const registry = new HandlerRegistry();
    for (const handler of [cart, charge]) registry.register(handler);
    class Free extends StepHandler {
      static override readonly handlerName = 'free';
      call() {
        return this.success({ charged: 0 });
      }
    }
    const kit = await kitOf({ templates: shop(), handlers: registry, stubs: { charge: Free } });
    expect((await kit.run()).results).toEqual({ cart: { total: 4 }, charge: { charged: 0 } });
    await kit.stop();
    const again = await kitOf({ templates: shop(), handlers: registry, stubs: { cart: () => ({ total: 9 }) } });
    expect((await again.run()).results).toEqual({ cart: { total: 9 }, charge: { charged: 9 } });
    await again.stop();
    expect(registry.listHandlers()).toEqual(['cart', 'charge']);
  });

  it('retries immediately, and returns the errors of failed steps', async () => {
    let calls = 0;
    const flaky = () => {
      calls += 1;
      if (calls < 3) throw new RetryableError('busy');
      return {};
    };
    const kit = await kitOf({
      templates: template({ a: { retry: { backoff_base_ms: 60_000 } }, b: { dependencies: ['a'] }, c: ['b'] }),
      stubs: {
        a: flaky,
        b: ({ retryCount }) => {
          throw new RetryableError(`closed, ${retryCount}`, { errorType: 'bank_error' });
        },
        c: () => ({}),
      },
    });
    const { task, steps, errors } = await kit.run();
    expect(task.status).toBe('blocked_by_failures');
    expect(steps.a).toMatchObject({ currentState: 'complete', attempts: 3 });
    expect(errors).toMatchObject({ b: { message: 'closed, 2', error_type: 'bank_error' } });
    expect(steps.c!.currentState).toBe('pending');
    await kit.stop();
  });

  it('can keep the delays of the templates, and lists the waiting steps if it times out', async () => {
    const kit = await kitOf({
      templates: template({ a: { retry: { backoff_base_ms: 25_000 } }, b: ['a'] }),
      stubs: { a: () => Promise.reject(new RetryableError('busy')), b: () => ({}) },
      keepBackoff: true,
    });
    await expect(kit.run({}, { timeoutMs: 400 })).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringMatching(/a: .*; b: /),
    });
    await kit.stop();
  });

  it('names each waiting step once if a run times out while another step runs', async () => {
    const gate = deferred();
    const kit = await kitOf({
      templates: template({ a: [], paid: signalStep('paid') }),
      stubs: { a: () => gate.promise },
    });
    const error: unknown = await kit.run({}, { timeoutMs: 400 }).catch((thrown: unknown) => thrown);
    expect(messageOf(error)).toMatch(/: paid waits for signal paid, .*; a: attempt 1 of \d+ has been running/);
    expect(messageOf(error)).not.toContain('paid: ');
    gate.resolve();
    await kit.stop();
  });

  it('immediately fails a step whose handler is missing', async () => {
    const kit = await kitOf({ templates: shop(), handlers: [cart] });
    expect((await kit.run()).errors).toMatchObject({ charge: { error_type: 'handler_not_found' } });
    await kit.stop();
  });

  it('throws if there are several templates and the call does not name one', async () => {
    const templates = [shop(), template({ a: [] }, { name: 'other', namespace: 'shop' })];
    const kit = await kitOf({ templates, handlers: [cart, charge], stubs: { a: () => ({}) } });
    await expect(kit.run()).rejects.toThrow('shop/order, shop/other');
    expect((await kit.run({ namespace: 'shop', name: 'other' })).task.status).toBe('complete');
    await kit.stop();
  });

  it('drops the database if it cannot start', async () => {
    const before = await databases();
    await expect(kitOf({ templates: shop(), handlers: [cart], concurrency: 0 })).rejects.toMatchObject({
      code: 'config_invalid',
    });
    expect(await databases()).toEqual(before);
  });

  it('rejects with `database_unreachable` if the database of its URL does not exist', async () => {
    const url = new URL(server());
    url.pathname = '/no_such_database';
    await expect(testTasker({ templates: shop(), handlers: [], databaseUrl: url.toString() })).rejects.toMatchObject({
      code: 'database_unreachable',
    });
  });
});

async function databases(): Promise<string[]> {
  const client = new pg.Client({ connectionString: server() });
  await client.connect();
  const { rows } = await client.query<{ datname: string }>(
    `select datname from pg_database where datname like 'tasker\\_test\\_%' and datname not like '%template%' and datname like $1 order by 1`,
    [`%\\_${process.pid.toString(36)}\\_%`],
  );
  await client.end();
  return rows.map((row) => row.datname);
}

describe('without a server', () => {
  it('a program starts an embedded server on demand, runs tests on it, and exits on its own', async () => {
    const program = path.resolve('test/support/embedded/embedded-kit.mjs');
    const env = { ...process.env, DATABASE_URL: '', DATABASE_DIRECT_URL: '', TASKER_ENV: 'production' };
    const runs = [1, 2].map(() => promisify(execFile)(process.execPath, [program], { env, timeout: 60_000 }));
    // Two programs run at the same time, and share the server.
    const lines = (await Promise.all(runs)).map(({ stdout }) => stdout.trim());
    expect(lines).toEqual(Array(2).fill('complete complete complete'));
  });
});

it('testTasker throws for an unknown option, with similar names', async () => {
  await expect(kitOf({ templates: shop(), stub: {} } as never)).rejects.toMatchObject({
    code: 'config_invalid',
    message: 'testTasker: unknown option stub; did you mean stubs?',
  });
});

it('testTasker accepts a template as a plain object', async () => {
  await using kit = await kitOf({
    templates: { name: 'order', namespace: 'shop', version: '1.0.0', steps: [{ name: 'cart', handler: 'cart' }] },
    handlers: [cart],
  });
  expect((await kit.run()).results).toEqual({ cart: { total: 4 } });
});
