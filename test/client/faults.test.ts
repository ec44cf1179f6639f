import { describe, expect, it } from 'vitest';
import {
  ConnectionError,
  createClient,
  InvalidAnswerError,
  RateLimitedError,
  RequestTimeoutError,
  ServerError,
} from '../../src/client/index.ts';
import { drop, httpServer, json, refusal, scripted, silence } from './served.ts';

const UUID = '019b0000-0000-7000-8000-000000000000';
const TASK = { task_uuid: UUID, status: 'pending', correlation_id: 'c-1' };
const NOW = { headers: { 'retry-after': '0' } };
const busy = refusal(503, 'SERVICE_UNAVAILABLE', NOW);
const NEW = { name: 'demo', correlation_id: 'c-1' };

describe('a request is repeated', () => {
  it('if it reads, after a lost connection and after 502, 503 and 504', async () => {
    const { client, received } = await scripted([drop, refusal(503, 'SERVICE_UNAVAILABLE'), busy, json(TASK)]);
    expect(await client.tasks.get(UUID)).toEqual(TASK);
    expect(received).toHaveLength(4);
    for (const status of [502, 504]) {
      const gateway = await scripted([refusal(status, 'X'), json(TASK)]);
      expect(await gateway.client.tasks.get(UUID)).toEqual(TASK);
    }
  });

  it('after 429, or 503 with Retry-After, regardless of its method', async () => {
    const { client, received } = await scripted([busy, refusal(429, 'RATE_LIMITED', NOW), json(TASK, 201)]);
    expect(await client.tasks.create(NEW)).toEqual(TASK);
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
    const cancelling = await scripted([busy, json(TASK)]);
    expect(await cancelling.client.tasks.cancel(UUID)).toEqual(TASK);
    const date = { headers: { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' } };
    const dated = await scripted([refusal(503, 'X', date), json(TASK)]);
    expect(await dated.client.tasks.cancel(UUID)).toEqual(TASK);
  });

  it('if it creates a task with a key, and returns the task that an earlier attempt created', async () => {
    const request = { ...NEW, idempotency_key: 'k' };
    const lost = refusal(409, 'CONFLICT', { details: { task_uuid: UUID } });
    const { client, received } = await scripted([drop, lost, json(TASK)]);
    expect(await client.tasks.create(request)).toEqual({ ...TASK, created: true });
    expect(received.map(({ method }) => method)).toEqual(['POST', 'POST', 'GET']);
    const foreign = await scripted([drop, lost, json({ ...TASK, correlation_id: 'c-2' })]);
    await expect(foreign.client.tasks.create(request)).rejects.toMatchObject({
      code: 'CONFLICT',
      details: { task_uuid: UUID },
    });
    const first = await scripted([lost]);
    await expect(first.client.tasks.create(request)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(first.received).toHaveLength(1);
  });

  it('if it creates a task with a key, although the credential may not read the task', async () => {
    const request = { ...NEW, idempotency_key: 'k' };
    const unnamed = refusal(409, 'CONFLICT');
    const { client, received } = await scripted([drop, unnamed, json({ ...TASK, created: false })]);
    expect(await client.tasks.create(request)).toEqual({ ...TASK, created: true });
    expect(received.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /v1/tasks',
      'POST /v1/tasks',
      'POST /v1/tasks?on_duplicate=return',
    ]);
    const foreign = await scripted([drop, unnamed, json({ ...TASK, correlation_id: 'c-2' })]);
    await expect(foreign.client.tasks.create(request)).rejects.toMatchObject({ code: 'CONFLICT' });
    const hidden = await scripted([drop, unnamed]);
    await expect(hidden.client.tasks.create(request)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(hidden.received).toHaveLength(3);
  });

  it('if the connection was refused, because the server cannot have done anything', async () => {
    const refusals: unknown[] = [];
    const unreachable = () => {
      const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' });
      refusals.push(cause);
      return Promise.reject(new TypeError('fetch failed', { cause }));
    };
    const client = createClient({ fetch: unreachable, maxRetries: 1 });
    const error = await client.tasks.create(NEW).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConnectionError);
    expect((error as Error).message).toBe(
      'POST http://127.0.0.1:8080/v1/tasks: the connection failed: connect ECONNREFUSED 127.0.0.1:1; check that `tasker server` is running there, and that the port is right',
    );
    expect(refusals).toHaveLength(2);
  });
});

describe('a request is sent once', () => {
  it('if it may have been carried out: a creation without a key, a cancellation, or an action on a step', async () => {
    for (const answer of [drop, refusal(503, 'SERVICE_UNAVAILABLE'), refusal(502, 'X')]) {
      const { client, received } = await scripted([answer, json(TASK)]);
      const by = { reason: 'r', by: 'ana' };
      const acts = [
        () => client.tasks.create(NEW),
        () => client.tasks.cancel(UUID),
        () => client.steps.reset(UUID, UUID, by),
        () => client.deadLetters.update(UUID, { resolution_status: 'cancelled' }),
      ];
      await expect(acts[0]!()).rejects.toMatchObject({ recoverable: true });
      expect(received).toHaveLength(1);
      const others = await scripted([answer]);
      const same = others.client;
      await expect(same.tasks.cancel(UUID)).rejects.toMatchObject({ recoverable: true });
      await expect(same.steps.reset(UUID, UUID, by)).rejects.toMatchObject({ recoverable: true });
      await expect(same.deadLetters.update(UUID, {})).rejects.toMatchObject({ recoverable: true });
      expect(others.received).toHaveLength(3);
    }
  });

  it('if a repeat would get the same response: 400, 404, 409 and 500', async () => {
    for (const [status, code] of [
      [400, 'BAD_REQUEST'],
      [404, 'NOT_FOUND'],
      [409, 'CONFLICT'],
      [500, 'INTERNAL_ERROR'],
    ] as const) {
      const { client, received } = await scripted([refusal(status, code)]);
      await expect(client.tasks.get(UUID)).rejects.toMatchObject({
        status,
        code,
        requestId: 'r-1',
        recoverable: false,
      });
      expect(received).toHaveLength(1);
    }
  });

  it('if the server requests a longer delay than the timeout of the call', async () => {
    const { client, received } = await scripted([refusal(429, 'RATE_LIMITED', { headers: { 'retry-after': '3600' } })]);
    const error = await client.tasks.get(UUID).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RateLimitedError);
    expect((error as RateLimitedError).retryAfterMs).toBe(3_600_000);
    expect(received).toHaveLength(1);
  });
});

describe('a server with invalid responses', () => {
  it('leads to a timeout if its headers or its body take too long', async () => {
    const { client } = await scripted([silence], { timeoutMs: 30, maxRetries: 1 });
    const error = await client.tasks.get(UUID).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RequestTimeoutError);
    expect((error as Error).message).toMatch(/^GET http:.*: no response within 0\.03 seconds$/);
    const half = await scripted([(response) => response.writeHead(200).write('{"task_')], {
      timeoutMs: 30,
      maxRetries: 0,
    });
    await expect(half.client.tasks.get(UUID)).rejects.toBeInstanceOf(RequestTimeoutError);
    const all = await scripted([silence], { timeoutMs: 10_000, totalTimeoutMs: 30 });
    await expect(all.client.tasks.get(UUID)).rejects.toBeInstanceOf(RequestTimeoutError);
    expect(all.received.length).toBeLessThanOrEqual(1);
  });

  it('leads to a connection error if it truncates a response', async () => {
    const cut = await scripted(
      [
        (response) => {
          response.writeHead(200, { 'content-length': '1000' }).write('{"task_uuid":');
          setImmediate(() => response.destroy());
        },
      ],
      { maxRetries: 0 },
    );
    await expect(cut.client.tasks.get(UUID)).rejects.toBeInstanceOf(ConnectionError);
  });

  it('leads to an error with the beginning of a response that is not JSON', async () => {
    const page = await scripted([(response) => response.end(`<html>\n<h1>Welcome</h1>${'x'.repeat(10_000)}`)]);
    const error = await page.client.tasks.get(UUID).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidAnswerError);
    expect((error as Error).message).toMatch(/the response is not JSON: <html> <h1>Welcome<\/h1>x{100,200}…$/);
    const empty = await scripted([(response) => response.end()]);
    await expect(empty.client.tasks.get(UUID)).rejects.toThrow('the response is not JSON: it is empty');
    const gateway = await scripted([(response) => response.writeHead(500).end('<h1>Bad</h1>')]);
    const failed = await gateway.client.tasks.get(UUID).catch((thrown: unknown) => thrown);
    expect(failed).toBeInstanceOf(ServerError);
    expect(failed).toMatchObject({
      code: 'INTERNAL_ERROR',
      message: expect.stringMatching(/: status 500: <h1>Bad<\/h1>$/),
    });
    for (const body of ['null', '{"error":7}', '{"error":{"code":1,"message":[],"details":"x"}}']) {
      const odd = await scripted([(response) => response.writeHead(400).end(body)]);
      await expect(odd.client.tasks.get(UUID)).rejects.toMatchObject({ code: 'BAD_REQUEST', details: {} });
    }
  });

  it('cannot redirect the credential to another address', async () => {
    const seen: string[] = [];
    const other = await httpServer((request, response) => {
      seen.push(request.url!);
      response.end('{}');
    });
    const { client } = await scripted([(response) => response.writeHead(302, { location: `${other}/v1` }).end()], {
      apiKey: 'k',
    });
    await expect(client.tasks.get(UUID)).rejects.toThrow(`the server redirects to ${other}/v1; pass the final address`);
    expect(seen).toEqual([]);
  });
});

describe('a caller', () => {
  it('ends a call or its pause between attempts with a signal', async () => {
    const { client } = await scripted([silence]);
    const stop = new AbortController();
    const asked = client.tasks.get(UUID, { signal: stop.signal });
    stop.abort(new Error('closed'));
    await expect(asked).rejects.toThrow('closed');
    const slow = await scripted([refusal(503, 'X', { headers: { 'retry-after': '30' } })]);
    const pausing = slow.client.tasks.get(UUID, { signal: AbortSignal.timeout(50) });
    await expect(pausing).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('sends its credentials and headers, and a current secret with each attempt', async () => {
    let n = 0;
    const { client, received } = await scripted([busy, json(TASK)], {
      apiKey: () => `key-${++n}`,
      token: ' token \n',
      headers: { 'x-proxy': 'p' },
    });
    await client.tasks.get(UUID);
    expect(received.map(({ headers }) => [headers['x-api-key'], headers.authorization, headers['x-proxy']])).toEqual([
      ['key-1', 'Bearer token', 'p'],
      ['key-2', 'Bearer token', 'p'],
    ]);
  });

  it('gets an error for invalid options, without the secret', async () => {
    const wrong = (options: object) => {
      try {
        return createClient(options);
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(wrong({ baseUrl: 'localhost:8080' })).toMatch(/^baseUrl: localhost:8080 is not the address of a server/);
    expect(wrong({ baseUrl: 'ftp://a' })).toMatch(/^baseUrl: ftp:\/\/a is not/);
    expect(wrong({ baseUrl: 'http://ana:secret@a' })).toMatch(/^baseUrl: it contains a user name or password/);
    expect(wrong({ baseUrl: 'http://a/team?token=secret' })).toMatch(
      /^baseUrl: http:\/\/a\/team has a query or a fragment/,
    );
    for (const baseUrl of [
      ...['http://a/?api_key=secret', 'http://a#secret', 'a?secret', 'http//ana:secret@a', 'ftp:/ana:secret@a/x'],
      ...['http://ana:secret@a/?x=secret', 'ht tp://ana:secret@a'],
    ]) {
      expect([baseUrl, wrong({ baseUrl })]).toEqual([baseUrl, expect.not.stringContaining('secret')]);
    }
    expect(wrong({ timeoutMs: -1 })).toBe('timeoutMs: -1 must be a number of at least 1');
    expect(wrong({ maxRetries: Number.NaN })).toBe('maxRetries: NaN must be a number of at least 0');
    const client = createClient({ apiKey: 'sec\nret' });
    const error = (await client.tasks.get(UUID).catch((thrown: unknown) => thrown)) as Error;
    expect(error.message).toBe('apiKey: it contains a space or a character that a header cannot contain');
    const failing = createClient({ token: () => Promise.reject(new Error('no token')) });
    await expect(failing.tasks.get(UUID)).rejects.toThrow('no token');
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    await expect(client.tasks.create({ name: 'demo', context: loop })).rejects.toThrow(/cannot be written as JSON/);
    await expect(client.request('GET', 'v1/x')).rejects.toThrow('the path v1/x must begin with one /');
  });

  it('reaches a server whose base URL has a path, and encodes names and queries', async () => {
    const { baseUrl, received } = await scripted([json({})]);
    const client = createClient({ baseUrl: new URL(`${baseUrl}/team/tasker/`) });
    await client.templates.get('a/b', 'c d?', '1.0.0');
    await client.tasks.list({ tag: 'a&b=ü', namespace: undefined, per_page: 2 });
    expect(received.map(({ url }) => url)).toEqual([
      '/team/tasker/v1/templates/a%2Fb/c%20d%3F/1.0.0',
      '/team/tasker/v1/tasks?tag=a%26b%3D%C3%BC&per_page=2',
    ]);
    await expect(client.tasks.get('\ud800')).rejects.toThrow('is not an id or a name');
  });
});
