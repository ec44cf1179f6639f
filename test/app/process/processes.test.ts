import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { startProxy } from '../../support/crash/proxy.ts';
import { fakePostgres } from '../../support/fake-postgres.ts';
import { invariants } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { threadHandlers } from '../../support/thread-handlers.ts';

const shared = sharedDatabase();
const PACKAGE = pathToFileURL('dist/bundle/index.js').href;
/** A process that is still running after this time does not end on its own, and is killed. */
const LIMIT_MS = 40_000;
/** A process without open resources is idle for less than this time after its program. */
const LINGER_MS = 1_000;
/**
 * Writes to descriptor 3 how long open resources keep the idle process alive. A busy machine makes the process run longer,
 * but does not make it idle longer.
 */
const THEN_REPORTS = `
  const { idle: idleBefore } = performance.eventLoopUtilization();
  process.once('exit', () => {
    const lingered = performance.eventLoopUtilization().idle - idleBefore;
    process.getBuiltinModule('node:fs').writeSync(3, String(lingered));
  });
`;

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Milliseconds for which the process was idle after its program. NaN if the program ended itself. */
  lingered: number;
}

/** Runs a program that imports the built package in a separate process, until it ends on its own. */
function program(
  text: string,
  env: Record<string, string> = {},
  onOutput: (stdout: string) => void = () => undefined,
): Promise<Ended> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', `${text}\n${THEN_REPORTS}`], {
    env: { PATH: process.env.PATH ?? '', PACKAGE, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  let [stdout, stderr, lingered] = ['', '', ''];
  child.stdout!.on('data', (data: Buffer) => {
    stdout += data.toString();
    onOutput(stdout);
  });
  child.stderr!.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  (child.stdio[3] as Readable).on('data', (data: Buffer) => {
    lingered += data.toString();
  });
  return new Promise((resolve) => {
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr, lingered: Number.parseFloat(lingered) });
    });
  });
}

const TEMPLATE = JSON.stringify(
  JSON.stringify({
    name: 'hello',
    namespace: 'processes',
    version: '1.0.0',
    identity_strategy: 'always_unique',
    steps: [{ name: 'greet', handler: 'greet', retry: { max_attempts: 2, backoff: 'none' } }],
  }),
);

describe('importing the package', () => {
  it('importing the package writes nothing, opens nothing, and reads no environment variable', async () => {
    const { stdout, stderr, code, lingered } = await program(`
      const read = [];
      process.env = new Proxy(process.env, {
        get(env, name) {
          // Dependencies may read their own variables.
          const by = new Error().stack.split('\\n')[2] ?? '';
          if (by.includes('/dist/')) read.push(String(name));
          return env[name];
        },
      });
      const names = Object.keys(await import(${JSON.stringify(PACKAGE)}));
      await new Promise((resolve) => setImmediate(resolve));
      const open = process.getActiveResourcesInfo().filter((name) => !/^(Pipe|TTY|CloseReq|Immediate)/.test(name));
      const listeners = process.eventNames().map(String).filter((name) => /SIG|uncaught|unhandled/.test(name));
      process._rawDebug(JSON.stringify({ read, open, listeners, createTasker: names.includes('createTasker') }));
    `);
    expect(JSON.parse(stderr)).toEqual({ read: [], open: [], listeners: [], createTasker: true });
    expect({ stdout, code }).toEqual({ stdout: '', code: 0 });
    expect(lingered).toBeLessThan(LINGER_MS);
  });
});

describe('a program of a few lines', () => {
  it('a program runs a task to its end, and exits on its own after it stops the tasker', async () => {
    const { stdout, stderr, code, lingered } = await program(
      `
      const { createTasker, defineHandler, mustParseTemplate } = await import(process.env.PACKAGE);
      const greet = defineHandler('greet', { inputs: { name: 'name' } }, async ({ name }) => ({ greeting: 'Hello ' + name }));
      const tasker = await createTasker({ templates: mustParseTemplate(${TEMPLATE}), handlers: [greet] });
      const { taskUuid } = await tasker.createTask({ namespace: 'processes', name: 'hello', context: { name: 'Ada' } });
      const done = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
      const { results } = await tasker.getStep(taskUuid, 'greet');
      await tasker.stop();
      const open = process.getActiveResourcesInfo().filter((name) => !/^(Pipe|TTY)/.test(name));
      console.log(JSON.stringify({ status: done.status, greeting: results.result.greeting, open }));
    `,
      { DATABASE_URL: shared.url },
    );
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ status: 'complete', greeting: 'Hello Ada', open: [] });
    expect(code).toBe(0);
    expect(lingered).toBeLessThan(LINGER_MS);
  });

  it('the backtrace of an error shows where the handler threw it, and no frame of the package', async () => {
    const { stdout } = await program(
      `
      const { createTasker, defineHandler, mustParseTemplate } = await import(process.env.PACKAGE);
      const thrower = () => { throw new Error('no greeting'); };
      const throws = defineHandler('throws', {}, async () => thrower());
      const template = mustParseTemplate(${TEMPLATE.replaceAll('greet', 'throws').replace('processes', 'throwing')});
      const tasker = await createTasker({ templates: template, handlers: [throws] });
      const { taskUuid } = await tasker.createTask({ namespace: 'throwing', name: 'hello' });
      await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
      const [attempt] = await tasker.getHistory(taskUuid);
      await tasker.stop();
      console.log(JSON.stringify(attempt.error.backtrace));
    `,
      { DATABASE_URL: shared.url },
    );
    const frames = JSON.parse(stdout) as string[];
    expect(frames[0]).toMatch(/^at thrower /);
    expect(frames.filter((frame) => frame.includes('dist'))).toEqual([]);
  });

  it('a program exits on its own after it stops the tasker, even if a handler runs forever in a thread', async () => {
    const spin = TEMPLATE.replaceAll('greet', 'spins').replace('processes', 'spinning');
    const { stdout, stderr, code, lingered } = await program(
      `
      const { createTasker, mustParseTemplate } = await import(process.env.PACKAGE);
      const template = mustParseTemplate(${spin});
      template.steps[0].handler.isolation = 'thread';
      const tasker = await createTasker({ templates: template, handlers: process.env.HANDLERS, threads: 1 });
      const { taskUuid } = await tasker.createTask({ namespace: 'spinning', name: 'hello' });
      while (tasker.stats.threads.busy === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      await tasker.stop({ drainTimeoutMs: 200 });
      const open = process.getActiveResourcesInfo().filter((name) => !/^(Pipe|TTY)/.test(name));
      console.log(JSON.stringify({ threads: tasker.stats.threads, open }));
    `,
      { DATABASE_URL: shared.url, HANDLERS: threadHandlers() },
    );
    expect(JSON.parse(stdout)).toEqual({ threads: { size: 0, busy: 0, waiting: 0 }, open: [] });
    expect(stderr).toMatch(/did not settle within the drain time/);
    expect(code).toBe(0);
    expect(lingered).toBeLessThan(LINGER_MS);
  });

  it('a running tasker keeps its program alive until it is stopped', async () => {
    const { stdout, code } = await program(
      `
      const { createTasker, defineHandler, mustParseTemplate } = await import(process.env.PACKAGE);
      const greet = defineHandler('greet', {}, () => { setTimeout(() => void tasker.stop(), 50); });
      const tasker = await createTasker({ templates: mustParseTemplate(${TEMPLATE}), handlers: [greet] });
      setTimeout(() => tasker.createTask({ namespace: 'processes', name: 'hello' }), 200).unref();
      process.on('exit', () => console.log('processed ' + tasker.stats.processed));
    `,
      { DATABASE_URL: shared.url },
    );
    expect({ stdout, code }).toEqual({ stdout: 'processed 1\n', code: 0 });
  });
});

const GREETS = `
  const { TaskerError, ...tasker } = await import(process.env.PACKAGE);
  const greet = tasker.defineHandler('greet', {}, () => ({ greeting: 'hello' }));
  const template = tasker.mustParseTemplate(${TEMPLATE});
  const request = { namespace: 'processes', name: 'hello' };
`;

describe('a process exits on its own within a second after its tasker has stopped', () => {
  it.each([
    [
      'a server with a port',
      `
      const server = new tasker.WorkerServer({ templates: [template], handlers: [], logger: tasker.silentLogger });
      server.getHandlerSystem().register('greet', greet);
      await server.start({ web: { bindAddress: '127.0.0.1:0' } });
      const { taskUuid } = await server.tasker.createTask(request);
      await server.tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
      await (await fetch(new URL('/health/ready', server.url))).text();
      await server.shutdown();
      `,
    ],
    [
      'a bootstrapped worker with poller and subscriber',
      `
      const client = await tasker.createTasker({ templates: template, worker: false });
      const { taskUuid } = await client.createTask(request);
      const registry = tasker.HandlerRegistry.instance();
      registry.register('greet', class extends tasker.StepHandler {
        static handlerName = 'greet';
        call() { return this.success({}); }
      });
      await tasker.bootstrapWorker({ namespace: 'processes', logLevel: 'error' });
      const bridge = tasker.EventBridge.instance();
      bridge.start();
      const subscriber = new tasker.StepExecutionSubscriber({ eventBridge: bridge, handlerRegistry: registry });
      subscriber.start();
      const poller = new tasker.EventPoller();
      poller.start();
      await client.waitForTask(taskUuid, { timeoutMs: 20_000 });
      await client.stop();
      await poller.stop();
      await subscriber.stop();
      bridge.stop();
      await tasker.stopWorker();
      `,
    ],
    [
      'a tasker that is stopped while it starts, and stopped again',
      `
      const one = await tasker.createTasker({ templates: template, handlers: [greet], autoStart: false });
      const starting = one.start().catch(() => undefined);
      await Promise.all([one.stop(), one.stop()]);
      await starting;
      `,
    ],
  ])('%s', async (_name, text) => {
    const { stderr, code, lingered } = await program(`${GREETS} ${text}`, { DATABASE_URL: shared.url });
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(lingered).toBeLessThan(LINGER_MS);
  });

  it('a tasker that is stopped while the database is down', async () => {
    const proxy = await startProxy(shared.url);
    onTestFinished(() => proxy.close());
    const { code, lingered } = await program(
      `${GREETS}
      const one = await tasker.createTasker({ templates: template, handlers: [greet], logger: tasker.silentLogger });
      const { taskUuid } = await one.createTask(request);
      await one.waitForTask(taskUuid, { timeoutMs: 20_000 });
      console.log('it runs');
      while (await one.getTask(taskUuid).then(() => true, () => false));
      await one.stop({ drainTimeoutMs: 100 });
      `,
      { DATABASE_URL: proxy.url },
      (stdout) => {
        if (stdout.includes('it runs')) proxy.decide = () => 'lost';
      },
    );
    expect(code).toBe(0);
    expect(lingered).toBeLessThan(LINGER_MS);
  });
});

describe('an unusable database', () => {
  const wrong = async (): Promise<[string, string, RegExp][]> => {
    const missing = new URL(shared.url);
    missing.pathname = '/no_such_database';
    const refuses = await fakePostgres({ kind: 'refuses', code: '28P01', message: 'password authentication failed' });
    const asks = new URL(await fakePostgres({ kind: 'asks' }));
    asks.password = '';
    return [
      ['a host that does not exist', 'postgres://ada@nowhere.invalid/shop', /nowhere\.invalid.*check .*DATABASE_URL/],
      [
        'a port where nothing listens',
        'postgres://ada@127.0.0.1:1/shop',
        /no server is listening there; start PostgreSQL/,
      ],
      ['a wrong password', refuses, /the server rejected the user or password; check both in DATABASE_URL/],
      ['a missing password', asks.href, /the server requires a password; add it to DATABASE_URL/],
      ['a database that does not exist', missing.href, /the database does not exist; create it, or correct the name/],
      [
        'a server that closes immediately',
        await fakePostgres({ kind: 'closes' }),
        /check DATABASE_URL, and that the server is running/,
      ],
      [
        'a server that is too old',
        await fakePostgres({ kind: 'version', number: '130002' }),
        /is PostgreSQL 13; .* requires 15/,
      ],
      ['a string that is not a URL', 'localhost:5432/shop', /not a PostgreSQL URL; expected postgres:\/\//],
      ['a URL of another database system', 'mysql://ada@localhost/shop', /not a PostgreSQL URL/],
    ];
  };

  it('each problem is reported in a one-line message without the password, and the process exits', async () => {
    const cases = await wrong();
    const { stdout, stderr, code, lingered } = await program(`
      const { createTasker, defineHandler } = await import(process.env.PACKAGE);
      for (const databaseUrl of ${JSON.stringify(cases.map(([, url]) => url))}) {
        const start = performance.now();
        await createTasker({ databaseUrl, handlers: [defineHandler('a', {}, () => ({}))] }).then(
          () => console.log(JSON.stringify({ message: 'it connected' })),
          ({ code, message }) => console.log(JSON.stringify({ code, message, ms: performance.now() - start })),
        );
      }
    `);
    expect(stderr).toBe('');
    const results = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { code: string; message: string; ms: number });
    for (const [i, [name, , message]] of cases.entries()) {
      expect(results[i]?.message, name).toMatch(message);
      expect(results[i]?.message, name).not.toMatch(/secret|\n/);
      expect(results[i]?.code, name).toMatch(/^database_/);
    }
    expect(code).toBe(0);
    expect(lingered).toBeLessThan(LINGER_MS);
  });

  it('production without DATABASE_URL is rejected with the name of the variable that selects it', async () => {
    const cases = [
      [{ TASKER_ENV: 'production' }, 'TASKER_ENV'],
      [{ TASKER_ENV: 'production', NODE_ENV: 'test' }, 'TASKER_ENV'],
      [{ NODE_ENV: 'production' }, 'NODE_ENV'],
      [{ NODE_ENV: 'production', TASKER_ENV: '' }, 'NODE_ENV'],
    ] as const;
    const { stdout, code } = await program(`
      const { createTasker } = await import(process.env.PACKAGE);
      const env = { ...process.env };
      for (const each of ${JSON.stringify(cases.map(([each]) => each))}) {
        process.env = { ...env, ...each };
        await createTasker({}).catch(({ code, message }) => console.log(code, message));
      }
    `);
    for (const [i, [, variable]] of cases.entries()) {
      expect(stdout.split('\n')[i]).toMatch(
        `database_url_missing DATABASE_URL is not set and ${variable} is production`,
      );
    }
    expect(stdout).not.toMatch(/tasker(-core)? dev\b/);
    expect(code).toBe(0);
  });

  it('the process exits on its own if createTasker fails halfway', async () => {
    const { stdout, code, lingered } = await program(
      `
      const { createTasker, defineHandler } = await import(process.env.PACKAGE);
      await createTasker({ migrate: false, name: 'a\\0b', handlers: [defineHandler('a', {}, () => ({}))] })
        .then(() => console.log('it started'), (error) => console.log('refused: ' + error.message));
    `,
      { DATABASE_URL: shared.url },
    );
    expect(stdout).toMatch(/^refused: /);
    expect(code).toBe(0);
    expect(lingered).toBeLessThan(LINGER_MS);
  });
});

it('when a handler ends its process, the attempt is lost and another worker runs the step after the lease expires', async () => {
  const { tasker, demo, another } = await shared.setup(
    { greet: { retry: { max_attempts: 2, backoff: 'none' } } },
    { worker: false },
  );
  const { taskUuid } = await tasker.createTask(demo);
  const { code } = await program(
    `
    const { createTasker, defineHandler } = await import(process.env.PACKAGE);
    const namespaces = [${JSON.stringify(demo.namespace)}];
    await createTasker({ namespaces, leaseMs: 400, name: 'leaver', handlers: [defineHandler('greet', {}, () => process.exit(3))] });
  `,
    { DATABASE_URL: shared.url },
  );
  expect(code).toBe(3);
  const other = await another({
    worker: true,
    leaseMs: 3_000,
    name: 'other',
    handlers: [defineHandler('greet', {}, () => ({}))],
  });
  expect((await other.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  const [lost, done] = await other.getHistory(taskUuid);
  expect(lost).toMatchObject({ attempt: 1, what: 'worker_lost', who: 'leaver', error: { error_type: 'worker_lost' } });
  expect(done).toMatchObject({ attempt: 2, what: 'completed', who: 'other' });
  await invariants(shared.sql);
});
