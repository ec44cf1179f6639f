import type { ServerResponse } from 'node:http';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient, InvalidAnswerError } from '../../src/client/index.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { documentOf } from '../support/rest/contract.ts';
import { drop, json, refusal, scripted } from './served.ts';

const OTHER_LANGUAGES = 'for workers in other languages; those in TypeScript use the database';
/** Routes without a method of the client, and why. */
const WITHOUT_METHOD: Record<string, string> = {
  'GET /metrics': 'text for Prometheus',
  'GET /metrics/events': 'for monitoring',
  'GET /v1/tasks/x/stream': 'tasks.watch reads it after the task',
  'GET /health/live': 'for the probes of a container',
  'GET /v1/auth/providers': 'for the login of the web page',
  'GET /v1/task-histogram': 'for a chart of the web page',
  'POST /v1/workers': OTHER_LANGUAGES,
  'POST /v1/workers/x/heartbeat': OTHER_LANGUAGES,
  'POST /v1/steps/claim': OTHER_LANGUAGES,
  'POST /v1/steps/batch': OTHER_LANGUAGES,
  'POST /v1/steps/x/complete': OTHER_LANGUAGES,
  'POST /v1/steps/x/fail': OTHER_LANGUAGES,
  'POST /v1/steps/x/checkpoint': OTHER_LANGUAGES,
  'POST /v1/steps/x/release': OTHER_LANGUAGES,
};

/** Every (method, path) that the methods of the client send, with `x` for each parameter. */
const sent = new Set<string>();
/** Methods that sent no request. */
const silent: string[] = [];
let routes: string[];

type Method = (...given: unknown[]) => unknown;

/** Calls a method with enough arguments for any method: names, then an object that has the fields of a template too. */
async function call(method: Method, path: string): Promise<void> {
  const before = sent.size + counted;
  const body = { namespace: 'x', name: 'x', version: 'x' };
  const forms = [
    [],
    ['x', 'x', 'x', body],
    ['x', 'x', body],
    ['x', body],
    [body],
    [{ ...body, version: undefined }],
    [7],
    [[{ name: 'x' }]],
  ];
  for (const given of forms) {
    const found = (async () => method(...given))().then(async (answer) => {
      if (answer && typeof answer === 'object' && Symbol.asyncIterator in answer)
        await (answer as AsyncGenerator).next();
    });
    // Most of the argument lists do not fit the method.
    await found.catch(() => undefined);
  }
  if (sent.size + counted === before) silent.push(path);
}

let counted = 0;

beforeAll(async () => {
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  const parts = ['engine', 'events', 'deadLetters', 'schedules', 'approvals', 'bulk', 'vitals'];
  const tasker = { ...Object.fromEntries(parts.map((part) => [part, {}])), httpWorkers: () => ({}) } as never;
  const app = restApp({ tasker, logger: silentLogger, facts, config: { configuration: () => ({}) } });
  routes = Object.entries((await documentOf(app)).paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{[^}]+\}/g, 'x')}`),
  );
  const client = createClient({
    baseUrl: 'http://127.0.0.1:1',
    maxRetries: 0,
    fetch: async (url, request) => {
      counted++;
      sent.add(`${request!.method} ${new URL(String(url)).pathname.replace(/\/(7|x)(?=\/|$)/g, '/x')}`);
      return new Response('{}', { status: 400 });
    },
  });
  for (const [group, methods] of Object.entries(client as unknown as Record<string, object>)) {
    if (typeof methods === 'function') await call(methods as Method, group);
    else if (typeof methods === 'object') {
      for (const [name, method] of Object.entries(methods)) await call(method as Method, `${group}.${name}`);
    }
  }
});

describe('the client', () => {
  it('has a method for every route of the OpenAPI document', () => {
    const exceptions = Object.keys(WITHOUT_METHOD);
    expect(routes.filter((route) => !sent.has(route) && !exceptions.includes(route))).toEqual([]);
    // An exception must name an existing route without a method.
    expect(exceptions.filter((route) => !routes.includes(route) || sent.has(route))).toEqual([]);
  });

  it('has no method for a route that does not exist', () => {
    expect(silent).toEqual(['request']);
    const elsewhere = ['/v1/auth/keys', '/v1/me', '/v1/session'];
    // Calls that the types forbid.
    const misused = /undefined|%5B|templates\/x\/x\/(activate|source|graph|diff)/;
    const unknown = [...sent].filter((route) => !routes.includes(route) && !misused.test(route));
    expect(unknown.filter((route) => !elsewhere.some((path) => route.includes(path)))).toEqual([]);
  });
});

async function collected<T>(given: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of given) all.push(one);
  return all;
}

describe('client lists', () => {
  it('are read page by page until the loop ends', async () => {
    const page = (id: number, next: string | null) => json({ entries: [{ id }], next_cursor: next });
    const { client, received } = await scripted([page(1, 'a'), page(2, 'b'), page(3, null)]);
    const ids: number[] = [];
    for await (const { id } of client.audit.listAll({ actor: 'ann', limit: 1 })) {
      ids.push(id);
      if (id === 2) break;
    }
    expect(ids).toEqual([1, 2]);
    expect(received.map(({ url }) => url)).toEqual([
      '/v1/audit?actor=ann&limit=1',
      '/v1/audit?actor=ann&limit=1&cursor=a',
    ]);
    const all: number[] = [];
    for await (const { id } of client.audit.listAll()) all.push(id);
    expect(all).toEqual([3]);
  });
});

describe('creating many tasks', () => {
  const text = (body: string) => (response: { end(text: string): void }) => response.end(body);
  const request = (name: string) => ({ name, idempotency_key: name });

  it('sends them as lines, and each result has the position of its request', async () => {
    const { client, received } = await scripted([
      text('{"line":1,"task_uuid":"u","created":true}\n{"line":2,"error":{"code":"C","message":"m"}}\n{"done":true}\n'),
    ]);
    const results = await collected(client.tasks.createMany([request('a'), request('b')]));
    expect(results).toEqual([
      { index: 0, task_uuid: 'u', created: true },
      { index: 1, error: { code: 'C', message: 'm' } },
    ]);
    expect(received[0]!.headers['content-type']).toBe('application/x-ndjson');
    expect(
      received[0]!.body
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).name),
    ).toEqual(['a', 'b']);
  });

  it('splits them into requests of 1,000, which it sends as the loop needs them', async () => {
    let line = 0;
    const answer = (count: number) => {
      const lines = Array.from(
        { length: count },
        (_, at) => `{"line":${at + 1},"task_uuid":"u${line++}","created":true}\n`,
      );
      return text(`${lines.join('')}{"done":true}\n`);
    };
    const { client, received } = await scripted([answer(1000), answer(1)]);
    const creation = client.tasks.createMany(Array.from({ length: 1001 }, (_, at) => request(String(at))));
    expect((await creation.next()).value).toMatchObject({ index: 0 });
    expect(received.length).toBe(1);
    const rest = await collected(creation);
    expect(rest.at(-1)).toEqual({ index: 1000, task_uuid: 'u1000', created: true });
    expect(received.length).toBe(2);
  });

  it('throws an error that names the first request without a result, if the server did not finish', async () => {
    const { client } = await scripted([
      text(
        '{"line":1,"task_uuid":"u","created":true}\n{"done":false,"error":{"code":"SERVICE_UNAVAILABLE","message":"gone"}}\n',
      ),
    ]);
    const creation = client.tasks.createMany([request('a'), request('b')]);
    await creation.next();
    await expect(creation.next()).rejects.toSatisfy(
      (error: InvalidAnswerError) =>
        error instanceof InvalidAnswerError &&
        error.details.from === 1 &&
        /gone; send .* from index 1/.test(error.message),
    );
  });

  it('repeats a request after a lost connection only if that creates nothing twice', async () => {
    const done = text('{"line":1,"task_uuid":"u","created":false}\n{"done":true}\n');
    const safe = await scripted([drop, done]);
    expect(await collected(safe.client.tasks.createMany([request('a')], { onDuplicate: 'return' }))).toHaveLength(1);
    const unsafe = await scripted([drop, done]);
    await expect(collected(unsafe.client.tasks.createMany([request('a')]))).rejects.toThrow(/connection failed/);
    expect(unsafe.received.length).toBe(1);
  });
});

describe('actions', () => {
  it('repeat only with an idempotency key', async () => {
    const gateway = refusal(502, 'BAD_GATEWAY');
    const plain = await scripted([gateway, json({})]);
    await expect(plain.client.tasks.retry('x')).rejects.toMatchObject({ status: 502 });
    const keyed = await scripted([gateway, json({ task_uuid: 'u' })]);
    expect(await keyed.client.tasks.copy('x', { idempotency_key: 'k' })).toEqual({ task_uuid: 'u' });
  });

  it('on many items can be followed until they end', async () => {
    const report = (state: string, done: number) =>
      json({ id: 7, state, done, skipped_count: 0, failed_count: 0, ended_at: state === 'completed' ? 'now' : null });
    const { client, received } = await scripted([
      report('running', 1),
      report('running', 1),
      report('running', 5),
      report('completed', 9),
    ]);
    const shown: number[] = [];
    for await (const { done } of client.bulkActs.follow(7, { pollMs: 1 })) shown.push(done);
    expect(shown).toEqual([1, 5, 9]);
    expect(received.length).toBe(4);
  });
});

describe('changes', () => {
  const block = (id: string, event: string) => `id: ${id}\nevent: ${event}\ndata: {"task_uuid":"t"}\nretry: 1\n\n`;
  const stream = (body: string) => (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(body);
  };

  it('continue after the last received change when the connection is lost', async () => {
    const { client, received } = await scripted([
      stream(`${block('1', 'open')}${block('2', 'task')}`),
      stream(block('3', 'deleted')),
    ]);
    const seen: [string, string | undefined][] = [];
    for await (const { event, id } of client.changes({ namespace: 'shop' })) {
      seen.push([event, id]);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([
      ['task', '2'],
      ['deleted', '3'],
    ]);
    expect(received.map(({ url, headers }) => [url, headers['last-event-id']])).toEqual([
      ['/v1/stream?namespace=shop', undefined],
      ['/v1/stream?namespace=shop', '2'],
    ]);
  });

  it('end immediately if the server rejects them, or if the caller aborts', async () => {
    const { client } = await scripted([refusal(403, 'FORBIDDEN')]);
    await expect(client.changes().next()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { client: other } = await scripted([stream(block('1', 'task'))]);
    const ending = new AbortController();
    const changes = (other as Client).changes({}, { signal: ending.signal });
    await changes.next();
    ending.abort(new Error('enough'));
    await expect(changes.next()).rejects.toThrow('enough');
  });
});
