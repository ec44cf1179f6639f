import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import {
  BasePublisher,
  createLogger,
  defineHandler,
  LogContext,
  type Logger,
  logDebug,
  logError,
  logInfo,
  logTrace,
  logWarn,
  setLogger,
} from '../../src/index.ts';
import { runHandler } from '../../src/testing/index.ts';
import { projectWith } from '../support/config-folder.ts';
import { sharedDatabase } from '../support/shared-database.ts';

type Line = [level: string, message: string, fields: object];

/** Returns a logger that keeps its lines. */
function keeping(lines: Line[], bindings: object = {}, least = 'trace'): Logger {
  const levels = ['trace', 'debug', 'info', 'warn', 'error'];
  const writer =
    (level: string) =>
    (first: string | object, message = ''): void => {
      lines.push(
        typeof first === 'string' ? [level, first, { ...bindings }] : [level, message, { ...bindings, ...first }],
      );
    };
  return {
    trace: writer('trace'),
    debug: writer('debug'),
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
    child: (more) => keeping(lines, { ...bindings, ...more }, least),
    isLevelEnabled: (level) => levels.indexOf(level) >= levels.indexOf(least),
  };
}

const lines: Line[] = [];
afterEach(() => {
  lines.length = 0;
  setLogger(undefined);
});

describe('a line of a log function', () => {
  it('has its level, its message and its fields unchanged', () => {
    setLogger(keeping(lines));
    logTrace('t');
    logDebug('d', { order_id: '123' });
    logInfo('i', { orderId: 7, nothing: null });
    logWarn('w', {});
    logError('e', { deep: { list: [1] } });
    expect(lines).toEqual([
      ['trace', 't', {}],
      ['debug', 'd', { order_id: '123' }],
      ['info', 'i', { orderId: 7, nothing: null }],
      ['warn', 'w', {}],
      ['error', 'e', { deep: { list: [1] } }],
    ]);
  });

  it('is not written if its level is disabled', () => {
    setLogger(keeping(lines, {}, 'warn'));
    const dear = { get cost(): never { throw new Error('must not be read'); } }; // biome-ignore format: one line
    logInfo('i', dear);
    logWarn('w');
    expect(lines).toEqual([['warn', 'w', {}]]);
  });

  it('has the fields of a log context that are set, in snake_case', () => {
    setLogger(keeping(lines));
    const context = LogContext({ correlationId: 'abc-123', taskUuid: 'task-456', operation: 'process_order' });
    logInfo('processing', context);
    logInfo('plain', { correlationId: 'abc', stepUuid: undefined, namespace: 'shop' });
    expect(lines).toEqual([
      ['info', 'processing', { correlation_id: 'abc-123', task_uuid: 'task-456', operation: 'process_order' }],
      ['info', 'plain', { correlation_id: 'abc', namespace: 'shop' }],
    ]);
    expect(() => LogContext({ corelationId: 'x' } as never)).toThrow('log context: Unrecognized key: "corelationId"');
  });

  it('has the fields of its logger, which its own fields override', () => {
    setLogger(keeping(lines));
    const log = createLogger({ component: 'payments', taskUuid: 't-1' });
    log.info('charged', { component: 'refunds' });
    log.error('refused');
    expect(lines).toEqual([
      ['info', 'charged', { component: 'refunds', task_uuid: 't-1' }],
      ['error', 'refused', { component: 'payments', task_uuid: 't-1' }],
    ]);
  });

  it('has no credentials and no circular references, and has errors as strings', () => {
    setLogger(keeping(lines));
    const circle: Record<string, unknown> = { name: 'a' };
    circle.self = circle;
    logInfo('i', {
      password: 'p',
      api_key: 'k',
      apiKey: 'k',
      Authorization: 'Bearer x',
      nested: [{ access_token: 't', 'set-cookie': 'c', clientSecret: 's' }],
      primary_key: 'id',
      tokens_used: 3,
      at: new Date(0),
      url: 'connecting to postgres://ada:pw@db/shop failed',
      called: 'GET https://maps.example/geo?q=x&key=k#access_token=t; primary_key=7',
      error: new TypeError('no host in https://u:pw@h/'),
      big: 10n,
      circle,
    });
    const hidden = '[redacted]';
    expect(lines[0]![2]).toEqual({
      password: hidden,
      api_key: hidden,
      apiKey: hidden,
      Authorization: hidden,
      nested: [{ access_token: hidden, 'set-cookie': hidden, clientSecret: hidden }],
      primary_key: 'id',
      tokens_used: 3,
      at: '1970-01-01T00:00:00.000Z',
      url: 'connecting to postgres://ada:[redacted]@db/shop failed',
      called: 'GET https://maps.example/geo?q=x&key=[redacted]#access_token=[redacted] primary_key=7',
      error: 'TypeError: no host in https://u:[redacted]@h/',
      big: '10',
      circle: { name: 'a', self: '[circular]' },
    });
  });
});

describe('a line of a log function outside of handlers', () => {
  const shared = sharedDatabase();

  /** Returns the lines that a program writes to standard error. */
  async function written(script: string, env: Record<string, string> = {}): Promise<{ level: number; msg: string }[]> {
    const { TASKER_LOG: _, LOG_LEVEL: __, RUST_LOG: ___, ...rest } = process.env;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...rest, ...env },
    });
    expect(stdout).toBe('');
    return stderr
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }
  const each = `
    import * as log from 'tasker-core';
    for (const level of ['Trace', 'Debug', 'Info', 'Warn', 'Error']) log['log' + level](level, { order_id: '123' });
    log.createLogger({ component: 'payments' }).debug('by logger');`;

  it('is written to standard error as JSON at level info by default', async () => {
    const lines = await written(each);
    expect(lines.map(({ msg }) => msg)).toEqual(['Info', 'Warn', 'Error']);
    expect(lines[0]).toMatchObject({ level: 30, time: expect.any(Number), order_id: '123' });
  });

  it('is written at the level of the environment', async () => {
    const lines = await written(each, { TASKER_LOG: '', LOG_LEVEL: 'debug', RUST_LOG: 'error' });
    expect(lines.map(({ msg }) => msg)).toEqual(['Debug', 'Info', 'Warn', 'Error', 'by logger']);
  });

  it('uses the logger and level of a bootstrapped worker, and an invalid level causes one warning', async () => {
    const { demo } = await shared.setup({ a: [] }, { worker: false });
    const script = `
      import { bootstrapWorker, defineHandler, logDebug, logInfo, stopWorker } from 'tasker-core';
      Object.assign(globalThis, { defineHandler, logDebug });
      logDebug('before'); logInfo('before');
      const { success } = await bootstrapWorker({ namespace: '${demo.namespace}', logLevel: 'debug' });
      logDebug('started ' + success);
      await stopWorker();
      logDebug('stopped');`;
    const folder = projectWith({
      'handlers/a.mjs': `logDebug('loading'); export const a = defineHandler('a', {}, () => ({}));`,
    });
    const env = { LOG_LEVEL: 'loud', DATABASE_URL: shared.url, TASKER_HANDLER_PATH: `${folder}/handlers` };
    const lines = await written(script, env);
    const own = lines.filter(({ msg }) => /^(before|loading|started true|stopped)$/.test(msg));
    expect(own.map(({ level, msg }) => [level, msg])).toEqual([
      [30, 'before'],
      [20, 'loading'],
      [20, 'started true'],
      [20, 'stopped'],
    ]);
    expect(lines.filter(({ msg }) => msg.includes('loud'))).toMatchObject([
      { level: 40, msg: 'LOG_LEVEL: loud is not one of trace, debug, info, warn, error, off; info is used' },
    ]);
  });

  it("is written to the logger of the worker that started last, at the worker's level", async () => {
    const [first, second, client]: [Line[], Line[], Line[]] = [[], [], []];
    const handlers = [defineHandler('a', {}, () => ({}))];
    const one = await shared.setup({ a: [] }, { handlers, logger: keeping(first, {}, 'debug') });
    logDebug('to the first');
    const two = await shared.setup({ a: [] }, { handlers, logger: keeping(second, {}, 'warn') });
    await shared.setup({ a: [] }, { worker: false, logger: keeping(client) });
    logInfo('too detailed');
    logWarn('to the second', { n: 2 });
    await two.tasker.stop();
    logDebug('to the first again');
    await one.tasker.stop();
    logDebug('after the last');
    const own = (lines: Line[]) => lines.filter(([, text]) => /^(to the|too|after the last)/.test(text));
    expect(own(first).map(([, text]) => text)).toEqual(['to the first', 'to the first again', 'after the last']);
    expect(own(second)).toEqual([['warn', 'to the second', { n: 2 }]]);
    expect(own(client)).toEqual([]);
  });

  it('is written to the logger of setLogger, regardless of running workers', async () => {
    const worker: Line[] = [];
    setLogger(keeping(lines));
    await shared.setup({ a: [] }, { handlers: [defineHandler('a', {}, () => ({}))], logger: keeping(worker) });
    logInfo('mine');
    expect(lines).toEqual([['info', 'mine', {}]]);
    expect(worker.some(([, text]) => text === 'mine')).toBe(false);
  });
});

describe('a line of a log function in a handler', () => {
  const shared = sharedDatabase();

  it('names the step and the ids, even after an await and with many steps at the same time', async () => {
    const kept: Line[] = [];
    const ship = defineHandler('ship', { inputs: { n: 'n' } }, async ({ n, context }) => {
      logInfo('begins', { n });
      await new Promise((resolve) => setImmediate(resolve));
      logInfo('ends', { n, own: context.taskUuid });
    });
    const { tasker, demo } = await shared.setup({ ship: [] }, { handlers: [ship], logger: keeping(kept) });
    const tasks = await tasker.createTasks([1, 2, 3].map((n) => ({ ...demo, context: { n } })));
    await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })));
    const own = kept.filter(([, message]) => message === 'begins' || message === 'ends');
    expect(own).toHaveLength(6);
    for (const [i, { taskUuid }] of tasks.entries()) {
      const ids = { task_uuid: taskUuid, correlation_id: taskUuid, step: 'ship', attempt: 1, n: i + 1 };
      expect(own).toContainEqual(['info', 'begins', ids]);
      expect(own).toContainEqual(['info', 'ends', { ...ids, own: taskUuid }]);
    }
  });

  it('does not name the step that created the task, if a publisher logs it', async () => {
    const kept: Line[] = [];
    class Noted extends BasePublisher {
      override readonly publisherName = 'noted';
      override beforePublish(): void {
        logInfo('publishing');
      }
    }
    const created = { taskUuid: '' };
    const ship = defineHandler('ship', {}, async ({ context }) => {
      if (context.inputData.again === true) created.taskUuid = (await tasker.createTask(demo)).taskUuid;
    });
    const event = { name: 'ship.done', description: 'shipped', schema: {}, publisher: 'noted' };
    const { tasker, demo } = await shared.setup(
      { ship: { publishes_events: [event] } },
      { handlers: [ship], publishers: [new Noted()], logger: keeping(kept) },
    );
    const { taskUuid } = await tasker.createTask({ ...demo, context: { again: true } });
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    await tasker.waitForTask(created.taskUuid, { timeoutMs: 20_000 });
    expect(kept.filter(([, message]) => message === 'publishing')).toEqual([
      ['info', 'publishing', {}],
      ['info', 'publishing', {}],
    ]);
  });

  it('is written to the logger that is passed to runHandler', async () => {
    const kept: Line[] = [];
    await runHandler(() => logWarn('low'), { logger: keeping(kept, { step: 'x' }) });
    expect(kept).toEqual([['warn', 'low', { step: 'x' }]]);
  });

  it('names the step, also as the first line of its process, after an await and with many steps at the same time', async () => {
    const { demo } = await shared.setup({ ship: [] }, { worker: false });
    const script = `
      import { createTasker, defineHandler, logInfo } from 'tasker-core';
      const own = (bindings = {}) => {
        const write = (fields, message) => {
          if (message === 'ends') console.log(JSON.stringify({ ...bindings, ...fields }));
        };
        const child = (more) => own({ ...bindings, ...more });
        return { trace() {}, debug() {}, info: write, warn: write, error: write, child };
      };
      let begun = 0;
      let go;
      const all = new Promise((resolve) => { go = resolve; });
      const ship = defineHandler('ship', {}, async ({ context }) => {
        if (++begun === 5) go();
        await all;
        await new Promise((resolve) => setTimeout(resolve, 1));
        logInfo('ends', { own: context.taskUuid });
      });
      const tasker = await createTasker({ namespaces: ['${demo.namespace}'], handlers: [ship], logger: own() });
      const request = ${JSON.stringify(demo)};
      const tasks = await tasker.createTasks(Array.from({ length: 5 }, () => request));
      await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })));
      await tasker.stop();
    `;
    const env = { ...process.env, DATABASE_URL: shared.url };
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env });
    const written = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
    expect(new Set(written.map((line) => line.task_uuid)).size).toBe(5);
    for (const line of written) expect(line).toMatchObject({ task_uuid: line.own, step: 'ship', attempt: 1 });
  });

  it('is written to the logger that is passed to runHandler, as the first line of its process', async () => {
    const script = `
      import { logInfo } from 'tasker-core';
      import { runHandler } from 'tasker-core/testing';
      const write = (fields, message) => console.log(message, JSON.stringify(fields));
      const logger = { info: write, child: () => logger };
      await runHandler(async () => { logInfo('first', { a: 1 }); }, { logger });
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect(stdout).toBe('first {"a":1}\n');
  });
});
