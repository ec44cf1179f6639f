import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openSession } from '../support/database.ts';
import { type Json, servedApi } from '../support/rest/served-api.ts';
import { served } from '../support/rest/streams.ts';
import { DEMO, template, until } from '../support/setup.ts';

// bench/rest-load.mjs does the same with 200 creators and 2,020 streams, and kills the server.

const CREATORS = 20;
const EACH = 5;
/** Sends a request again while the server is overloaded. */
async function accepted<Answer extends { status: number; headers: Headers }>(
  send: () => Promise<Answer>,
): Promise<Answer> {
  for (;;) {
    const answer = await send();
    if (answer.status !== 503) return answer;
    await sleep(Number(answer.headers.get('retry-after') ?? 1) * 1000);
  }
}

const REQUEST = { ...DEMO, context: {}, initiator: 'a', source_system: 'b', reason: 'c' };

it('with 20 creators and 100 open streams, no acknowledged task and no change is lost', async () => {
  const { tasker, server, stream, ask } = await served();
  const held = await tasker.createTasks(Array.from({ length: 97 }, () => ({ ...DEMO, delayMs: 3_600_000 })));
  const own = await Promise.all(held.map(({ taskUuid }) => stream(`/v1/tasks/${taskUuid}/stream`)));
  const all = await Promise.all([1, 2, 3].map(() => stream('/v1/stream')));
  expect([...own, ...all].every(({ status }) => status === 200)).toBe(true);
  const acknowledged: string[] = [];
  const creator = async () => {
    for (let i = 0; i < EACH; i++) {
      const headers = { 'content-type': 'application/json' };
      const request = { method: 'POST', headers, body: JSON.stringify(REQUEST) };
      const answer = await accepted(() => fetch(`${server.url}/v1/tasks`, request));
      expect(answer.status).toBe(201);
      acknowledged.push(((await answer.json()) as { task_uuid: string }).task_uuid);
    }
  };
  const cancelling = held.map(async ({ taskUuid }) => {
    let isInDoubt = false;
    const { status } = await accepted(async () => {
      const answer = await ask('DELETE', `/v1/tasks/${taskUuid}`);
      // Without Retry-After, the action may have been carried out. Then a second request for the action is rejected.
      isInDoubt ||= answer.status === 503 && !answer.headers.has('retry-after');
      return answer;
    });
    return isInDoubt && status === 400 ? 200 : status;
  });
  await Promise.all([...Array.from({ length: CREATORS }, creator), ...cancelling]);
  expect(new Set(await Promise.all(cancelling))).toEqual(new Set([200]));
  expect(new Set(acknowledged).size).toBe(CREATORS * EACH);
  await until(
    () => held.filter(({ taskUuid }, i) => own[i]!.tasks.get(taskUuid) !== 'cancelled'),
    (missing) => missing.length === 0,
  );
  for (const one of all) {
    await until(
      () => acknowledged.filter((task) => one.tasks.get(task) !== 'complete'),
      (missing) => missing.length === 0,
    );
    await until(
      () => held.filter(({ taskUuid }) => one.tasks.get(taskUuid) !== 'cancelled'),
      (missing) => missing.length === 0,
    );
  }
  const states = await Promise.all(acknowledged.map((task) => tasker.getTask(task)));
  expect(states.filter(({ status }) => status !== 'complete')).toEqual([]);
});

it('a server with too many requests rejects further requests immediately with Retry-After, and completes the accepted ones', async () => {
  const most = 4;
  const api = await servedApi({ mostRequests: most, templates: [template({ first: [] })] });
  const blocker = await openSession(api.url);
  try {
    await blocker.query('begin');
    await blocker.query('lock table tasker.task in exclusive mode');
    const answers: { status: number; retryAfter: string | null; body: Json }[] = [];
    const creating = Array.from({ length: CREATORS }, async () => {
      const { status, headers, body } = await api.ask('POST', '/v1/tasks', REQUEST);
      answers.push({ status, retryAfter: headers.get('retry-after'), body });
    });
    // Requests that do not need the database get a response while the others still wait.
    await until(
      () => answers.length,
      (count) => count === CREATORS - most,
    );
    expect(answers.every(({ status, retryAfter }) => status === 503 && retryAfter === '1')).toBe(true);
    expect(answers[0]!.body.error).toMatchObject({ code: 'BACKPRESSURE', retry_after_seconds: 1 });
    await blocker.query('rollback');
    await Promise.all(creating);
    const accepted = answers.filter(({ status }) => status === 201).map(({ body }) => body.task_uuid);
    expect(accepted).toHaveLength(most);
    const stored = await api.sql<{ id: string }>('select task_uuid id from tasker.task');
    expect(stored.map(({ id }) => id).sort()).toEqual(accepted.sort());
  } finally {
    await blocker.query('rollback');
    await api.stop();
  }
});

it('a worker that waits for steps does not block other requests', async () => {
  const api = await servedApi({ mostRequests: 1, templates: [template({ first: [] })] });
  try {
    const worker = {
      protocol: 1,
      name: 'far',
      instance: randomUUID(),
      namespaces: ['test'],
      handlers: ['first'],
      slots: 1,
    };
    const { body } = await api.ask('POST', '/v1/workers', worker);
    const claim = { worker_id: body.worker_id, request_id: 1, slots: 1, wait_ms: 20_000 };
    let isOver = false;
    const claiming = api.ask<{ steps: Json[] }>('POST', '/v1/steps/claim', claim).then((answer) => {
      isOver = true;
      return answer;
    });
    for (let i = 0; i < 3; i++) expect((await api.ask('GET', '/v1/templates')).status).toBe(200);
    expect(isOver).toBe(false);
    expect((await api.ask('POST', '/v1/tasks', REQUEST)).status).toBe(201);
    expect((await claiming).body.steps).toHaveLength(1);
  } finally {
    await api.stop();
  }
});

it('streams that have not begun yet do not block other requests', async () => {
  const paths = ['/v1/stream', '/v1/stream?kind=step', '/v1/stream?namespace=test'];
  const api = await servedApi({ mostRequests: paths.length, templates: [template({ first: [] })] });
  const blocker = await openSession(api.url);
  try {
    await blocker.query('begin');
    // The streams begin after a read of the log of changes.
    await blocker.query('lock table tasker.task_change in access exclusive mode');
    const opening = paths.map((path) => api.app.request(`http://localhost${path}`));
    await until(
      () => api.tasker.engine.changes.streams,
      (count) => count === paths.length,
    );
    expect((await api.ask('GET', '/v1/templates')).status).toBe(200);
    await blocker.query('rollback');
    for (const stream of opening) await (await stream).body?.cancel();
  } finally {
    await blocker.query('rollback');
    await api.stop();
  }
});

it('a caller above its rate is rejected with 429 and Retry-After, and only acknowledged tasks exist', async () => {
  const api = await servedApi({ requestsPerSecond: 5, templates: [template({ first: [] })] });
  try {
    const answers = await Promise.all(Array.from({ length: CREATORS }, () => api.ask('POST', '/v1/tasks', REQUEST)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const { headers, body } of refused) {
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(body.error).toMatchObject({ code: 'RATE_LIMITED' });
    }
    const accepted = answers.filter(({ status }) => status === 201);
    expect(accepted.length + refused.length).toBe(CREATORS);
    expect(await api.sql('select count(*)::int n from tasker.task')).toEqual([{ n: accepted.length }]);
  } finally {
    await api.stop();
  }
});
