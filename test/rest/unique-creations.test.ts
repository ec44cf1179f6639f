import { expect, it } from 'vitest';
import { silentLogger } from '../../src/logging/logger.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { openSession } from '../support/database.ts';
import { asking } from '../support/rest/contract.ts';
import { setup, template, until } from '../support/setup.ts';

const FROM = { namespace: 'test', version: '1.0.0', initiator: 'tests', source_system: 'suite', reason: 'to see' };
const of = (name: string, customer: string, more: object = {}) => ({ ...FROM, name, context: { customer }, ...more });
const unique = (name: string) =>
  template({ first: [] }, { name, unique: { key: 'context.customer', on_conflict: name } });

async function served() {
  const templates = ['return', 'reject', 'cancel_running', 'replace_pending'].map(unique);
  const made = await setup({ templates, worker: false });
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  const ask = asking(restApp({ tasker: made.tasker, logger: silentLogger, facts, requestMs: 200_000 }));
  const headersOf = (text: string) => ({ 'content-length': String(text.length) });
  const create = (body: object) =>
    ask<Record<string, never>>('POST', '/v1/tasks', body, headersOf(JSON.stringify(body)));
  return { ...made, ask, create };
}

it('a creation answers with its outcome, and names the open task of the key', async () => {
  const { create } = await served();
  const first = await create(of('return', 'c-1'));
  const fresh = { created: true, outcome: 'created', rule: null, replaced_task_uuid: null };
  expect([first.status, first.body]).toMatchObject([201, fresh]);
  const again = await create(of('return', 'c-1'));
  expect([again.status, again.body]).toMatchObject([
    200,
    { task_uuid: first.body['task_uuid'], created: false, outcome: 'returned', rule: 'unique' },
  ]);
  const pending = (await create(of('replace_pending', 'c-1'))).body['task_uuid'];
  const replacing = await create(of('replace_pending', 'c-1'));
  expect([replacing.status, replacing.body]).toMatchObject([
    201,
    { created: true, outcome: 'replaced', rule: 'unique', replaced_task_uuid: pending },
  ]);
  const open = (await create(of('reject', 'c-1'))).body['task_uuid'];
  const refused = await create(of('reject', 'c-1'));
  expect([refused.status, refused.body['error']]).toEqual([
    409,
    {
      code: 'CONFLICT',
      message: `a task of reject with the key "c-1" (unique) is open, in pending: ${open}; wait until that task has ended, or cancel it`,
      details: { task_uuid: open, rule: 'unique', key: '"c-1"' },
    },
  ]);
  const wrong = await create({ ...of('reject', ''), context: {} });
  expect([wrong.status, wrong.body['error']]).toMatchObject([400, { details: { field: 'unique.key' } }]);
});

it('requests that share a transaction get the same answers as alone', async () => {
  const { create, sql, url } = await served();
  const [open] = [(await create(of('reject', 'c-1'))).body['task_uuid']];
  const session = await openSession(url);
  await session.query('begin');
  await session.query('lock table tasker.task in share mode');
  const answers = Promise.all([
    ...['a', 'b', 'a', 'a'].map((customer) => create(of('return', customer))),
    ...['c-1', 'c-2', 'c-1'].map((customer) => create(of('reject', customer))),
  ]);
  await until(
    () => sql("select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"),
    (waiting) => waiting.length > 0,
  );
  await session.query('commit');
  const all = await answers;
  expect(
    all
      .slice(0, 4)
      .map(({ status }) => status)
      .sort(),
  ).toEqual([200, 200, 201, 201]);
  expect(new Set(all.slice(0, 4).map(({ body }) => body['task_uuid'])).size).toBe(2);
  expect(all.slice(4).map(({ status }) => status)).toEqual([409, 201, 409]);
  expect(all[4]!.body['error']).toMatchObject({ details: { task_uuid: open } });
});

it('many creations in one request are answered one by one, and a rejected one does not affect the others', async () => {
  const { ask } = await served();
  const lines = [
    of('return', 'a'),
    of('reject', 'a'),
    of('reject', 'a'),
    of('return', 'a'),
    of('cancel_running', 'a'),
    of('cancel_running', 'a'),
  ];
  const { body } = await ask<string>(
    'POST',
    '/v1/tasks/bulk',
    lines.map((line) => JSON.stringify(line)).join('\n') as never,
    {
      'content-type': 'application/x-ndjson',
    },
  );
  const results = String(body)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(results).toMatchObject([
    { line: 1, created: true, outcome: 'created', rule: null },
    { line: 2, created: true, outcome: 'created' },
    { line: 3, error: { code: 'CONFLICT', details: { task_uuid: results[1]!['task_uuid'] } } },
    { line: 4, task_uuid: results[0]!['task_uuid'], created: false, outcome: 'returned', rule: 'unique' },
    { line: 5, outcome: 'created' },
    { line: 6, outcome: 'replaced', replaced_task_uuid: results[4]!['task_uuid'] },
    { done: true, lines: 6, created: 4, existing: 1, failed: 1 },
  ]);
});
