import { expect, it } from 'vitest';
import { silentLogger } from '../../src/logging/logger.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { openSession } from '../support/database.ts';
import { asking } from '../support/rest/contract.ts';
import { invariants, setup, template, until } from '../support/setup.ts';

const DEMO = {
  namespace: 'test',
  name: 'demo',
  version: '1.0.0',
  initiator: 'tests',
  source_system: 'suite',
  reason: 'to see',
};

/** The part of the next 200 ms for which the event loop is busy. */
async function loadOfLoop(): Promise<number> {
  const before = performance.eventLoopUtilization();
  await new Promise((resolve) => setTimeout(resolve, 200));
  return performance.eventLoopUtilization(before).utilization;
}

async function served() {
  const made = await setup({
    templates: template({ first: [], second: ['first'] }, { identity_strategy: 'caller_provided' }),
    handlers: [],
    worker: false,
    // 50 requests may be in progress for each connection.
    poolSize: 6,
  });
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  // Hundreds of requests wait for a lock. A busy machine needs longer than the default of 30 s.
  const app = restApp({ tasker: made.tasker, logger: silentLogger, facts, requestMs: 200_000 });
  const ask = asking(app);
  // A real server knows the length of a request. Requests without a length are not shared.
  const post = (body: object) =>
    ask('POST', '/v1/tasks', body, { 'content-length': String(JSON.stringify(body).length) });
  return { ...made, post };
}

it('requests that arrive at the same time share transactions, and each gets the same response as alone', async () => {
  const { post, sql, url } = await served();
  const requestOf = (key: string) => ({ ...DEMO, idempotency_key: key, context: { key } });
  await post(requestOf('known'));
  const refused = [
    requestOf('known'),
    { ...requestOf('other'), name: 'missing' },
    { ...requestOf('third'), version: '9.9.9' },
    { ...DEMO, context: {} },
    { ...requestOf('fourth'), priority: 'high' },
  ];
  const alone = [];
  for (const request of refused) alone.push(await post(request));
  const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`);
  const twins = Array.from({ length: 5 }, () => requestOf('twin'));
  // The first requests wait for the lock, and the others wait for the first requests.
  const session = await openSession(url);
  await session.query('begin');
  await session.query('lock table tasker.task in share mode');
  const answers = Promise.all([
    Promise.all(keys.map((key) => post(requestOf(key)))),
    Promise.all(twins.map(post)),
    ...refused.map(post),
  ]);
  await until(
    () => sql("select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"),
    (waiting) => waiting.length > 0,
  );
  // While the event loop is idle, no request is on its way.
  await until(loadOfLoop, (load) => load < 0.3);
  await session.query('commit');
  const [created, again, ...rest] = await answers;
  created!.forEach((answer, i) => {
    expect(answer).toMatchObject({ status: 201, body: { context: { key: keys[i] }, total_steps: 2 } });
    expect((answer.body.steps as unknown[]).length).toBe(2);
  });
  expect(again!.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409]);
  const bodyOf = (answer: { body: Record<string, unknown> }) =>
    JSON.stringify(answer.body).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID');
  expect(rest.map((one) => [one.status, bodyOf(one)])).toEqual(alone.map((one) => [one.status, bodyOf(one)]));
  expect(alone.map(({ status }) => status)).toEqual([409, 404, 404, 400, 400]);
  const [count] = await sql<{ tasks: number; transactions: number }>(
    'select count(*)::int tasks, count(distinct xmin::text)::int transactions from tasker.task',
  );
  expect(count!.tasks).toBe(202);
  expect(count!.transactions).toBeLessThan(60);
  await invariants(sql);
});

it('a large request has a separate transaction', async () => {
  const { post, sql } = await served();
  const texts = Array.from({ length: 30 }, () => 'x'.repeat(1_000));
  const requests = Array.from({ length: 12 }, (_, i) => ({ ...DEMO, idempotency_key: `${i}`, context: { texts } }));
  expect((await Promise.all(requests.map(post))).map(({ status }) => status)).toEqual(Array(12).fill(201));
  const [count] = await sql<{ n: number }>('select count(distinct xmin::text)::int n from tasker.task');
  expect(count!.n).toBe(12);
});
