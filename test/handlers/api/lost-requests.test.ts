import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { StepContext } from '../../../src/handlers/step-context.ts';
import { deferred } from '../../support/setup.ts';
import { apiOf } from './api-of.ts';
import { deadUrl, httpServer, json } from './http-server.ts';

describe('a request without a response', () => {
  it('fails with a retryable connection_error if the connection is rejected', async () => {
    const url = await deadUrl();
    await expect(apiOf({ baseUrl: url }).get('/users', { params: { api_key: 'k' } })).rejects.toMatchObject({
      name: 'NetworkError',
      errorType: 'connection_error',
      retryable: true,
      message: expect.stringMatching(
        /^GET http:\/\/127\.0\.0\.1:\d+\/users\?api_key=\[redacted\]: connection failed: connect ECONNREFUSED/,
      ),
      metadata: { method: 'GET', code: 'ECONNREFUSED', exception_type: 'TypeError' },
    });
  });

  it('fails in the same way if the host is unknown, or the connection is closed before or during the response', async () => {
    const lost = { errorType: 'connection_error', retryable: true };
    await expect(apiOf({ baseUrl: 'http://no-such-host.invalid' }).get('/')).rejects.toMatchObject(lost);

    const { url } = await httpServer(({ url: path }, response) => {
      if (path === '/within') response.writeHead(200, { 'content-length': 100 }).write('half');
      setImmediate(() => response.destroy());
    });
    const api = apiOf({ baseUrl: url });
    await expect(api.get('/before')).rejects.toMatchObject(lost);
    await expect(api.get('/within')).rejects.toMatchObject(lost);
  });

  it.each(['nothing', 'the head', 'a body that never ends'])(
    'fails with a retryable timeout if the server sends %s, and closes the connection',
    async (what) => {
      const closed = deferred();
      const { url } = await httpServer((_, response) => {
        if (what !== 'nothing') response.writeHead(200).flushHeaders();
        const drip = setInterval(() => what.startsWith('a body') && response.write('.'), 5);
        response.on('close', () => {
          clearInterval(drip);
          closed.resolve();
        });
      });
      const sent = apiOf({ baseUrl: url }).get('/slow', { timeout: 60 });
      await expect(sent).rejects.toMatchObject({
        name: 'StepTimeoutError',
        errorType: 'timeout',
        retryable: true,
        message: `GET ${url}/slow: no response within 60 ms`,
        metadata: { timeout_ms: 60 },
      });
      await closed.promise;
    },
  );

  it('rejects with the reason of its own signal or of the signal of its step', async () => {
    const { url } = await httpServer(() => {});
    const api = apiOf({ baseUrl: url });
    const own = new AbortController();
    const waiting = api.get('/', { signal: own.signal });
    own.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');

    const step = new AbortController();
    const context = new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'x', signal: step.signal });
    const ofStep = api.get('/', { context, timeout: 0 });
    step.abort(new Error('the task was cancelled'));
    await expect(ofStep).rejects.toThrow('the task was cancelled');
    await expect(api.get('/', { context })).rejects.toThrow('the task was cancelled');
  });
});

describe('a response that is too large', () => {
  const refused = {
    errorType: 'response_too_large',
    retryable: false,
    message: expect.stringMatching(
      /: the response has more than 1000 bytes; increase maxResponseBytes, or read it with stream: true$/,
    ),
  };

  it('is rejected by its declared, received and decompressed size', async () => {
    const { url } = await httpServer(({ url: path }, response) => {
      if (path === '/declared') response.writeHead(200, { 'content-length': 5_000 }).end('x'.repeat(5_000));
      else if (path === '/packed')
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(5_000)));
      else return endless(response);
      return undefined;
    });
    const api = apiOf({ baseUrl: url, maxResponseBytes: 1_000 });
    for (const path of ['/declared', '/packed', '/endless']) await expect(api.get(path)).rejects.toMatchObject(refused);
    expect((await api.get('/declared', { maxResponseBytes: 5_000 })).text).toHaveLength(5_000);
  });

  it('can be read as a stream', async () => {
    const { url } = await httpServer((_, response) => response.end('x'.repeat(5_000)));
    const response = await apiOf({ baseUrl: url, maxResponseBytes: 10 }).get('/', { stream: true });
    expect(response.body).toBe('');
    expect(await response.rawResponse.text()).toHaveLength(5_000);
  });

  it('is aborted with its step even as a stream', async () => {
    const { url } = await httpServer((_, response) => void response.writeHead(200).write('first'));
    const step = new AbortController();
    const context = new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'x', signal: step.signal });
    const response = await apiOf({ baseUrl: url }).get('/', { stream: true, context });
    const reader = response.rawResponse.body!.getReader();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('first');
    const next = reader.read();
    step.abort(new Error('cancelled'));
    await expect(next).rejects.toThrow('cancelled');
  });
});

describe('redirects', () => {
  it.each([
    [301, 'GET', ''],
    [302, 'GET', ''],
    [303, 'GET', ''],
    [307, 'POST', '{"a":1}'],
    [308, 'POST', '{"a":1}'],
  ])('with status %i turn a POST into a %s', async (status, method, body) => {
    const { url, got } = await httpServer(({ url: path }, response) =>
      path === '/from'
        ? response.writeHead(status, { location: '/to?x=1' }).end('moved')
        : json(response, { there: true }),
    );
    const response = await apiOf({ baseUrl: url }).post('/from', {
      json: { a: 1 },
      headers: { authorization: 'Bearer t' },
    });
    expect(response).toMatchObject({ statusCode: 200, body: { there: true }, url: `${url}/to?x=1` });
    expect(got[1]).toMatchObject({ method, url: '/to?x=1', body });
    expect(got[1]!.headers.authorization).toBe('Bearer t');
    expect(got[1]!.headers['content-type']).toBe(body === '' ? undefined : 'application/json');
  });

  it('are followed five times, or as often as the request allows', async () => {
    const { url, got } = await httpServer((_, response) =>
      response.writeHead(302, { location: '/again?token=t' }).end(),
    );
    const api = apiOf({ baseUrl: url });
    await expect(api.get('/loop')).rejects.toMatchObject({
      errorType: 'redirect_error',
      retryable: false,
      message: `GET ${url}/again?token=[redacted]: redirected to /again?token=[redacted], which exceeds the maximum of 5 redirects`,
    });
    expect(got.length).toBe(6);
    expect(await api.get('/loop', { maxRedirects: 0 })).toMatchObject({
      statusCode: 302,
      headers: { location: '/again?token=t' },
    });
  });

  it('do not forward secrets to another origin', async () => {
    const other = await httpServer();
    const { url } = await httpServer((_, response) => response.writeHead(307, { location: `${other.url}/to` }).end());
    const secrets = {
      authorization: 'Bearer t',
      cookie: 's=1',
      'x-api-key': 'k',
      'proxy-authorization': 'p',
      'x-session-token': 't',
    };
    await apiOf({ baseUrl: url, defaultHeaders: secrets }).get('/', {
      headers: { 'idempotency-key': 'i', 'x-page': '2' },
    });
    const { headers } = other.got[0]!;
    expect(Object.keys(secrets).filter((name) => name in headers)).toEqual([]);
    expect(headers).toMatchObject({ 'idempotency-key': 'i', 'x-page': '2' });
  });

  it('are not followed to other protocols, or if the body is a stream', async () => {
    const { url } = await httpServer(({ url: path }, response) =>
      response.writeHead(307, { location: path === '/file' ? 'file:///etc/passwd' : '/x' }).end(),
    );
    const api = apiOf({ baseUrl: url });
    await expect(api.get('/file')).rejects.toThrow(
      'redirected to file:///etc/passwd, which is not an http or https URL',
    );
    const body = new Blob(['once']).stream();
    await expect(api.post('/', { body })).rejects.toThrow('but the body is a stream, which can be sent only once');
  });
});

/** Sends until the client disconnects. */
async function endless(response: ServerResponse): Promise<void> {
  response.writeHead(200);
  while (!response.destroyed)
    if (!response.write('x'.repeat(500))) await Promise.race([once(response, 'drain'), once(response, 'close')]);
}
