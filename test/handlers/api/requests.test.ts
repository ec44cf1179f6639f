import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { ApiBodyOptions } from '../../../src/handlers/api/request-options.ts';
import { StepContext } from '../../../src/handlers/step-context.ts';
import { apiOf } from './api-of.ts';
import { httpServer } from './http-server.ts';

describe('the URL of a request', () => {
  it.each([
    ['/a', '/b', '/a/b'],
    ['/a/', '/b', '/a/b'],
    ['/a/', 'b', '/a/b'],
    ['/a//', '//b', '/a/b'],
    ['', '/b/', '/b/'],
    ['', 'b?c=1#top', '/b?c=1'],
    ['/a?k=1', 'b?c=1', '/a/b?k=1&c=1'],
    ['/a', '', '/a'],
    ['/a', '?c=1', '/a?c=1'],
    ['/a', '/b/../c', '/a/c'],
    ['', '/users:search', '/users:search'],
    ['', '//evil.example/x', '/evil.example/x'],
    ['', '/ä b', '/%C3%A4%20b'],
  ])('joins %j and %j with one slash', async (base, path, url) => {
    const { url: origin, got } = await httpServer();
    await apiOf({ baseUrl: origin + base }).get(path);
    expect(got[0]!.url).toBe(url);
  });

  it('appends the encoded params to the existing query, repeats lists and omits null', async () => {
    const { url, got } = await httpServer();
    const params = { q: 'a&b c', n: 0, no: null, not: undefined, on: true, tag: ['x', null, 'y'], at: new Date(0) };
    await apiOf({ baseUrl: url }).get('/find?first=1', { params });
    expect(got[0]!.url).toBe('/find?first=1&q=a%26b%20c&n=0&on=true&tag=x&tag=y&at=1970-01-01T00%3A00%3A00.000Z');
  });

  it('is the same whether arguments are options or positional', async () => {
    const { url, got } = await httpServer();
    const api = apiOf({ baseUrl: url });
    await api.get('/x', { params: { a: 1, b: null }, headers: { 'x-a': '1' } });
    await api.get('/x', { a: 1, b: null }, { 'x-a': '1' });
    await api.get('/x', { a: 1, b: null });
    await api.get('/x', undefined, { 'x-a': '1' });
    await api.get('/x', new URLSearchParams({ a: '1' }));
    expect(got.map(({ url: to, headers }) => [to, headers['x-a']])).toEqual([
      ['/x?a=1', '1'],
      ['/x?a=1', '1'],
      ['/x?a=1', undefined],
      ['/x', '1'],
      ['/x?a=1', undefined],
    ]);
  });

  it('treats an object that cannot be options as a query', async () => {
    const { url, got } = await httpServer();
    const api = apiOf({ baseUrl: url });
    await api.get('/x', { timeout: 'soon', signal: 'green' });
    await api.get('/x', { params: 'none', page: 2 });
    expect(got.map(({ url: to }) => to)).toEqual(['/x?timeout=soon&signal=green', '/x?params=none&page=2']);
  });

  it('can be absolute if there is no base URL, or it has the same origin', async () => {
    const { url, got } = await httpServer();
    await apiOf({}).get(`${url}/x`);
    await apiOf({ baseUrl: `${url}/v1` }).get(`${url}/y`);
    await apiOf({}).get(new URL(`${url}/z`));
    expect(got.map(({ url: to }) => to)).toEqual(['/x', '/y', '/z']);
  });

  it.each([
    ['', '/x', 'the path /x needs a baseUrl; set it on the handler, or pass an absolute URL'],
    ['ftp://files.example', '/x', 'baseUrl ftp://files.example is not an http or https URL'],
    ['api.example', '/x', 'baseUrl api.example is not an http or https URL'],
    ['', 'file:///etc/passwd', 'the path file:///etc/passwd is not an http or https URL'],
    [
      'https://api.example',
      'https://evil.example/?token=t',
      'https://evil.example/?token=[redacted] has a different origin from baseUrl https://api.example; pass a path, or use a handler without baseUrl',
    ],
    [
      'https://api.example/v1',
      '/users/../../admin',
      'the path /users/../../admin leads outside baseUrl https://api.example/v1; encode the values in the path',
    ],
  ])('fails permanently if it is invalid: %j and %j', async (baseUrl, path, message) => {
    await expect(apiOf({ baseUrl }).get(path)).rejects.toMatchObject({
      errorType: 'invalid_request',
      retryable: false,
      message,
    });
  });

  it('throws for a parameter without a string form', async () => {
    await expect(apiOf({ baseUrl: 'http://x.example' }).get('/', { filter: { a: 1 } })).rejects.toThrow(
      'the parameter filter is an object; pass a string, a number, a boolean, a date, or a list of these',
    );
  });
});

describe('the body of a request', () => {
  const FORM = 'application/x-www-form-urlencoded';
  const JSON_TYPE = 'application/json';
  it.each<[string, ApiBodyOptions, string, string | undefined]>([
    ['data is JSON', { data: { a: 1 } }, '{"a":1}', JSON_TYPE],
    ['body is JSON', { body: [1] }, '[1]', JSON_TYPE],
    ['json is JSON', { json: { a: null } }, '{"a":null}', JSON_TYPE],
    ['body is JSON with the flag', { body: 'text', json: true }, '"text"', JSON_TYPE],
    ['a number and false are JSON too', { body: 0 }, '0', JSON_TYPE],
    ['a string is JSON', { body: 'text' }, '"text"', JSON_TYPE],
    ['a string is text with json: false', { body: 'text', json: false }, 'text', 'text/plain;charset=UTF-8'],
    [
      'a given content type is kept',
      { body: { a: 1 }, headers: { 'Content-Type': 'application/vnd.x+json' } },
      '{"a":1}',
      'application/vnd.x+json',
    ],
    [
      'a string with a content type is sent unchanged',
      { body: '{"a":1}', headers: { 'content-type': JSON_TYPE } },
      '{"a":1}',
      JSON_TYPE,
    ],
    ['form', { form: { a: 'x y', b: [1, 2], c: null } }, 'a=x%20y&b=1&b=2', FORM],
    ['form as URLSearchParams', { form: new URLSearchParams({ a: 'x y' }) }, 'a=x%20y', FORM],
    ['URLSearchParams as body', { body: new URLSearchParams({ a: '1' }) }, 'a=1', `${FORM};charset=UTF-8`],
    ['bytes', { body: new TextEncoder().encode('bytes') }, 'bytes', undefined],
    ['a blob', { body: new Blob(['blob'], { type: 'image/x' }) }, 'blob', 'image/x'],
    ['a stream of Node', { body: Readable.from([Buffer.from('str'), Buffer.from('eam')]) }, 'stream', undefined],
    ['nothing', { body: null }, '', undefined],
  ])('%s', async (_, options, body, type) => {
    const { url, got } = await httpServer();
    await apiOf({ baseUrl: url }).post('/x', options);
    expect([got[0]!.body, got[0]!.headers['content-type']]).toEqual([body, type]);
  });

  it('is sent with each method that has a body, and delete accepts options or headers', async () => {
    const { url, got } = await httpServer();
    const api = apiOf({ baseUrl: url });
    await api.post('/', { data: 1 });
    await api.put('/', { data: 2 });
    await api.patch('/', { data: 3 });
    await api.delete('/', { params: { a: 1 } });
    await api.delete('/', { 'x-a': '1' });
    await api.delete('/', { json: { why: 'old' } });
    await api.request('purge', '/', { body: 'as it is' });
    await api.request('HEAD', '/');
    expect(got.map(({ method, url: to, headers, body }) => [method, to, headers['x-a'], body])).toEqual([
      ['POST', '/', undefined, '1'],
      ['PUT', '/', undefined, '2'],
      ['PATCH', '/', undefined, '3'],
      ['DELETE', '/?a=1', undefined, ''],
      ['DELETE', '/', '1', ''],
      ['DELETE', '/', undefined, '{"why":"old"}'],
      ['PURGE', '/', undefined, 'as it is'],
      ['HEAD', '/', undefined, ''],
    ]);
  });

  it.each<[unknown, string]>([
    [{ order_id: 7 }, 'a request has no option order_id; pass a body as body, json or form, and a query as params'],
    [{ body: 1, form: {} }, 'a request has one body; pass one of body, data, form and json'],
    [{ form: new FormData() }, 'the option form is for url-encoded fields; pass FormData as body'],
    [{ json: { at: 1n } }, 'the body is not JSON: Do not know how to serialize a BigInt'],
    [{ json: () => 1 }, 'the body is not JSON: it is a function'],
    [{ timeout: '5s' }, 'the option timeout of a request cannot be string'],
    [{ timeout: -1 }, 'the timeout of a request must be a number of milliseconds, 0 for none, not -1'],
  ])('fails permanently if it is invalid: %o', async (options, message) => {
    const api = apiOf({ baseUrl: 'http://127.0.0.1:9' });
    const refused = { errorType: 'invalid_request', retryable: false, message: expect.stringContaining(message) };
    await expect(api.post('/', options as ApiBodyOptions)).rejects.toMatchObject(refused);
  });

  it('is not allowed with GET', async () => {
    const sent = apiOf({ baseUrl: 'http://127.0.0.1:9' }).request('GET', '/', { body: 'x' });
    await expect(sent).rejects.toMatchObject({
      errorType: 'invalid_request',
      message: 'a GET request cannot have a body; use params',
    });
  });
});

describe('the headers of a request', () => {
  it('are the defaults and its own headers, which override the defaults regardless of case', async () => {
    const { url, got } = await httpServer();
    const api = apiOf({ baseUrl: url, defaultHeaders: { 'X-Team': 'orders', Accept: 'text/plain' } });
    await api.get('/', { headers: { accept: 'image/png', 'x-none': undefined } });
    await api.get('/', { headers: new Headers({ accept: 'text/html' }) });
    await api.get('/', { headers: [['accept', 'a/b']] });
    expect(got.map(({ headers }) => [headers['x-team'], headers.accept, headers['x-none']])).toEqual([
      ['orders', 'image/png', undefined],
      ['orders', 'text/html', undefined],
      ['orders', 'a/b', undefined],
    ]);
  });

  it('fail the request without revealing their value if they are invalid', async () => {
    const sent = apiOf({ baseUrl: 'http://x.example' }).get('/', { headers: { authorization: 'Bearer s3\ncret' } });
    const error = await sent.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ errorType: 'invalid_request', message: expect.stringContaining('authorization') });
    expect(inspect(error)).not.toContain('cret');
  });

  it('contain the user of the base URL', async () => {
    const { url, got } = await httpServer();
    await apiOf({ baseUrl: url.replace('//', '//ada:p%40ss@') }).get('/');
    expect(got[0]!.headers.authorization).toBe(`Basic ${Buffer.from('ada:p@ss').toString('base64')}`);
  });

  it('contain an idempotency key if requested, which is the same in all attempts and different for each suffix', async () => {
    const { url, got } = await httpServer();
    const api = apiOf({ baseUrl: url });
    const stepUuid = '0190aaaa-0000-7000-8000-000000000001';
    for (const retryCount of [0, 1]) {
      const context = new StepContext({ taskUuid: 't', stepUuid, handlerName: 'x', retryCount });
      await api.post('/', { context, idempotencyKey: true });
      await api.post('/', { context, idempotencyKey: 'refund fee' });
    }
    const keys = got.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toEqual([stepUuid, `${stepUuid}:refund%20fee`, stepUuid, `${stepUuid}:refund%20fee`]);
    await expect(api.post('/', { idempotencyKey: true })).rejects.toThrow(
      'an idempotency key requires a running step; pass its context in the options',
    );
  });
});

describe('the client of a handler', () => {
  it('can be replaced, and sees every request', async () => {
    const { url, got } = await httpServer();
    const api = apiOf({ baseUrl: url, defaultHeaders: { 'x-a': '1' } });
    expect(api.httpClient).toMatchObject({ baseUrl: url, timeout: 10_000, defaultHeaders: { 'x-a': '1' } });
    const seen: string[] = [];
    api.httpClient = {
      fetch: (to, init) => {
        seen.push(`${init.method} ${to.pathname}`);
        return fetch(to, init);
      },
    };
    await api.get('/a');
    await api.post('/b', { json: 1 });
    expect(seen).toEqual(['GET /a', 'POST /b']);
    expect(got.map(({ headers }) => headers['x-a'])).toEqual(['1', '1']);

    api.httpClient = { baseUrl: `${url}/v2`, defaultHeaders: {} };
    await api.get('/c');
    expect(got[2]).toMatchObject({ url: '/v2/c' });
    expect(got[2]!.headers['x-a']).toBeUndefined();
  });
});
