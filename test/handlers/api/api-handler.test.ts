import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type APICapable, APIMixin, ApiHandler, applyAPI } from '../../../src/handlers/api/api-mixin.ts';
import { type ApiHandlerOptions, defineApiHandler } from '../../../src/handlers/api/define-api-handler.ts';
import { DecisionMixin } from '../../../src/handlers/decision/decision-mixin.ts';
import { StepContext } from '../../../src/handlers/step-context.ts';
import { StepHandler, type StepHandlerClass, type StepHandlerResult } from '../../../src/handlers/step-handler.ts';

import { withMixins } from '../../../src/handlers/with-mixins.ts';
import { httpServer, json } from './http-server.ts';

/** Returns the handler of the page with this base URL. */
function fetchUser(url: string): StepHandlerClass {
  return class FetchUser extends ApiHandler {
    static override readonly handlerName = 'fetch_user';
    static override readonly baseUrl: string = url;

    override async call(context: StepContext): Promise<StepHandlerResult> {
      const response = await this.get(`/users/${context.inputData.user_id}`);
      return this.apiSuccess(response);
    }
  };
}

function contextOf(inputData: Record<string, unknown> = {}, more: { signal?: AbortSignal } = {}): StepContext {
  return new StepContext({ taskUuid: 't', stepUuid: 'step-1', handlerName: 'x', inputData, ...more });
}

const users = () =>
  httpServer(({ url }, response) => {
    const status = Number(url.split('/')[2]) || 200;
    json(response, { path: url }, { status });
  });

describe('an API handler', () => {
  it('turns each response into the result for its status', async () => {
    const { url } = await users();
    const handler = new (fetchUser(url))();
    expect(handler.capabilities).toEqual(['process', 'http', 'api']);
    const run = (userId: unknown) => handler.call(contextOf({ user_id: userId }));
    expect(await run('ada')).toMatchObject({ success: true, result: { path: '/users/ada' } });
    expect(await run(404)).toMatchObject({ success: false, errorType: 'not_found', retryable: false });
    expect(await run(503)).toMatchObject({ success: false, errorType: 'service_unavailable', retryable: true });
  });

  it('has the functions of the mixin, whether it extends ApiHandler, a mixed class or applies the mixin', () => {
    class Mixed extends withMixins(StepHandler, APIMixin) {
      override call(): StepHandlerResult {
        return this.success();
      }
    }
    class Applied extends StepHandler {
      readonly api = applyAPI(this);

      override call(): StepHandlerResult {
        return this.success();
      }
    }
    const names = Object.getOwnPropertyNames(APIMixin.prototype).filter(
      (name) => !['constructor', 'capabilities'].includes(name),
    );
    expect(names).toEqual(expect.arrayContaining(['get', 'post', 'put', 'patch', 'delete', 'request', 'httpClient']));
    const inherited = (from: object, name: string): PropertyDescriptor | undefined =>
      Object.getOwnPropertyDescriptor(from, name) ?? inherited(Object.getPrototypeOf(from) as object, name);
    const theirs = (from: object) =>
      names.map((name) => inherited(from, name)).map((one) => one?.get ?? (one?.value as unknown));
    expect(theirs(ApiHandler.prototype)).toEqual(theirs(APIMixin.prototype));
    expect(theirs(Mixed.prototype)).toEqual(theirs(APIMixin.prototype));
    expect(theirs(new Applied())).toEqual(theirs(APIMixin.prototype));
    expect([new Mixed().capabilities, new Applied().capabilities]).toEqual(Array(2).fill(['process', 'http', 'api']));
  });

  it('decides and sends requests with both mixins, as on the page', async () => {
    const { url } = await httpServer((_, response) => json(response, { a: 1 }, { headers: { 'set-cookie': 's=1' } }));
    class MyHandler extends withMixins(StepHandler, APIMixin, DecisionMixin) {
      static override readonly handlerName = 'my_handler';
      static override readonly baseUrl: string = url;

      override async call(): Promise<StepHandlerResult> {
        const response = await this.get('/api/endpoint');
        return this.decisionSuccess(['next_step'], response);
      }
    }
    const result = await new MyHandler().call();
    expect(result).toMatchObject({ success: true });
    expect(result.result).toMatchObject({ routing_context: { status_code: 200, body: { a: 1 } } });
    expect(JSON.stringify(result)).not.toContain('s=1');
  });

  it('reads its defaults from the class, from fields or from getters', async () => {
    const { url, got } = await users();
    class ByField extends ApiHandler {
      override readonly baseUrl = `${url}/field`;
      override readonly defaultHeaders = { 'x-from': 'field' };

      override call(): Promise<StepHandlerResult> {
        return this.get('x').then((response) => this.apiSuccess(response));
      }
    }
    class ByGetter extends ApiHandler {
      static override readonly defaultTimeout: number = 1_234;

      override get baseUrl(): string {
        return `${url}/getter`;
      }

      override call(): Promise<StepHandlerResult> {
        return this.get('x').then((response) => this.apiSuccess(response));
      }
    }
    await new ByField().call();
    await new ByGetter().call();
    expect(got.map(({ url: to, headers }) => [to, headers['x-from']])).toEqual([
      ['/field/x', 'field'],
      ['/getter/x', undefined],
    ]);
    expect([new ByField().timeout, new ByGetter().timeout]).toEqual([30_000, 1_234]);
    expect(new ByField().maxResponseBytes).toBe(10_485_760);
  });

  it('fails permanently without a base URL', async () => {
    const handler = new (fetchUser(''))();
    await expect(handler.call(contextOf({ user_id: 7 }))).rejects.toMatchObject({
      retryable: false,
      message: 'the path /users/7 needs a baseUrl; set it on the handler, or pass an absolute URL',
    });
  });
});

describe('a defined API handler', () => {
  it('receives api as an argument, and a returned response is its result', async () => {
    const { url, got } = await users();
    const handler = defineApiHandler(
      'fetch_user',
      {
        baseUrl: url,
        defaultHeaders: { 'x-a': '1' },
        inputs: { userId: { key: 'user_id', schema: z.string() } },
        version: '2.0.0',
      },
      ({ userId, api }) => api.get(`/users/${encodeURIComponent(userId)}`),
    );
    expect([handler.handlerName, handler.handlerVersion, new handler().capabilities]).toEqual([
      'fetch_user',
      '2.0.0',
      ['process', 'http', 'api'],
    ]);
    const run = (userId: unknown) => new handler().call(contextOf({ user_id: userId }));
    expect(await run('../ada')).toMatchObject({ success: true, result: { path: '/users/..%2Fada' } });
    expect(got[0]!.headers['x-a']).toBe('1');
    expect(await run('404')).toMatchObject({ success: false, errorType: 'not_found' });
    expect(await run(7)).toMatchObject({ success: false, errorType: 'validation_error' });
  });

  it('is itself the argument api, so that a test can replace its methods', async () => {
    const received: unknown[] = [];
    const handler = new (defineApiHandler('a', { baseUrl: 'http://127.0.0.1:1' }, async ({ api }) => {
      received.push(api);
      return { got: await api.get('/users/1') };
    }))();
    Object.assign(handler, { get: async () => 'replaced' });
    expect(await handler.call(contextOf())).toMatchObject({ success: true, result: { got: 'replaced' } });
    expect(received[0]).toBe(handler);
    expect(await handler.call(contextOf())).toMatchObject({ success: true, result: { got: 'replaced' } });
  });

  it('aborts only the requests of the aborted step if one instance runs several steps', async () => {
    const open: { answer: () => void }[] = [];
    const { url } = await httpServer((_, response) => void open.push({ answer: () => json(response, { id: 1 }) }));
    const handler = new (defineApiHandler('a', { baseUrl: url }, ({ api }) => api.get('/')))();
    const [first, second] = [new AbortController(), new AbortController()];
    const results = [first, second].map(({ signal }) => handler.call(contextOf({}, { signal })));
    await expect.poll(() => open.length).toBe(2);
    second.abort();
    expect(await results[1]).toMatchObject({ success: false });
    for (const { answer } of open) answer();
    expect(await results[0]).toMatchObject({ success: true, result: { id: 1 } });
  });

  it('can determine the base URL and headers on each run, and use a custom client', async () => {
    const { url, got } = await users();
    let token = 0;
    const seen: string[] = [];
    const handler = defineApiHandler(
      'x',
      {
        baseUrl: () => url,
        defaultHeaders: () => ({ authorization: `Bearer ${++token}` }),
        httpClient: {
          fetch: (to, init) => {
            seen.push(to.pathname);
            return fetch(to, init);
          },
        },
      },
      ({ api }) => api.post('/charges', { json: {}, idempotencyKey: true }),
    );
    await new handler().call(contextOf());
    await new handler().call(contextOf());
    expect(got.map(({ headers }) => headers.authorization)).toEqual(['Bearer 1', 'Bearer 2']);
    expect(got.map(({ headers }) => headers['idempotency-key'])).toEqual(['step-1', 'step-1']);
    expect(seen).toEqual(['/charges', '/charges']);
  });

  it('has the static settings of an ApiHandler class', () => {
    const defaultHeaders = { 'X-Team': 'blue' };
    const given = defineApiHandler('x', { baseUrl: 'https://a.example', defaultTimeout: 5, defaultHeaders }, () => 1);
    expect([given.handlerName, given.baseUrl, given.defaultTimeout]).toEqual(['x', 'https://a.example', 5]);
    expect(given.defaultHeaders).toEqual(defaultHeaders);
    const usual = defineApiHandler('x', { baseUrl: '' }, () => 1);
    expect([usual.baseUrl, usual.defaultTimeout, usual.defaultHeaders]).toEqual(['', 30_000, {}]);
    let n = 0;
    const asked = defineApiHandler('x', { baseUrl: () => `https://${++n}.example` }, () => 1);
    expect([asked.baseUrl, asked.baseUrl, new asked().baseUrl]).toEqual([1, 2, 3].map((i) => `https://${i}.example`));
  });

  it('creates instances that send requests and return results like those of an ApiHandler class', async () => {
    const { url, got } = await users();
    const defaultHeaders = { 'x-team': 'blue' };
    const defined = defineApiHandler('x', { baseUrl: url, defaultTimeout: 1_000, defaultHeaders }, () => 1);
    const instance = new defined();
    expect(instance).toMatchObject({ timeout: 1_000, defaultHeaders, capabilities: ['process', 'http', 'api'] });
    const response = await instance.get('/users/7', { params: { a: 1 } });
    await instance.post('/b', { body: { n: 1 } });
    await instance.put('/c', { json: {} });
    await instance.patch('/d');
    await instance.delete('/e');
    await instance.request('OPTIONS', '/f');
    expect(got.map(({ method, url: to }) => `${method} ${to}`)).toEqual([
      'GET /users/7?a=1',
      'POST /b',
      'PUT /c',
      'PATCH /d',
      'DELETE /e',
      'OPTIONS /f',
    ]);
    expect(got.every(({ headers }) => headers['x-team'] === 'blue')).toBe(true);
    expect(instance.apiSuccess(response)).toMatchObject({ success: true, result: { path: '/users/7?a=1' } });
    expect(instance.apiFailure(response)).toMatchObject({ success: false });
    expect(instance.connectionError(new Error('refused'), 'loading')).toMatchObject({ errorType: 'connection_error' });
    expect(instance.timeoutError(new Error('slow'))).toMatchObject({ errorType: 'timeout', retryable: true });
  });

  it('creates instances that use the client of the handler', async () => {
    const sent: string[] = [];
    const fetch = async (to: URL) => {
      sent.push(to.href);
      return Response.json({ a: 1 });
    };
    const defined = defineApiHandler('x', { baseUrl: 'https://a.example', httpClient: { fetch } }, () => 1);
    expect((await new defined().get('/b')).body).toEqual({ a: 1 });
    expect(sent).toEqual(['https://a.example/b']);
  });

  it('aborts its requests when its step is aborted, and fails as retryable without a response', async () => {
    const { url } = await httpServer(() => {});
    const step = new AbortController();
    const handler = defineApiHandler('x', { baseUrl: url, defaultTimeout: 60 }, ({ api, context }) =>
      api.get('/', { timeout: context.getInputOr('timeout', 60) }),
    );
    const running = new handler().call(contextOf({ timeout: 0 }, { signal: step.signal }));
    step.abort(new Error('cancelled'));
    expect(await running).toMatchObject({ success: false, errorMessage: 'cancelled' });
    expect(await new handler().call(contextOf())).toMatchObject({
      success: false,
      errorType: 'timeout',
      retryable: true,
    });
  });

  it.each<[unknown, string]>([
    [{ baseUrl: 'api.example' }, 'handler x: baseUrl api.example is not an http or https URL'],
    [{}, 'handler x: the option baseUrl must be a string or a function'],
    [
      { baseUrl: '', basUrl: '' },
      'handler x: unknown option basUrl; the options are inputs, depends, version, isolation, baseUrl,',
    ],
    [{ baseUrl: '', inputs: { api: 'api' } }, 'handler x: a parameter cannot be named api; choose another name'],
  ])('throws for invalid options: %j', (options, message) => {
    expect(() => defineApiHandler('x', options as ApiHandlerOptions, () => 1)).toThrow(message);
  });
});

describe('applyAPI', () => {
  it('uses the defaults of the class that calls it', async () => {
    const { url, got } = await users();
    class Fetch extends StepHandler {
      static readonly baseUrl: string = url;
      readonly api: APICapable = applyAPI(this);

      override async call(): Promise<StepHandlerResult> {
        return this.api.apiSuccess(await this.api.get('/x'));
      }
    }
    expect(await new Fetch().call()).toMatchObject({ success: true });
    expect(got[0]!.url).toBe('/x');
  });
});
