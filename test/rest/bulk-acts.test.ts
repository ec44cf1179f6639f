import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '../../src/server/listen.ts';
import { type Json, servedApi } from '../support/rest/served-api.ts';
import { DEMO, template, until } from '../support/setup.ts';

let api: Awaited<ReturnType<typeof servedApi>>;
beforeAll(async () => {
  api = await servedApi({ templates: template({ first: [] }) });
});
afterAll(() => api.stop());

const create = async (count: number, initiator: string) =>
  (await api.tasker.createTasks(Array.from({ length: count }, () => ({ ...DEMO, initiator })))).map(
    ({ taskUuid }) => taskUuid,
  );
const ended = (id: number) =>
  until(
    () => api.tasker.bulk.show(id),
    ({ state }) => state !== 'running',
  );
const start = async (body: object) => (await api.ask<{ id: number }>('POST', '/v1/bulk-acts', body)).body.id;
const refused = async (body: object) => {
  const { status, body: answer } = await api.ask<{ error: Json }>('POST', '/v1/bulk-acts', body);
  return [status, answer.error.message];
};

describe('POST /v1/bulk-acts', () => {
  it('previews an action with a sample, changes nothing, and leaves no selection behind', async () => {
    await create(12, 'preview');
    const filter = { initiator: 'preview', state: 'pending,steps_in_process' };
    const { status, body } = await api.ask<Json & { sample: Json[] }>('POST', '/v1/bulk-acts', {
      action: 'task_cancel',
      filter,
      dry_run: true,
    });
    expect([status, body]).toMatchObject([200, { action: 'task_cancel', matched: 12, skipped: 0, dry_run: true }]);
    expect(body.sample).toHaveLength(10);
    expect((await api.tasker.listTasks({ initiator: 'preview', open: true }, {})).total).toBe(12);
    expect(await api.tasker.bulk.list()).toEqual([]);
  });

  it('begins one action for concurrent requests with the same key, and rejects a different request with that key', async () => {
    const ids = await create(3, 'keyed');
    const body = { action: 'task_cancel', ids, by: 'ann' };
    const key = { 'idempotency-key': 'nightly' };
    const send = (what: object, headers = key) =>
      api.ask<{ id: number; error?: Json }>('POST', '/v1/bulk-acts', what, headers);
    const all = await Promise.all(Array.from({ length: 5 }, () => send(body)));
    expect(all.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    const [first, ...others] = new Set(all.map((answer) => answer.body.id));
    expect(others).toEqual([]);
    await ended(first!);
    expect(await send({ ...body, by: 'ann' })).toMatchObject({
      status: 202,
      body: { id: first, state: 'done', done: 3 },
    });
    const other = await send({ ...body, ids: ids.slice(1) });
    expect([other.status, other.body.error!.message]).toEqual([
      409,
      expect.stringContaining(`another action, ${first}`),
    ]);
    // The key of another operator is a different key, and a preview begins no action.
    expect((await send({ ...body, by: 'bob' })).body.id).not.toBe(first);
    expect((await send({ ...body, dry_run: true })).status).toBe(200);
  });

  it('begins one action for repeated requests to redrive with the same key', async () => {
    const [task] = await create(1, 'redriven twice');
    await api.tasker.cancelTask(task!);
    const { dlqEntryUuid: entry } = await api.tasker.deadLetters.add(task!, { reason: 'look' });
    const body = { action: 'task_redrive', ids: [entry], by: 'ann' };
    const send = () => api.ask<{ id: number }>('POST', '/v1/bulk-acts', body, { 'idempotency-key': 'redrive' });
    const first = await send();
    await ended(first.body.id);
    expect([first.status, (await send()).body.id]).toEqual([202, first.body.id]);
  });

  it('responds with 202, and the server acts with the operator in the audit', async () => {
    const ids = await create(3, 'cancelled');
    const { status, body } = await api.ask<{ id: number }>('POST', '/v1/bulk-acts', {
      action: 'task_cancel',
      ids,
      by: 'ann',
      reason: 'wrong batch',
    });
    expect([status, body]).toMatchObject([202, { action: 'task_cancel', matched: 3 }]);
    expect(await ended(body.id)).toMatchObject({
      state: 'done',
      done: 3,
      actor: 'ann',
      reason: 'wrong batch',
      door: 'rest',
    });
    expect((await api.tasker.getTask(ids[0]!)).status).toBe('cancelled');
  });

  it('handles each item once even if two equal actions run at the same time', async () => {
    const ids = await create(40, 'twice');
    const both = await Promise.all([start({ action: 'task_cancel', ids }), start({ action: 'task_cancel', ids })]);
    const reports = await Promise.all(both.map(ended));
    expect(reports.map(({ done }) => done).reduce((a, b) => a + b)).toBe(40);
    expect(reports.every(({ state }) => state === 'done')).toBe(true);
    const acts = await api.sql('select 1 from tasker.operator_action where task_uuid = any ($1::uuid[])', [ids]);
    expect(acts).toHaveLength(40);
  });

  it('begins an action that stops with the server and can be resumed afterwards', async () => {
    const ids = await create(30, 'resumed');
    const session = await lockOn(ids[29]!);
    const id = await start({ action: 'task_cancel', ids, by: 'ann' });
    await until(
      () => api.tasker.bulk.show(id),
      ({ done }) => done > 0,
    );
    expect((await api.ask('POST', `/v1/bulk-acts/${id}/resume`)).body).toMatchObject({ id, state: 'running' });
    await api.tasker.bulk.stopAll();
    expect(await api.tasker.bulk.show(id)).toMatchObject({ state: 'stopped', done: 29 });
    await session.release();
    expect((await api.ask('POST', `/v1/bulk-acts/${id}/resume`, { by: 'bob' })).status).toBe(202);
    expect(await ended(id)).toMatchObject({ state: 'done', done: 30, actor: 'ann' });
    const again = await api.ask<{ error: Json }>('POST', `/v1/bulk-acts/${id}/resume`);
    expect([again.status, again.body.error.message]).toEqual([409, expect.stringContaining('it is done')]);
    const acts = await api.sql('select 1 from tasker.operator_action where task_uuid = any ($1::uuid[])', [ids]);
    expect(acts).toHaveLength(30);
  });

  it('begins an action that an operator can stop', async () => {
    const ids = await create(5, 'stopped');
    const session = await lockOn(ids[4]!);
    const id = await start({ action: 'task_cancel', ids });
    expect((await api.ask('POST', `/v1/bulk-acts/${id}/stop`)).body).toEqual({ id, stopped: true });
    await until(
      () => api.tasker.bulk.runsHere(id),
      (here) => !here,
    );
    expect((await api.ask('POST', `/v1/bulk-acts/${id}/stop`)).body).toEqual({ id, stopped: false });
    await session.release();
    expect((await api.ask('POST', '/v1/bulk-acts/99999/stop')).status).toBe(404);
  });

  it('rejects a body without a target, with several targets, with an unknown condition, or with an empty filter', async () => {
    expect(await refused({ action: 'task_cancel' })).toEqual([400, expect.stringContaining('exactly one')]);
    expect(await refused({ action: 'task_cancel', ids: ['x'], filter: {} })).toEqual([
      400,
      expect.stringContaining('exactly one'),
    ]);
    expect(await refused({ action: 'task_cancel', filter: { initator: 'x' } })).toEqual([
      400,
      expect.stringContaining('initator'),
    ]);
    expect(await refused({ action: 'task_cancel', filter: {} })).toEqual([400, expect.stringContaining('every task')]);
    expect((await refused({ action: 'task_explode', ids: ['x'] }))[0]).toBe(400);
    expect((await refused({ action: 'task_cancel', ids: ['x'] }))[0]).toBe(400);
  });

  /** Locks a task from outside until `release`. */
  async function lockOn(taskUuid: string) {
    await api.sql('begin');
    await api.sql('select 1 from tasker.task where task_uuid = $1 for update', [taskUuid]);
    return { release: () => api.sql('commit') };
  }
});

describe('POST /v1/tasks/bulk', () => {
  const REQUEST = { ...DEMO, context: {}, initiator: 'bulk', source_system: 's', reason: 'r' };
  type Line = {
    line?: number;
    error?: { code: string; message: string; details?: Json };
    task_uuid?: string;
    created?: boolean;
  } & Json;
  const post = async (body: string | Uint8Array, query = '', type = 'application/x-ndjson') => {
    const request = new Request(`http://localhost/v1/tasks/bulk${query}`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
      duplex: 'half',
    } as RequestInit);
    const response = await api.app.fetch(request);
    const text = await response.text();
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      lines: text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Line),
    };
  };
  const lines = (requests: (object | string)[]) =>
    requests.map((one) => `${typeof one === 'string' ? one : JSON.stringify(one)}\n`).join('');

  it('creates a task for each line, and reports broken lines with their numbers', async () => {
    const {
      status,
      type,
      lines: results,
    } = await post(
      lines([
        REQUEST,
        '{"name":',
        { ...REQUEST, priority: 'high' },
        { ...REQUEST, name: 'nothing' },
        '',
        { ...REQUEST, tags: ['last'] },
      ]),
    );
    expect([status, type]).toEqual([200, 'application/x-ndjson']);
    expect(results).toMatchObject([
      { line: 1, task_uuid: expect.any(String), created: true },
      { line: 2, error: { code: 'BAD_REQUEST', message: expect.stringContaining('JSON') } },
      { line: 3, error: { code: 'BAD_REQUEST', message: expect.stringContaining('priority') } },
      { line: 4, error: { code: 'NOT_FOUND', message: expect.stringContaining('nothing') } },
      { line: 6, created: true },
      { done: true, lines: 5, created: 2, existing: 0, failed: 3 },
    ]);
    expect((await api.tasker.getTask(results[4]!.task_uuid!)).tags).toEqual(['last']);
  });

  it('reports an existing task as a conflict, or returns it, even within one request', async () => {
    const same = [1, 1, 2].map((n) => ({ ...REQUEST, idempotency_key: `same ${n}` }));
    const first = await post(lines(same));
    expect(first.lines).toMatchObject([
      { created: true },
      { line: 2, error: { code: 'CONFLICT' } },
      { created: true },
      { created: 2, failed: 1 },
    ]);
    expect(first.lines[1]!.error!.details!.task_uuid).toBe(first.lines[0]!.task_uuid);
    const again = await post(lines(same), '?on_duplicate=return');
    expect(again.lines).toMatchObject([
      { created: false },
      { created: false },
      { created: false },
      { existing: 3, failed: 0 },
    ]);
    expect(again.lines[0]!.task_uuid).toBe(first.lines[0]!.task_uuid);
  });

  it('responds in chunks of bounded size while the body is still being sent', async () => {
    let send!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        send = controller;
      },
    });
    const request = new Request('http://localhost/v1/tasks/bulk', {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body,
      duplex: 'half',
    } as RequestInit);
    const response = await api.app.fetch(request);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    // A line may arrive in several pieces.
    for (const part of lines([{ ...REQUEST, tags: ['ä'] }]).match(/[\s\S]{1,20}/g)!) send.enqueue(Buffer.from(part));
    let text = '';
    while (!text.includes('\n')) text += (await reader.read()).value ?? '';
    expect(JSON.parse(text)).toMatchObject({ line: 1, created: true });
    send.enqueue(Buffer.from(lines(Array.from({ length: 1200 }, () => REQUEST))));
    send.close();
    let rest = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) rest += part.value;
    const results = rest
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    expect(results.at(-1)).toMatchObject({ done: true, created: 1201 });
    expect(results.map(({ line }) => line).slice(0, -1)).toEqual(Array.from({ length: 1200 }, (_, i) => i + 2));
  });

  it('treats a line that is too long or not UTF-8 as a broken line, without keeping it in memory', async () => {
    const long = Buffer.concat([Buffer.from('{"name":"'), Buffer.alloc(5 * 1024 * 1024, 120), Buffer.from('"}\n')]);
    const wrong = Buffer.from([0x7b, 0xff, 0xfe, 0x7d, 10]);
    const { lines: results } = await post(Buffer.concat([long, wrong, Buffer.from(lines([REQUEST]))]));
    expect(results).toMatchObject([
      { line: 1, error: {} },
      { line: 2, error: {} },
      { line: 3, created: true },
      { failed: 2 },
    ]);
  });

  it('limits concurrent uploads so that connections stay free, and rejects other content types', async () => {
    const never = () => new ReadableStream<Uint8Array>({});
    const open = () =>
      api.app.fetch(
        new Request('http://localhost/v1/tasks/bulk', {
          method: 'POST',
          headers: { 'content-type': 'application/x-ndjson' },
          body: never(),
          duplex: 'half',
        } as RequestInit),
      );
    const answers = await Promise.all([open(), open(), open(), open()]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 503]);
    expect(answers[3]!.headers.get('retry-after')).toBe('1');
    await Promise.all(answers.slice(0, 3).map((answer) => answer.body!.cancel()));
    expect((await post(lines([REQUEST]))).lines.at(-1)).toMatchObject({ done: true });
    expect((await post('{}', '', 'application/json')).status).toBe(415);
  });
});

it('over HTTP, an action needs no body, and a content type without a body has no effect', async () => {
  const [taskUuid] = await create(1, 'bodiless');
  const listening = await listen(api.app, { host: '127.0.0.1', port: 0 });
  try {
    const send = async (headers: Record<string, string>, body?: string) => {
      const response = await fetch(`${listening.url}/v1/tasks/${taskUuid}/pause`, {
        method: 'POST',
        headers,
        ...(body !== undefined && { body }),
      });
      return [response.status, ((await response.json()) as Json).changed];
    };
    expect(await send({})).toEqual([200, true]);
    expect(await send({ 'content-type': 'application/json' })).toEqual([200, false]);
    expect(await send({ 'content-type': 'application/json' }, '{"by":"ann"}')).toEqual([200, false]);
    expect(await send({ 'content-type': 'application/x-www-form-urlencoded' }, '{"by":"ann"}')).toEqual([
      415,
      undefined,
    ]);
    const many = await fetch(`${listening.url}/v1/tasks/bulk`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: `${JSON.stringify({ ...DEMO, context: {}, initiator: 'http', source_system: 's', reason: 'r' })}\n`.repeat(
        2000,
      ),
    });
    expect((await many.text()).trim().split('\n').at(-1)).toBe(
      '{"done":true,"lines":2000,"created":2000,"existing":0,"failed":0}',
    );
  } finally {
    await listening.close();
  }
});

it('requests above the limit are rejected with Retry-After, and are accepted again afterwards', async () => {
  const small = await servedApi({ mostRequests: 3 });
  try {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => small.ask<{ error: Json }>('GET', '/v1/templates')),
    );
    const refusals = answers.filter(({ status }) => status === 503);
    expect(refusals).toHaveLength(5);
    expect(refusals[0]!.headers.get('retry-after')).toBe('1');
    expect(refusals[0]!.body.error).toMatchObject({ code: 'BACKPRESSURE', retry_after_seconds: 1 });
    expect((await small.ask('GET', '/v1/templates')).status).toBe(200);
  } finally {
    await small.stop();
  }
});
