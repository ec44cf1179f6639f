import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { type Client, createClient, InvalidAnswerError } from '../../src/client/index.ts';
import { CONTRACT } from '../../src/contract/contract.ts';
import type { Verb } from '../../src/contract/verb.ts';
import { drop, json, refusal, scripted } from './served.ts';

/** Verbs without a method of their own, and why. */
const WITHOUT_METHOD: Record<string, string> = {
  'tasks.watchAll': 'client.changes reads it',
  'steps.update': 'steps.reset, steps.resolve and steps.complete send it',
  'templates.pauseVersion': 'templates.pause sends it for a template with a version',
  'templates.resumeVersion': 'templates.resume sends it for a template with a version',
};
const T = { namespace: 'a', name: 'b', version: 'c' };
/** The arguments of methods that do not take the parameters of the path, then a query or a body. */
const BY_HAND: Record<string, unknown[]> = {
  'templates.source': [T],
  'templates.graph': [T],
  'templates.diff': [T, 'v'],
  'templates.register': ['name: x'],
  'templates.validate': ['name: x'],
  'templates.activate': [T],
  'templates.pause': [{ ...T, version: undefined }],
  'templates.resume': [{ ...T, version: undefined }],
  'tasks.create': [{ name: 'x' }],
  'tasks.createMany': [[{ name: 'x' }]],
};

const verbs = Object.entries(CONTRACT).flatMap(([noun, group]) =>
  Object.entries<Verb>(group).map(([name, verb]) => ({ of: `${noun}.${name}`, noun, name, ...verb })),
);

describe('the client', () => {
  it('has a method for every verb of the contract', () => {
    const client = createClient({ baseUrl: 'http://127.0.0.1:1' }) as unknown as Record<string, object>;
    const missing = verbs.filter(({ noun, name }) => !(name in client[noun]!)).map(({ of }) => of);
    expect(missing).toEqual(Object.keys(WITHOUT_METHOD));
  });

  it.each(verbs.filter(({ of }) => !(of in WITHOUT_METHOD)))('$of sends $method $path', async (verb) => {
    const sent: string[] = [];
    const client = createClient({
      baseUrl: 'http://127.0.0.1:1',
      maxRetries: 0,
      fetch: async (url, request) => {
        sent.push(`${request!.method} ${new URL(String(url)).pathname}`);
        return new Response('{}', { status: 400 });
      },
    });
    const names = ['a', 'b', 'c'];
    const count = verb.path.split('{').length - 1;
    const given = BY_HAND[verb.of] ?? names.slice(0, count);
    const method = (client as unknown as Record<string, Record<string, (...given: unknown[]) => unknown>>)[verb.noun]![
      verb.name
    ]!;
    const answer = method(...given);
    const done = Symbol.asyncIterator in (answer as object) ? (answer as AsyncGenerator).next() : answer;
    await (done as Promise<unknown>).catch(() => undefined);
    const path = verb.path.replaceAll(/\{\w+\}/g, () => names.shift()!);
    expect(sent[0]).toBe(verb.of === 'tasks.watch' ? 'GET /v1/tasks/a' : `${verb.method.toUpperCase()} ${path}`);
  });

  it('sends the query or the body after the parameters of the path, and the options last', async () => {
    const { client, received } = await scripted([json({}), json({}), json({})]);
    await client.tasks.history('a/b', { step: 'ä', limit: 2 }, { timeoutMs: 1000 });
    await client.steps.fire('t', 's', { reason: 'now' });
    await client.namespaces.list({ timeoutMs: 1000 });
    expect(received.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['GET', '/v1/tasks/a%2Fb/history?step=%C3%A4&limit=2', ''],
      ['POST', '/v1/tasks/t/workflow_steps/s/fire', '{"reason":"now"}'],
      ['GET', '/v1/namespaces', ''],
    ]);
  });

  it('refuses a missing name before it sends a request', async () => {
    const client = createClient({ baseUrl: 'http://127.0.0.1:1' });
    await expect(client.steps.fire('t', undefined as never)).rejects.toThrow('undefined is not an id or a name');
    await expect(client.tasks.why('..')).rejects.toThrow('".." is not an id or a name');
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
