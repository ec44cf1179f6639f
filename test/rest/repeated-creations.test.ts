import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { silentLogger } from '../../src/logging/logger.ts';
import { identityHash } from '../../src/model/ids.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { openSession } from '../support/database.ts';
import { asking } from '../support/rest/contract.ts';
import { temporaryFolder } from '../support/retention.ts';
import { DEMO, invariants, setup, template, until } from '../support/setup.ts';
import { sharedTasker } from '../support/shared-tasker.ts';

const REQUEST = {
  name: 'demo',
  namespace: 'test',
  version: '1.0.0',
  context: { order: 1, lines: [{ sku: 'a', count: 2 }] },
  initiator: 'tests',
  source_system: 'suite',
  reason: 'to see',
};
type Created = Record<string, unknown> & { task_uuid: string; created: boolean };
interface Failed {
  error: { code: string; message: string; details?: Record<string, unknown> };
}

const steps = { first: [], second: ['first'] };
const TEMPLATES = {
  templates: [
    template(steps),
    template(steps, { name: 'other' }),
    template(steps, { namespace: 'elsewhere' }),
    template(steps, { version: '2.0.0' }),
    template(steps, { name: 'defaults', default_context: { country: 'de' } }),
    template(steps, { name: 'strict', identity_strategy: 'strict' }),
  ],
};
const shared = sharedTasker(TEMPLATES);

/** An app whose templates exist twice: with another name, and in another version. */
async function served({ legacyStatus = false, poolSize = 3 } = {}) {
  const made = poolSize === 3 ? await shared() : await setup({ ...TEMPLATES, worker: false, poolSize });
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  // Many requests with one key wait for each other. A busy machine needs longer than the default of 30 s.
  const requestMs = 200_000;
  const ask = asking(restApp({ tasker: made.tasker, logger: silentLogger, facts, legacyStatus, requestMs }));
  const create = (body: object, { key, query = '' }: { key?: string; query?: string } = {}) =>
    ask<Created & Failed>('POST', `/v1/tasks${query}`, body, {
      // A real server knows the length of a request. Requests without a length are not shared.
      'content-length': String(JSON.stringify(body).length),
      ...(key !== undefined && { 'idempotency-key': key }),
    });
  const tasks = async () => (await made.sql<{ n: number }>('select count(*)::int n from tasker.task'))[0]!.n;
  return { ...made, ask, create, tasks };
}

it('a request that is repeated with the same Idempotency-Key returns the first task with 200', async () => {
  const { create, tasks, tasker } = await served();
  const first = await create(REQUEST, { key: 'k' });
  expect([first.status, first.body.created]).toEqual([201, true]);
  // The order of keys, and fields that do not belong to the compared parts, do not matter.
  const { order, lines } = REQUEST.context;
  const again = { ...REQUEST, context: { lines: [{ count: 2, sku: lines[0]!.sku }], order }, initiator: 'retry' };
  for (const body of [REQUEST, again]) {
    const repeated = await create(body, { key: 'k' });
    expect([repeated.status, repeated.body]).toMatchObject([
      200,
      { task_uuid: first.body.task_uuid, created: false, initiator: 'tests', total_steps: 2 },
    ]);
    expect((repeated.body.steps as unknown[]).length).toBe(2);
  }
  await tasker.cancelTask(first.body.task_uuid);
  expect((await create(REQUEST, { key: 'k' })).body).toMatchObject({ created: false, status: 'cancelled' });
  expect(await tasks()).toBe(1);
});

it('with legacyStatus, a first and a repeated request both have the status 200', async () => {
  const { create } = await served({ legacyStatus: true });
  const answers = [await create(REQUEST, { key: 'k' }), await create(REQUEST, { key: 'k' })];
  expect(answers.map(({ status, body }) => [status, body.created])).toEqual([
    [200, true],
    [200, false],
  ]);
});

it('a different request with the same Idempotency-Key is a 409, whichever part differs', async () => {
  const { create, tasks } = await served();
  const first = await create(REQUEST, { key: 'k' });
  for (const other of [
    { context: { ...REQUEST.context, order: 2 } },
    { context: {} },
    { name: 'other' },
    { namespace: 'elsewhere' },
    { version: '2.0.0' },
  ]) {
    for (const query of ['', '?on_duplicate=error', '?on_duplicate=return']) {
      const { status, body } = await create({ ...REQUEST, ...other }, { key: 'k', query });
      const id = first.body.task_uuid;
      expect([other, status, body.error]).toEqual([
        other,
        409,
        {
          code: 'CONFLICT',
          message: `the Idempotency-Key k was already used with a different name, namespace, version or context: ${id}; send each request with its own key`,
          details: { task_uuid: id },
        },
      ]);
    }
  }
  expect(await tasks()).toBe(1);
});

it('a rejected request does not use up its Idempotency-Key', async () => {
  const { create } = await served();
  expect((await create({ ...REQUEST, name: 'missing' }, { key: 'k' })).status).toBe(404);
  expect((await create({ ...REQUEST, priority: 101 }, { key: 'k' })).status).toBe(400);
  expect((await create(REQUEST, { key: 'k' })).status).toBe(201);
});

it('the defaults of a template, which may change with a deploy, do not belong to the compared request', async () => {
  const { create, another } = await served();
  const body = { ...REQUEST, name: 'defaults' };
  const first = await create(body, { key: 'k' });
  expect(first.body.context).toMatchObject({ country: 'de' });
  await another({ templates: template({ first: [] }, { name: 'defaults', default_context: { country: 'fr' } }) });
  expect((await create(body, { key: 'k' })).body).toMatchObject({ created: false, task_uuid: first.body.task_uuid });
  const spelled = { ...body, context: { ...body.context, country: 'de' } };
  expect((await create(spelled, { key: 'k' })).status).toBe(409);
});

it('a repeated idempotency_key in the body is a 409 that names what the caller can do over HTTP', async () => {
  const { create } = await served();
  const body = { ...REQUEST, idempotency_key: 'k' };
  const first = await create(body);
  expect([first.status, first.body.created]).toEqual([201, true]);
  const again = await create(body);
  const id = first.body.task_uuid;
  expect([again.status, again.body.error]).toEqual([
    409,
    {
      code: 'CONFLICT',
      message: `task demo with the idempotency key k already exists: ${id}; send ?on_duplicate=return to get it, or use another idempotency key`,
      details: { task_uuid: id },
    },
  ]);
  const returned = await create({ ...body, context: { other: true } }, { query: '?on_duplicate=return' });
  expect([returned.status, returned.body]).toMatchObject([200, { task_uuid: id, created: false }]);
  const strict = await create({ ...REQUEST, name: 'strict' });
  const same = await create({ ...REQUEST, name: 'strict' }, { query: '?on_duplicate=return' });
  expect([same.status, same.body]).toMatchObject([200, { task_uuid: strict.body.task_uuid, created: false }]);
});

it('the header and the body name the same task, and different keys in them are a 400', async () => {
  const { create, tasks, ask, tasker } = await served();
  const inBody = { ...REQUEST, idempotency_key: 'k' };
  const first = await create(inBody);
  const id = first.body.task_uuid;
  expect((await create(REQUEST, { key: 'k' })).body).toMatchObject({ task_uuid: id, created: false });
  expect((await create(inBody, { key: 'k' })).body).toMatchObject({ task_uuid: id, created: false });
  expect((await create(inBody)).status).toBe(409);
  expect((await create({ ...REQUEST, context: {} }, { key: 'k' })).status).toBe(409);
  const refused = await create(inBody, { key: 'other' });
  expect([refused.status, refused.body.error.message]).toEqual([
    400,
    'the header Idempotency-Key is other, but idempotency_key in the body is k; send only one of them',
  ]);
  expect((await create({ ...REQUEST, idempotency_key: null }, { key: 'k' })).status).toBe(200);
  expect((await create(REQUEST, { key: '' })).status).toBe(400);
  expect((await create(REQUEST, { key: 'k', query: '?on_duplicate=odd' })).status).toBe(400);
  expect(await tasks()).toBe(1);
  const copy = await ask('POST', `/v1/tasks/${id}/copy`, { idempotency_key: 'a' }, { 'idempotency-key': 'b' });
  expect(copy.status).toBe(400);
  // The key is still a condition of lists.
  await tasker.engine.search.flush();
  const { tasks: found } = await tasker.listTasks({ key: 'k' }, { limit: 10 });
  expect(found.map(({ taskUuid }) => taskUuid)).toEqual([id]);
});

it('on_duplicate=error makes a repetition with the same Idempotency-Key a 409', async () => {
  const { create } = await served();
  const first = await create(REQUEST, { key: 'k', query: '?on_duplicate=error' });
  const again = await create(REQUEST, { key: 'k', query: '?on_duplicate=error' });
  expect([first.status, again.status, again.body.error.details]).toEqual([
    201,
    409,
    { task_uuid: first.body.task_uuid },
  ]);
});

it('requests that arrive at the same time with the same Idempotency-Key create one task', async () => {
  const { create, tasks, sql } = await served({ poolSize: 6 });
  const same = Array.from({ length: 40 }, () => create(REQUEST, { key: 'k' }));
  const others = Array.from({ length: 20 }, (_, n) => create({ ...REQUEST, context: { n } }, { key: 'mixed' }));
  const plain = Array.from({ length: 20 }, (_, n) =>
    create({ ...REQUEST, name: n % 2 ? 'other' : 'demo' }, { key: 'two' }),
  );
  const answers = await Promise.all(same);
  expect(new Set(answers.map(({ body }) => body.task_uuid)).size).toBe(1);
  expect(answers.map(({ status }) => status).sort()).toEqual([...Array(39).fill(200), 201]);
  const statuses = (await Promise.all(others)).map(({ status }) => status).sort();
  expect(statuses).toEqual([201, ...Array(19).fill(409)]);
  const named = (await Promise.all(plain)).map(({ status }) => status).sort();
  expect(named).toEqual([...Array(9).fill(200), 201, ...Array(10).fill(409)]);
  expect(await tasks()).toBe(3);
  await invariants(sql);
});

it('two batches that need the same two keys in opposite orders do not deadlock', async () => {
  const { tasker, tasks, sql, url } = await served({ poolSize: 6 });
  const hash = (name: string, idempotencyKey: string) =>
    identityHash({ ...DEMO, name, idempotencyKey, strategy: 'strict', context: '{}' })!;
  const keys = Array.from({ length: 100 }, (_, n) => `k${n}`);
  // Identities are inserted in the order of their hashes, which is the order of the names here.
  const isOrdered = (a: string, b: string) =>
    a !== b && hash('demo', a) < hash('other', b) && hash('demo', b) < hash('other', a);
  const a = keys.find((one) => keys.some((other) => isOrdered(one, other)))!;
  const b = keys.find((other) => isOrdered(a, other))!;
  const of = (name: string, idempotencyKey: string) => ({ ...DEMO, name, idempotencyKey, keyInHeader: true });
  const blocking = await openSession(url);
  await blocking.query('begin');
  for (const key of [a, b]) {
    const values = [hash('other', key), '019b0000-0000-7000-8000-000000000000'];
    await blocking.query("insert into tasker.task_identity (hash, task_uuid) values (decode($1, 'hex'), $2)", values);
  }
  const outcomes = Promise.allSettled(
    [
      [of('demo', a), of('other', b)],
      [of('demo', b), of('other', a)],
    ].map((batch) => tasker.createTasks(batch as never)),
  );
  await until(
    () => sql("select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"),
    (waiting) => waiting.length === 2,
  );
  await blocking.query('rollback');
  const failed = (await outcomes).flatMap((one) => (one.status === 'rejected' ? [(one.reason as Error).message] : []));
  expect(failed).toEqual([expect.stringMatching(/^the Idempotency-Key .* was already used/)]);
  expect(await tasks()).toBe(2);
});

it('a task that starts later, and a large request, are recognized too', async () => {
  const { create, tasks } = await served();
  const texts = Array.from({ length: 30 }, () => 'x'.repeat(1_000));
  for (const [key, body] of [
    ['later', { ...REQUEST, start_in: '2h' }],
    ['large', { ...REQUEST, context: { texts } }],
    ['unicode', { ...REQUEST, context: { ключ: 'é', emoji: '🦆' } }],
  ] as const) {
    const first = await create(body, { key });
    const again = await create(body, { key });
    expect([first.status, again.status, again.body.task_uuid]).toEqual([201, 200, first.body.task_uuid]);
    expect((await create({ ...body, context: {} }, { key })).status).toBe(409);
  }
  expect(await tasks()).toBe(3);
});

it('a task that was created with the key before requests were compared is a 409, and is not created twice', async () => {
  const { create, sql, tasks } = await served();
  const first = await create(REQUEST, { key: 'k' });
  await sql('update tasker.task_identity set request_hash = null, digest = null');
  const again = await create(REQUEST, { key: 'k' });
  expect([again.status, again.body.error.details]).toEqual([409, { task_uuid: first.body.task_uuid }]);
  expect(await tasks()).toBe(1);
});

it('a repeated request for a pruned task is a 409 that names the route which releases its key', async () => {
  const { create, tasker, ask } = await served();
  const first = await create(REQUEST, { key: 'k' });
  const id = first.body.task_uuid;
  await tasker.cancelTask(id);
  await tasker.prune({ olderThan: '0s' }).result();
  const again = await create(REQUEST, { key: 'k' });
  expect([again.status, again.body.error]).toMatchObject([
    409,
    {
      message: expect.stringMatching(
        new RegExp(`was pruned at 20.*Z: ${id}; use another .* or release this one with POST /v1/tasks/${id}/delete$`),
      ),
      details: { task_uuid: id, pruned_at: expect.stringMatching(/^20/) },
    },
  ]);
  expect((await ask('POST', `/v1/tasks/${id}/delete`, {})).status).toBe(200);
  expect((await create(REQUEST, { key: 'k' })).status).toBe(201);
});

it('each line of a bulk creation names its own error without an index', async () => {
  const { ask, create } = await served();
  const first = await create(REQUEST, { key: 'k' });
  const lines = [
    { ...REQUEST, idempotency_key: 'k' },
    { ...REQUEST, idempotency_key: 'new' },
  ];
  const text = lines.map((line) => JSON.stringify(line)).join('\n');
  const { body } = await ask<string>('POST', '/v1/tasks/bulk', text, { 'content-type': 'application/x-ndjson' });
  const id = first.body.task_uuid;
  expect(JSON.parse(body.split('\n')[0]!)).toEqual({
    line: 1,
    error: {
      code: 'CONFLICT',
      message: `task demo with the idempotency key k already exists: ${id}; send ?on_duplicate=return to get it, or use another idempotency key`,
      details: { task_uuid: id },
    },
  });
});

it('after a prune that released the key and a restore, a repeated request is answered as before', async () => {
  const { create, tasker, tasks } = await served();
  const first = await create(REQUEST, { key: 'k' });
  const { task_uuid: taskUuid } = first.body;
  await tasker.cancelTask(taskUuid);
  const archive = temporaryFolder();
  const pruned = await tasker.prune({ olderThan: '0s' }, { archive, releaseKeys: true }).result();
  expect(pruned).toMatchObject({ deleted: 1 });
  expect(await tasker.restoreArchive(pruned.files[0]!).result()).toMatchObject({ restored: 1, withoutIdentity: [] });

  const repeated = await create(REQUEST, { key: 'k' });
  expect([repeated.status, repeated.body]).toMatchObject([200, { task_uuid: taskUuid, created: false }]);
  for (const other of [{ context: {} }, { name: 'other' }]) {
    const refused = await create({ ...REQUEST, ...other }, { key: 'k' });
    expect([refused.status, refused.body.error?.code]).toEqual([409, 'CONFLICT']);
  }
  expect(await tasks()).toBe(1);
});

it('a restored task does not take the Idempotency-Key of a request that was sent after its prune', async () => {
  const { create, tasker, sql } = await served();
  const first = await create(REQUEST, { key: 'k' });
  await tasker.cancelTask(first.body.task_uuid);
  const archive = temporaryFolder();
  const { files } = await tasker.prune({ olderThan: '0s' }, { archive, releaseKeys: true }).result();
  const second = await create({ ...REQUEST, name: 'other' }, { key: 'k' });
  expect(second.status).toBe(201);
  expect(await tasker.restoreArchive(files[0]!).result()).toMatchObject({ restored: 1, failed: 0 });
  const repeated = await create({ ...REQUEST, name: 'other' }, { key: 'k' });
  expect([repeated.status, repeated.body.task_uuid]).toEqual([200, second.body.task_uuid]);
  expect((await create(REQUEST, { key: 'k' })).status).toBe(409);
  await invariants(sql);
});

it('an archive with two tasks of one key that was released in between is restored', async () => {
  const { create, tasker } = await served();
  const archive = temporaryFolder();
  const ids: string[] = [];
  const lines: Buffer[] = [];
  for (let i = 0; i < 2; i++) {
    const { body } = await create(REQUEST, { key: 'k' });
    ids.push(body.task_uuid);
    await tasker.cancelTask(body.task_uuid);
    const { files } = await tasker.prune({ olderThan: '0s' }, { archive, releaseKeys: true }).result();
    lines.push(readFileSync(files[0]!));
  }
  const both = path.join(archive, 'both.ndjson.gz');
  writeFileSync(both, Buffer.concat(lines));
  const restored = await tasker.restoreArchive(both).result();
  expect(restored).toMatchObject({ restored: 2, failed: 0, withoutIdentity: [ids[1]] });
  const repeated = await create(REQUEST, { key: 'k' });
  expect([repeated.status, repeated.body.task_uuid]).toEqual([200, ids[0]]);
});
