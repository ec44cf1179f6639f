import { beforeAll, expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import { messageOf } from '../../../src/errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { restApp } from '../../../src/rest/rest-app.ts';
import { startProxy } from '../../support/crash/proxy.ts';
import { openSession } from '../../support/database.ts';
import { asking, type Document, documentOf } from '../../support/rest/contract.ts';
import { restWorld, UNSECURED } from '../../support/rest/world.ts';
import { deriverOf, type Place } from './derived-rows.ts';
import type { Row, Rows } from './row.ts';
import { rowsOf } from './rows.ts';

const world = restWorld();
const UNKNOWN = '019b0000-0000-7000-8000-000000000000';
const LARGE = JSON.stringify({ context: 'x'.repeat(5 * 1024 * 1024) });
/** Other tests produce these statuses. */
const ELSEWHERE = new Set(['408', '500', '503']);
/** Responses that need a credential, or more requests than the limit. The tests of authentication produce them. */
const OF_CREDENTIALS = new Set(['401', '429']);

/** Every stream begins with this event. */
const FIRST_EVENT = /^retry: \d+\n(id: .+\n)?event: open\ndata: \{.+\}\n\n/;

interface Route extends Place {
  rows: Rows;
}

let routes: Route[];

beforeAll(async () => {
  const rows = await rowsOf(world);
  const document = await documentOf(world.app);
  const derive = await deriverOf(world);
  routes = [];
  for (const route of operationsOf(document)) {
    routes.push({ ...route, rows: rows[route.operation.operationId!] ?? (await derive(route))! });
  }
  const unknown = Object.keys(rows).filter((id) => !routes.some(({ operation }) => operation.operationId === id));
  expect(unknown, 'rows of operations that do not exist').toEqual([]);
});

function operationsOf({ paths }: Document) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

function urlOf(path: string, { params = {}, query }: Row): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? `missing-${name}`);
  return query === undefined ? filled : `${filled}?${query.replaceAll('{', '%7B').replaceAll('}', '%7D')}`;
}

/** Requests that every route of its kind must reject in the same way. */
function refused({ method, path, operation, rows }: Route): [status: number, url: string, row: Row][] {
  const [row = {}] = rows.ok;
  const found: [number, string, Row][] = [];
  const params = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const uuids = params.filter((name) => /uuid|event_id|signal_id/.test(name));
  if (uuids.length > 0) {
    const wrong = { ...row.params, ...Object.fromEntries(uuids.map((name) => [name, 'not-a-uuid'])) };
    found.push([400, urlOf(path, { ...row, params: wrong }), row]);
  }
  const numbers = (operation.parameters ?? []).filter(({ in: place, name }) => place === 'query' && name === 'limit');
  if (numbers.length > 0) found.push([400, `${urlOf(path, { ...row, query: 'limit=0' })}`, row]);
  if (operation.responses[404] && params.length > 0) {
    const unknown = Object.fromEntries(params.map((name) => [name, uuids.includes(name) ? UNKNOWN : 'nothing']));
    if (!params.includes('id')) found.push([404, urlOf(path, { ...row, params: unknown }), row]);
  }
  if (operation.requestBody) {
    // Bodies of lines are streams: each line is rejected individually, and there may be many lines.
    if (operation.requestBody.content['application/json']) {
      found.push([400, urlOf(path, row), { ...row, body: '{"unfinished":' }]);
      found.push([413, urlOf(path, row), { ...row, body: LARGE }]);
    }
    found.push([415, urlOf(path, row), { ...row, headers: { 'content-type': 'text/html' } }]);
  }
  if (operation.responses[400] && !operation.parameters && !operation.requestBody) {
    found.push([400, `${urlOf(path, row)}?colour=red`, row]);
  }
  if (path.startsWith('/v1/')) found.push([403, `http://evil.example${urlOf(path, row)}`, { ...row, secured: false }]);
  return found.map(([status, url, one]) => [status, url, method === 'GET' ? { headers: one.headers ?? {} } : one]);
}

it('every operation has rows in the contract table', () => {
  const without = routes
    .filter(({ rows }) => !rows)
    .map(({ method, path, operation }) => `${operation.operationId}: ${method} ${path}`);
  expect(without, 'rows for these do not derive; add them to test/rest/contract/rows.ts').toEqual([]);
});

it('every operation returns each documented response in the documented shape', async () => {
  const missing: string[] = [];
  const wrong: string[] = [];
  for (const route of routes) {
    const { method, path, operation, rows } = route;
    const seen = new Set<string>();
    const send = async (status: number, url: string, { body, headers, secured }: Row) => {
      const place = `${operation.operationId}, ${method} ${url}, body ${JSON.stringify(body)?.slice(0, 200)}`;
      try {
        const answer = await (secured ? world.askSecured : world.ask)(method, url, body, headers);
        if (answer.status !== status)
          wrong.push(`${place}: ${answer.status}, not ${status}: ${JSON.stringify(answer.body)}`);
        else seen.add(String(status));
        return answer;
      } catch (error) {
        // The response is not the documented one.
        wrong.push(`${place}: ${messageOf(error)}`);
        return undefined;
      }
    };
    // Rejected requests come first, because a successful request may change the resources that they refer to.
    for (const [status, url, row] of refused(route)) await send(status, url, row);
    for (const status of [201, 400, 403, 404, 409, 202] as const) {
      for (const row of rows[status] ?? []) await send(status, urlOf(path, row), row);
    }
    const ok = Number(Object.keys(operation.responses).find((status) => status.startsWith('2')));
    for (const row of rows.ok) {
      const answer = await send(ok, urlOf(path, row), row);
      if (!answer) continue;
      expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
      if (answer.headers.get('content-type')?.startsWith('text/event-stream')) expect(answer.body).toMatch(FIRST_EVENT);
      if (!operation.responses[304]) continue;
      const headers = { ...row.headers, 'if-none-match': answer.headers.get('etag')! };
      await send(304, urlOf(path, row), { headers });
    }
    for (const status of Object.keys(operation.responses)) {
      const tested = seen.has(status) || ELSEWHERE.has(status) || OF_CREDENTIALS.has(status);
      if (!tested && !(status === '403' && !path.startsWith('/v1/')))
        missing.push(`${operation.operationId} ${status}`);
    }
  }
  expect.soft(wrong, 'answers that differ from what is expected').toEqual([]);
  expect(missing, 'documented answers without a row').toEqual([]);
});

/**
 * Locks every table until a rollback. Retries after a deadlock, because a worker may take locks in another order.
 */
async function lockAll(session: Awaited<ReturnType<typeof openSession>>): Promise<void> {
  const { rows } = await session.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) name from pg_tables where schemaname = 'tasker'`,
  );
  for (let tries = 1; ; tries++) {
    await session.query('begin');
    try {
      await session.query(`lock table ${rows.map(({ name }) => name).join(', ')} in access exclusive mode`);
      return;
    } catch (error) {
      await session.query('rollback');
      if ((error as { code?: string }).code !== '40P01' || tries === 10) throw error;
    }
  }
}

/** Requests that are served from memory, at most until the template cache is refreshed. */
const FROM_MEMORY = /^\/(health|metrics|config)|^\/v1\/(templates\/|retention|me$|auth\/providers$)/;

it('a read that takes too long gets 408, and the server recovers', async () => {
  const facts = { version: '1', environment: 'test', state: () => 'running' };
  const tasker = await createTasker({ databaseUrl: world.url, worker: false, logger: silentLogger, poolSize: 4 });
  const ask = asking(restApp({ tasker, logger: silentLogger, facts, requestMs: 150, security: UNSECURED }));
  const blocker = await openSession(world.url);
  await lockAll(blocker);
  const reads = routes.filter(({ method, path }) => method === 'GET' && !FROM_MEMORY.test(path));
  try {
    const statuses = await Promise.all(
      reads.map(async ({ path, rows }) => [path, (await ask('GET', urlOf(path, rows.ok[0]!))).status]),
    );
    expect(statuses.filter(([, status]) => status !== 408)).toEqual([]);
  } finally {
    await blocker.query('rollback');
  }
  await expect.poll(async () => (await ask('GET', '/v1/tasks')).status, { timeout: 20_000 }).toBe(200);
  await tasker.stop();
});

it('reads get 503 while the database is unreachable, and succeed again when it is back', async () => {
  const proxy = await startProxy(world.url);
  const facts = { version: '1', environment: 'test', state: () => 'running' };
  const tasker = await createTasker({ databaseUrl: proxy.url, worker: false, logger: silentLogger, poolSize: 4 });
  const ask = asking(restApp({ tasker, logger: silentLogger, facts, security: UNSECURED }));
  expect((await ask('GET', '/v1/tasks')).status).toBe(200);
  proxy.decide = () => 'cut';
  const reads = routes.filter(({ method, path }) => method === 'GET' && !FROM_MEMORY.test(path));
  for (const { path, rows } of reads) {
    const { status } = await ask('GET', urlOf(path, rows.ok[0]!));
    expect([path, status]).toEqual([path, 503]);
  }
  proxy.decide = () => undefined;
  await expect.poll(async () => (await ask('GET', '/v1/tasks')).status, { timeout: 20_000 }).toBe(200);
  await tasker.stop();
});
