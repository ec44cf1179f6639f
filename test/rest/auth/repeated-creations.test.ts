import { expect, it } from 'vitest';
import { template } from '../../support/setup.ts';
import { type App, ask, type Json, secured } from './secured.ts';

const unique = (name: string) => template({ first: [] }, { name, unique: { key: 'context.n', on_conflict: name } });
const on = secured([
  template({ first: [] }),
  template({ first: [] }, { namespace: 'other' }),
  unique('return'),
  unique('cancel_running'),
]);
const REQUEST = {
  ...{ name: 'demo', namespace: 'test', version: '1.0.0', context: { n: 1 } },
  ...{ initiator: 'a', source_system: 'b', reason: 'c' },
};

/** Sends a request with a credential, to create a task. */
async function create(
  app: App,
  credential: string,
  body: object,
  { key, query = '' }: { key?: string; query?: string } = {},
) {
  const headers = { 'x-api-key': credential, ...(key !== undefined && { 'idempotency-key': key }) };
  const answer = await ask(app, `POST /v1/tasks${query}`, headers, body);
  const { task_uuid: id, created } = answer.body as { task_uuid: string; created: boolean };
  const { message, details } = (answer.body.error ?? {}) as { message?: string; details?: Json };
  return { status: answer.status, id, created, message, details, text: JSON.stringify(answer.body) };
}

it('a repeated creation names the first task only to a credential that may read tasks', async () => {
  const app = on.app();
  const creator = await on.key({ name: 'creator', permissions: ['tasks:create'] });
  const reader = await on.key({ name: 'reader', permissions: ['tasks:create', 'tasks:read'] });
  const body = { ...REQUEST, idempotency_key: 'k' };
  const first = await create(app, creator, body);
  expect(first.status).toBe(201);
  const again = await create(app, creator, body);
  expect([again.status, again.message, again.details]).toEqual([
    409,
    'task demo with the idempotency key k already exists; use another idempotency key',
    undefined,
  ]);
  expect(again.text).not.toContain(first.id);
  const named = await create(app, reader, body);
  expect([named.status, named.message, named.details]).toEqual([
    409,
    expect.stringContaining(`already exists: ${first.id}; send ?on_duplicate=return`),
    { task_uuid: first.id },
  ]);
});

it('a credential that may not read tasks gets an earlier task only if it created the task', async () => {
  const app = on.app();
  const mine = await on.key({ name: 'mine', permissions: ['tasks:create'] });
  const foreign = await on.key({ name: 'foreign', permissions: ['tasks:create'] });
  const reader = await on.key({ name: 'looks', permissions: ['tasks:create', 'tasks:read'] });
  const first = await create(app, mine, REQUEST, { key: 'lost answer' });
  const again = await create(app, mine, REQUEST, { key: 'lost answer' });
  expect([again.status, again.id, again.created]).toEqual([200, first.id, false]);
  for (const how of [{ key: 'lost answer' }, { query: '?on_duplicate=return' }]) {
    const body = { ...REQUEST, ...(how.key === undefined && { idempotency_key: 'lost answer' }) };
    const refused = await create(app, foreign, body, how);
    expect([how, refused.status, refused.details, refused.text.includes(first.id)]).toEqual([
      how,
      409,
      undefined,
      false,
    ]);
    const read = await create(app, reader, body, how);
    expect([how, read.status, read.id]).toEqual([how, 200, first.id]);
  }
});

it('each sender has its own keys in the header', async () => {
  const app = on.app();
  const one = await on.key({ name: 'one', permissions: ['tasks:create'], namespaces: ['test'] });
  const two = await on.key({ name: 'two', permissions: ['tasks:create', 'tasks:read'], namespaces: ['other'] });
  expect((await create(app, one, REQUEST, { key: 'same' })).status).toBe(201);
  expect((await create(app, two, { ...REQUEST, namespace: 'other' }, { key: 'same' })).status).toBe(201);
  expect((await create(app, two, REQUEST, { key: 'same' })).status).toBe(404);
});

it('a 409 for a different request with the same key does not name a task in a namespace that the caller may not see', async () => {
  const app = on.app();
  const limited = await on.key({ name: 'limited', permissions: ['tasks:*'], namespaces: ['test', 'other'] });
  const creator = await on.key({ name: 'blind', permissions: ['tasks:create'] });
  const all = await on.key({ name: 'all', permissions: ['tasks:*'] });
  for (const [credential, isNamed] of [
    [limited, false],
    [creator, false],
    [all, true],
  ] as const) {
    const key = `differs ${credential}`;
    const first = await create(app, credential, REQUEST, { key });
    const other = await create(app, credential, { ...REQUEST, namespace: 'other' }, { key });
    expect([other.status, other.text.includes(first.id), other.message]).toEqual([
      409,
      isNamed,
      expect.stringMatching(
        /^the Idempotency-Key .* was already used with a different .*; send each request with its own key$/,
      ),
    ]);
  }
});

it('no other route that creates tasks names the existing task either', async () => {
  const app = on.app();
  const creator = await on.key({ name: 'copies', permissions: ['tasks:create'] });
  const foreign = await on.key({ name: 'others', permissions: ['tasks:create'] });
  const first = await create(app, creator, { ...REQUEST, idempotency_key: 'in bulk' });
  const copied = await ask(
    app,
    `POST /v1/tasks/${first.id}/copy`,
    { 'x-api-key': creator },
    { idempotency_key: 'copy' },
  );
  const again = await ask(
    app,
    `POST /v1/tasks/${first.id}/copy`,
    { 'x-api-key': creator },
    { idempotency_key: 'copy' },
  );
  expect([copied.status, again.status]).toEqual([201, 409]);
  expect(JSON.stringify(again.body)).not.toContain(copied.body.task_uuid);
  const line = async (credential: string, query: string) => {
    const answer = await app.request(`http://localhost/v1/tasks/bulk${query}`, {
      method: 'POST',
      headers: { 'x-api-key': credential, 'content-type': 'application/x-ndjson' },
      body: JSON.stringify({ ...REQUEST, idempotency_key: 'in bulk' }),
    });
    return (await answer.text()).split('\n')[0]!;
  };
  expect(JSON.parse(await line(creator, '?on_duplicate=return'))).toEqual({
    line: 1,
    task_uuid: first.id,
    created: false,
    outcome: 'returned',
    rule: 'identity',
  });
  for (const [credential, query] of [
    [creator, ''],
    [foreign, ''],
    [foreign, '?on_duplicate=return'],
  ] as const) {
    const text = await line(credential, query);
    expect([query, text.includes(first.id), JSON.parse(text)]).toMatchObject([
      query,
      false,
      { error: { code: 'CONFLICT', message: expect.stringMatching(/already exists; use another idempotency key$/) } },
    ]);
  }
  await on.tasker.cancelTask(first.id);
  await on.tasker.prune({ olderThan: '0s' }).result();
  const pruned = await create(app, creator, { ...REQUEST, idempotency_key: 'in bulk' });
  expect([pruned.status, pruned.text.includes(first.id), pruned.details]).toEqual([
    409,
    false,
    { pruned_at: expect.stringMatching(/^20/) },
  ]);
});

it('the open task of a key is named only to a credential that may read tasks, or created it', async () => {
  const app = on.app();
  const mine = await on.key({ name: 'owner', permissions: ['tasks:create'] });
  const foreign = await on.key({ name: 'stranger', permissions: ['tasks:create'] });
  const reader = await on.key({ name: 'looker', permissions: ['tasks:create', 'tasks:read'] });
  const body = { ...REQUEST, name: 'return' };
  const first = await create(app, mine, body);
  expect(await create(app, mine, body)).toMatchObject({ status: 200, id: first.id });
  expect(await create(app, reader, body)).toMatchObject({ status: 200, id: first.id });
  const refused = await create(app, foreign, body);
  expect([refused.status, refused.message]).toEqual([
    409,
    'a task of return with the same key (unique) is open; wait until that task has ended',
  ]);
  expect(refused.text).not.toContain(first.id);
  const open = await create(app, mine, { ...REQUEST, name: 'cancel_running' });
  const hidden = await create(app, foreign, { ...REQUEST, name: 'cancel_running' });
  expect([hidden.status, hidden.text.includes(open.id)]).toEqual([201, false]);
  const shown = await create(app, reader, { ...REQUEST, name: 'cancel_running' });
  expect(JSON.parse(shown.text)).toMatchObject({ outcome: 'replaced', replaced_task_uuid: hidden.id });
});
