import { expect, it, onTestFinished } from 'vitest';
import { servedApi } from '../support/rest/served-api.ts';
import { DEMO, template } from '../support/setup.ts';

const ID = '0190f2a0-0000-7000-8000-000000000001';
const REQUEST = { ...DEMO, context: {}, initiator: 'a', source_system: 'b', reason: 'c' };

async function served() {
  const api = await servedApi({ templates: [template({ first: [] })] });
  onTestFinished(api.stop);
  const create = (context: string) =>
    api.ask('POST', '/v1/tasks', JSON.stringify(REQUEST).replace('"context":{}', `"context":${context}`));
  return { ...api, create };
}

it('a whole number beyond 2^53 in a request is rejected with its path, and a string is stored', async () => {
  const { create, ask, tasker } = await served();
  const refused = await create('{"order":{"ids":[1,9007199254740993]}}');
  expect(refused).toMatchObject({ status: 400, body: { error: { code: 'BAD_REQUEST' } } });
  expect(JSON.stringify(refused.body)).toContain(
    'context.order.ids[1] is 9007199254740993, a whole number beyond 2^53 that would be stored as 9007199254740992; send it as a string',
  );
  for (const [path, body] of [
    ['/v1/completions/complete', '{"token":"x","result":{"id":9007199254740993}}'],
    ['/v1/steps/claim', '{"worker_id":9007199254740993}'],
    [`/v1/steps/${ID}/complete`, '{"result":{"id":9007199254740993}}'],
    [`/v1/tasks/${ID}/signals`, '{"name":"paid","payload":{"id":9007199254740993}}'],
    [`/v1/approvals/${ID}/sign/vote`, '{"decision":"approve","form":{"id":9007199254740993}}'],
  ] as const) {
    const answer = await ask('POST', path, body);
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([400, expect.stringContaining('9007199254740993')]);
  }
  const { body } = await create('{"id":"9007199254740993","even":9007199254740992,"large":1e23}');
  const { context } = await tasker.getTask(String(body.task_uuid));
  expect(context).toEqual({ id: '9007199254740993', even: 9_007_199_254_740_992, large: 1e23 });
});

it('a context with the key __proto__ is stored as it was sent', async () => {
  const { create, tasker } = await served();
  const sent = '{"__proto__":{"admin":true},"a":{"__proto__":1}}';
  const { status, body } = await create(sent);
  expect(status).toBe(201);
  const { context } = await tasker.getTask(String(body.task_uuid));
  expect(Object.entries(context).sort()).toEqual(Object.entries(JSON.parse(sent) as object));
  expect(JSON.stringify(context)).toContain('"__proto__":{"admin":true}');
  expect((context as { admin?: unknown }).admin).toBeUndefined();
});

it('the context of a copy and the metadata of a dead letter keep the key __proto__', async () => {
  const { create, ask, tasker, sql } = await served();
  const { body: first } = await create('{}');
  const path = `/v1/tasks/${String(first.task_uuid)}`;
  const copied = await ask('POST', `${path}/copy`, '{"context":{"__proto__":{"admin":true},"a":1}}');
  expect(copied.status).toBe(201);
  const { context } = await tasker.getTask(String(copied.body.task_uuid));
  expect(Object.entries(context).sort()).toEqual([
    ['__proto__', { admin: true }],
    ['a', 1],
  ]);
  const metadata = '{"__proto__":{"admin":true}}';
  const added = await ask('POST', '/v1/dlq', `{"task_uuid":"${String(copied.body.task_uuid)}","metadata":${metadata}}`);
  expect(added.status).toBe(201);
  const [row] = await sql<{ metadata: string }>('select metadata::text from tasker.dead_letter');
  expect(JSON.parse(row!.metadata)).toEqual(JSON.parse(metadata));
  expect(row!.metadata).toContain('__proto__');
});

it('a context that is not an object is rejected', async () => {
  const { create } = await served();
  for (const context of ['[]', 'null', '1', '"text"']) expect((await create(context)).status, context).toBe(400);
});

it('a body whose bytes are not UTF-8 is rejected', async () => {
  const { app, sql } = await served();
  const text = JSON.stringify({ ...REQUEST, context: { name: 'Zoe' } });
  const bytes = Buffer.from(text.replace('Zoe', 'Zo\u00eb'), 'latin1');
  const answer = await app.request('http://localhost/v1/tasks', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: bytes,
  });
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('the body is not UTF-8')]);
  expect(await sql('select 1 from tasker.task')).toEqual([]);
});
