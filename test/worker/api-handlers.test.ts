import { describe, expect, it } from 'vitest';
import { ApiHandler, applyAPI } from '../../src/handlers/api/api-mixin.ts';
import { defineApiHandler } from '../../src/handlers/api/define-api-handler.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { StepHandler, type StepHandlerResult } from '../../src/handlers/step-handler.ts';

import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { deadUrl, httpServer, json } from '../handlers/api/http-server.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { deferred, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const REST = { timeoutMs: 15_000 };
const FAST = { max_attempts: 3, backoff: 'none' };

/** A handler class that calls a server. The template selects the method that runs. */
function callerOf(url: string) {
  return class Caller extends ApiHandler {
    static override readonly handlerName = 'a';
    static override readonly baseUrl: string = url;

    override async call(context: StepContext): Promise<StepHandlerResult> {
      const response = await this.get(`/${context.getInputOr('path', '')}`);
      return this.apiSuccess(response);
    }

    async charge(): Promise<StepHandlerResult> {
      const first = await this.post('/charges', { json: {}, idempotencyKey: true });
      await this.post('/mails', { json: {}, idempotencyKey: 'mail' });
      return this.apiSuccess(first);
    }
  };
}

describe('the response of a server', () => {
  it.each([
    [404, 'not_found', 1],
    [422, 'unprocessable_entity', 1],
    [503, 'service_unavailable', 3],
    [501, 'server_error', 3],
  ])('a response with status %i is a failure of type %s after %i attempts', async (status, errorType, attempts) => {
    const { url, got } = await httpServer((_, response) => json(response, { error: 'no' }, { status }));
    const { tasker, demo } = await shared.setup({ a: { retry: FAST } }, { handlers: [callerOf(url)] });
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, REST)).status).toBe('blocked_by_failures');
    expect(await tasker.getStep(taskUuid, 'a')).toMatchObject({
      currentState: 'error',
      results: {
        success: false,
        error: { error_type: errorType, status_code: status, message: `HTTP ${status}: no` },
      },
    });
    expect(got.length).toBe(attempts);
  });

  it.each(['seconds', 'a date'])('a Retry-After in %s delays the next attempt', async (form) => {
    const times: number[] = [];
    const { url } = await httpServer((_, response) => {
      times.push(Date.now());
      if (times.length > 1) return json(response, { done: true });
      // A date has whole seconds, so a date two seconds ahead is between one and two seconds from now.
      const value = form === 'seconds' ? '1' : new Date(Date.now() + 2_000).toUTCString();
      json(response, {}, { status: 429, headers: { 'retry-after': value } });
    });
    const { tasker, demo } = await shared.setup({ a: { retry: FAST } }, { handlers: [callerOf(url)] });
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, REST)).status).toBe('complete');
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(990);
    const [first] = await tasker.getHistory(taskUuid);
    expect(first).toMatchObject({ what: 'failed', error: { error_type: 'rate_limited', status_code: 429 } });
  });
});

describe('a request of a handler', () => {
  it('a request to an unreachable server is retried', async () => {
    const { tasker, demo } = await shared.setup({ a: { retry: FAST } }, { handlers: [callerOf(await deadUrl())] });
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, REST);
    const history = await tasker.getHistory(taskUuid);
    expect(history.map(({ error }) => error?.error_type)).toEqual(Array(3).fill('connection_error'));
  });

  it.each(['a class', 'an instance', 'a function', 'applyAPI'])(
    'the timeout of a step aborts its request, and the server sees the connection close: %s',
    async (kind) => {
      const closed = deferred();
      const { url } = await httpServer((_, response) => response.on('close', closed.resolve));
      class Applied extends StepHandler {
        static readonly baseUrl: string = url;
        readonly api = applyAPI(this);

        override async call(): Promise<StepHandlerResult> {
          return this.api.apiSuccess(await this.api.get('/'));
        }
      }
      const registry = new HandlerRegistry();
      const handler = callerOf(url);
      if (kind === 'a class') registry.register('a', handler);
      if (kind === 'an instance') registry.register('a', new handler());
      if (kind === 'a function')
        registry.register(
          'a',
          defineApiHandler('a', { baseUrl: url }, ({ api }) => api.get('/')),
        );
      if (kind === 'applyAPI') registry.register('a', Applied);
      // Many attempts, because on a busy machine the first one may time out before its request is sent.
      const { tasker, demo } = await shared.setup(
        { a: { retry: { max_attempts: 100, backoff: 'none' } } },
        { handlers: registry, handlerTimeoutMs: 100 },
      );
      const { taskUuid } = await tasker.createTask(demo);
      await closed.promise;
      const [first] = await until(
        () => tasker.getHistory(taskUuid),
        ({ length }) => length > 0,
      );
      expect(first).toMatchObject({ what: 'failed', error: { error_type: 'timeout' } });
      await tasker.cancelTask(taskUuid);
    },
  );

  it('cancelling a task aborts its request and no other', async () => {
    const closed: string[] = [];
    const ended = deferred();
    const arrived = [deferred(), deferred()];
    const answers = new Map<string, () => void>();
    const { url } = await httpServer(({ url: path }, response) => {
      answers.set(path, () => json(response, { path }));
      response.on('close', () => {
        if (response.writableFinished) return;
        closed.push(path);
        ended.resolve();
      });
      arrived[answers.size - 1]!.resolve();
    });
    const instance = new (callerOf(url))();
    const registry = new HandlerRegistry();
    registry.register('a', instance);
    const { tasker, demo } = await shared.setup({ a: { retry: { max_attempts: 1 } } }, { handlers: registry });
    const [one, two] = await tasker.createTasks([
      { ...demo, context: { path: 'one' } },
      { ...demo, context: { path: 'two' } },
    ]);
    await Promise.all(arrived.map(({ promise }) => promise));
    await tasker.cancelTask(one!.taskUuid);
    await ended.promise;
    answers.get('/two')!();
    expect((await tasker.waitForTask(two!.taskUuid, REST)).status).toBe('complete');
    expect(closed).toEqual(['/one']);
  });

  it('the idempotency key of a request is the same in each attempt of a step, and in methods other than call', async () => {
    const { url, got } = await httpServer((_, response) => json(response, {}, { status: got.length < 3 ? 503 : 200 }));
    const { tasker, demo } = await shared.setup(
      { a: { handler: { callable: 'a', method: 'charge' }, retry: FAST } },
      { handlers: [callerOf(url)] },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, REST)).status).toBe('complete');
    const { stepUuid } = await tasker.getStep(taskUuid, 'a');
    expect(got.map(({ url: path, headers }) => [path, headers['idempotency-key']])).toEqual([
      ['/charges', stepUuid],
      ['/mails', `${stepUuid}:mail`],
      ['/charges', stepUuid],
      ['/mails', `${stepUuid}:mail`],
    ]);
  });
});

describe('secrets', () => {
  it('secrets of requests and responses appear in neither the database nor the log', async () => {
    const { url } = await httpServer(({ url: path }, response) => {
      const status = path.startsWith('/ok') ? 200 : path.startsWith('/bad') ? 400 : 302;
      const headers = { 'set-cookie': 'sid=s3cret', 'x-auth-token': 's3cret', location: '/again?token=s3cret' };
      json(response, { error: 'no', session_token: status === 400 ? 's3cret' : undefined }, { status, headers });
    });
    const withSecrets = { authorization: 'Bearer s3cret', cookie: 'sid=s3cret', 'x-api-key': 's3cret' };
    const query = { params: { api_key: 's3cret', page: 1 } };
    const of = (name: string, baseUrl: string) =>
      defineApiHandler(name, { baseUrl, defaultHeaders: withSecrets }, ({ api }) => api.get(`/${name}`, query));
    const { logger, lines } = collectingLogger();
    const steps = { ok: [], bad: [], loop: [], dead: [] };
    const withUser = (base: string) => base.replace('//', '//ada:s3cret@');
    const { tasker, demo } = await shared.setup(
      Object.fromEntries(Object.keys(steps).map((name) => [name, { retry: { max_attempts: 1 } }])),
      {
        handlers: [of('ok', url), of('bad', url), of('loop', withUser(url)), of('dead', withUser(await deadUrl()))],
        logger,
      },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, REST);
    const rows: string[] = [];
    for (const table of ['task', 'step', 'history']) {
      rows.push(JSON.stringify(await shared.sql(`select * from tasker.${table} where task_uuid = $1`, [taskUuid])));
    }
    expect(rows.join('\n')).toContain('HTTP 400: no');
    expect(rows.join('\n')).toContain('api_key=[redacted]');
    expect(rows.join('\n')).toContain('page=1');
    expect(rows.join('\n')).not.toContain('s3cret');
    expect(JSON.stringify(lines)).toContain('HTTP 400: no');
    expect(JSON.stringify(lines)).not.toContain('s3cret');
  });
});
