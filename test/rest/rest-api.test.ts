import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { asking } from '../support/rest/contract.ts';
import { itOnce, setup, template } from '../support/setup.ts';

const first = defineHandler('first', {}, () => ({ made: 1 }));
const second = defineHandler('second', { inputs: { lucky: 'lucky' } }, ({ lucky }) => {
  if (!lucky) throw new PermanentError('no luck today');
  return { made: 2 };
});

const REQUEST = {
  name: 'demo',
  namespace: 'test',
  version: '1.0.0',
  context: { lucky: true },
  initiator: 'tests',
  source_system: 'suite',
  reason: 'to see',
};

type Json = Record<string, unknown>;

/** An app on its own database, and functions to send requests to it. */
async function served({ worker = true, legacyStatus = false } = {}) {
  const made = await setup({
    templates: template({ first: [], second: ['first'] }, { identity_strategy: 'strict' }),
    handlers: [first, second],
    worker,
  });
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  const app = restApp({ tasker: made.tasker, logger: silentLogger, facts, legacyStatus });
  const ask = asking(app);
  const create = async (more: object = {}) => {
    const { body } = await ask<{ task_uuid: string }>('POST', '/v1/tasks', { ...REQUEST, ...more });
    return body.task_uuid;
  };
  return { ...made, app, ask, create };
}

it('a task is created with 201, or with 200 if legacyStatus is set, and read with its steps', async () => {
  const { ask, tasker } = await served();
  const created = await ask<Json & { task_uuid: string }>('POST', '/v1/tasks', {
    ...REQUEST,
    tags: ['a'],
    priority: 3,
  });
  expect(created.status).toBe(201);
  expect(created.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  expect(created.body).toMatchObject({
    ...REQUEST,
    tags: ['a'],
    priority: 3,
    parent_correlation_id: null,
    total_steps: 2,
  });
  await tasker.waitForTask(created.body.task_uuid);
  const { body } = await ask<{ steps: Json[] }>('GET', `/v1/tasks/${created.body.task_uuid}`);
  expect(body).toMatchObject({
    status: 'complete',
    completed_at: expect.stringMatching(/Z$/),
    completed_steps: 2,
    execution_status: 'all_complete',
    completion_percentage: 100,
    health_status: 'healthy',
  });
  expect(body.steps.map(({ name, current_state }) => [name, current_state])).toEqual([
    ['first', 'complete'],
    ['second', 'complete'],
  ]);
  expect(body.steps[1]).toMatchObject({ total_parents: 1, completed_parents: 1, attempts: 1, max_attempts: 3 });
  expect(body.steps[1]!.last_attempted_at).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+$/);
  const legacy = await served({ legacyStatus: true });
  expect((await legacy.ask('POST', '/v1/tasks', REQUEST)).status).toBe(200);
});

it('errors have a code, a message and their details', async () => {
  const { ask } = await served({ worker: false });
  const refused = async (method: string, path: string, body?: unknown) => {
    const answer = await ask<{ error: Json }>(method, path, body);
    return [answer.status, answer.body.error.code, answer.body.error.message];
  };
  expect(await refused('POST', '/v1/tasks', { ...REQUEST, name: 'nothing' })).toEqual([
    404,
    'NOT_FOUND',
    expect.stringContaining('nothing'),
  ]);
  expect(await refused('POST', '/v1/tasks', { ...REQUEST, context: 7 })).toEqual([
    400,
    'BAD_REQUEST',
    expect.stringContaining('context'),
  ]);
  expect(await refused('POST', '/v1/tasks', '{"name":')).toEqual([400, 'JSON_ERROR', expect.stringContaining('JSON')]);
  expect(await refused('GET', '/v1/tasks/7')).toEqual([400, 'INVALID_UUID', expect.any(String)]);
  expect(await refused('GET', '/v1/tasks/019b0000-0000-7000-8000-000000000000')).toEqual([
    404,
    'NOT_FOUND',
    expect.any(String),
  ]);
  expect(await refused('GET', '/v1/tasks?per_page=101')).toEqual([
    400,
    'BAD_REQUEST',
    expect.stringContaining('per_page'),
  ]);
  expect(await refused('GET', '/v1/nothing')).toEqual([404, 'NOT_FOUND', expect.any(String)]);
  expect((await ask('POST', '/v1/tasks', REQUEST)).status).toBe(201);
  expect(await refused('POST', '/v1/tasks', REQUEST)).toEqual([409, 'CONFLICT', expect.any(String)]);
  expect((await ask('POST', '/v1/tasks', { ...REQUEST, context: { big: 'x'.repeat(5_000_000) } })).status).toBe(413);
});

it('the same idempotency key in the body or the header identifies the same task', async () => {
  const { ask } = await served({ worker: false });
  const key = { 'idempotency-key': 'k 1' };
  expect((await ask('POST', '/v1/tasks', { ...REQUEST, context: { n: 1 } }, key)).status).toBe(201);
  expect((await ask('POST', '/v1/tasks', { ...REQUEST, context: { n: 2 } }, key)).status).toBe(409);
  expect((await ask('POST', '/v1/tasks', { ...REQUEST, context: { n: 3 }, idempotency_key: 'k 1' })).status).toBe(409);
});

it('requests from foreign web pages and to foreign host names are rejected', async () => {
  const { app } = await served({ worker: false });
  const status = async (url: string, headers = {}) => (await app.request(url, { headers })).status;
  expect(await status('http://127.0.0.1/v1/tasks')).toBe(200);
  expect(await status('http://evil.example/v1/tasks')).toBe(403);
  expect(await status('http://localhost/v1/tasks', { origin: 'https://evil.example' })).toBe(403);
  expect(await status('http://localhost/v1/tasks', { origin: 'http://localhost:5173' })).toBe(200);
});

it('tasks are listed in pages, and filtered by every condition', async () => {
  const { ask, create, tasker } = await served({ worker: false });
  const all: string[] = [];
  for (let n = 0; n < 7; n++) all.unshift(await create({ context: { n }, initiator: n === 3 ? 'someone' : 'tests' }));
  await tasker.cancelTask(all[0]!);
  await tasker.engine.search.flush();
  type Page = { tasks: (Json & { task_uuid: string })[]; pagination: Json };
  const list = async (query: string) => (await ask<Page>('GET', `/v1/tasks?${query}`)).body;
  const third = await list('page=3&per_page=3');
  expect(third.tasks.map(({ task_uuid }) => task_uuid)).toEqual(all.slice(6));
  expect(third.tasks[0]!.steps).toEqual([]);
  expect(third.pagination).toMatchObject({
    page: 3,
    per_page: 3,
    total_count: 7,
    total_pages: 3,
    has_next: false,
    has_previous: true,
  });
  const second = await list('page=1&per_page=3').then(({ pagination }) =>
    list(`per_page=3&cursor=${pagination.next_cursor}`),
  );
  expect(second.tasks.map(({ task_uuid }) => task_uuid)).toEqual(all.slice(3, 6));
  expect((await list('page=4&per_page=3')).tasks).toEqual([]);
  expect((await list('initiator=someone')).pagination).toMatchObject({ total_count: 1 });
  expect((await list('state=cancelled')).tasks.map(({ task_uuid }) => task_uuid)).toEqual([all[0]]);
  expect((await list('status=pending')).pagination).toMatchObject({ total_count: 6 });
  expect((await list('status=completed')).pagination).toMatchObject({ total_count: 0 });
  expect((await list('namespace=elsewhere')).tasks).toEqual([]);
});

itOnce('a list that is longer than the count leads a client to its end, page by page', async () => {
  const { app, ask, tasker } = await served({ worker: false });
  const contexts = Array.from({ length: 10_111 }, (_, n) => ({ n }));
  const requests = contexts.map((context) => ({ name: 'demo', namespace: 'test', context }));
  for (let at = 0; at < requests.length; at += 500) await tasker.createTasks(requests.slice(at, at + 500));
  await tasker.engine.search.flush();
  const list = async (query: string) =>
    (await ask<{ tasks: Json[]; pagination: Json }>('GET', `/v1/tasks?${query}`)).body;
  const pagination = async (query: string) => {
    const { tasks, pagination: found } = await list(query);
    return [tasks.length, found.total_count, found.total_pages, found.has_next, found.total_is_exact];
  };
  expect(await pagination('')).toEqual([25, 10_000, 400, true, false]);
  expect(await pagination('page=400')).toEqual([25, 10_001, 401, true, false]);
  expect(await pagination('page=401')).toEqual([25, 10_026, 402, true, false]);
  expect(await pagination('page=101&per_page=100')).toEqual([100, 10_101, 102, true, false]);
  expect((await ask('GET', '/v1/tasks?page=402')).status).toBe(400);
  let seen = 0;
  let cursor = '';
  for (let more = true; more; ) {
    // Without `ask`, which checks each task against the documented schema and takes a millisecond for it.
    const answer = await app.request(`http://127.0.0.1/v1/tasks?limit=1000${cursor}`);
    const { tasks, pagination: found } = (await answer.json()) as { tasks: Json[]; pagination: Json };
    seen += tasks.length;
    more = found.has_next === true;
    expect(Number(found.total_pages)).toBeGreaterThan(more ? 1 : 0);
    cursor = `&cursor=${found.next_cursor}`;
  }
  expect(seen).toBe(10_111);
});

it('a task is cancelled once, and a second request is rejected', async () => {
  const { ask, create } = await served({ worker: false });
  const uuid = await create();
  expect(await ask('DELETE', `/v1/tasks/${uuid}`)).toMatchObject({ status: 200, body: { status: 'cancelled' } });
  expect(await ask('DELETE', `/v1/tasks/${uuid}`)).toMatchObject({
    status: 400,
    body: { error: { code: 'BAD_REQUEST', message: expect.stringContaining('Cannot cancel a completed task') } },
  });
});

it('a failed step is read, reset, completed by hand and audited', async () => {
  const { ask, create, tasker } = await served();
  const uuid = await create({ context: {} });
  await tasker.waitForTask(uuid);
  expect((await ask('GET', `/v1/tasks/${uuid}`)).body).toMatchObject({
    status: 'blocked_by_failures',
    execution_status: 'blocked_by_failures',
    recommended_action: 'handle_failures',
    health_status: 'blocked',
  });
  const { body: steps } = await ask<(Json & { step_uuid: string })[]>('GET', `/v1/tasks/${uuid}/workflow_steps`);
  const failed = steps.find(({ name }) => name === 'second')!;
  expect(failed).toMatchObject({
    current_state: 'error',
    results: { success: false, error: { message: 'no luck today' } },
    dependencies_satisfied: true,
  });
  const place = `/v1/tasks/${uuid}/workflow_steps/${failed.step_uuid}`;
  expect((await ask('GET', place)).body).toEqual(failed);
  const reset = { action_type: 'reset_for_retry', reason: 'again', reset_by: 'ana' };
  expect((await ask('PATCH', place, reset)).status).toBe(200);
  await tasker.waitForTask(uuid);
  const complete = {
    action_type: 'complete_manually',
    reason: 'done elsewhere',
    completed_by: 'ana',
    completion_data: { result: { made: 9 }, metadata: { ticket: 'T-7' } },
  };
  const custom = {
    ticket: 'T-7',
    manually_completed: true,
    completed_by: 'ana',
    completion_reason: 'done elsewhere',
  };
  const completed = await ask('PATCH', place, complete);
  expect(completed).toMatchObject({
    status: 200,
    body: { current_state: 'complete', results: { success: true, result: { made: 9 }, metadata: { custom } } },
  });
  expect((await ask('GET', place)).body).toEqual(completed.body);
  const { body: after } = await ask<Json[]>('GET', `/v1/tasks/${uuid}/workflow_steps`);
  expect(after.find(({ name }) => name === 'second')).toEqual(completed.body);
  expect((after.find(({ name }) => name === 'first')!.results as Json).metadata).toMatchObject({ custom: {} });
  expect(await ask('PATCH', place, reset)).toMatchObject({
    status: 400,
    body: { error: { message: expect.stringContaining('Cannot manually resolve step') } },
  });
  const { body: audit } = await ask<Json[]>('GET', `${place}/audit`);
  expect(audit.map(({ to_state, success }) => [to_state, success])).toEqual([
    ['complete', true],
    ['error', false],
    ['enqueued', false],
    ['error', false],
  ]);
  expect(new Set(audit.map(({ audit_uuid }) => audit_uuid)).size).toBe(4);
  const other = await create({ context: { other: true } });
  expect((await ask('GET', `/v1/tasks/${other}/workflow_steps/${failed.step_uuid}`)).status).toBe(404);
  expect((await ask('GET', `/v1/tasks/${uuid}/workflow_steps/nothing`)).status).toBe(400);
});

it('an operator can correct the result of a completed step, and is recorded in the metadata of the result', async () => {
  const { ask, create, tasker } = await served();
  const uuid = await create();
  await tasker.waitForTask(uuid);
  const [step] = await tasker.getSteps(uuid);
  const place = `/v1/tasks/${uuid}/workflow_steps/${step!.stepUuid}`;
  const act = { action_type: 'complete_manually', reason: 'counted again', completed_by: 'bea' };
  for (const metadata of [undefined, null, {}, { 'é "\\': [1, { deep: null }], manually_completed: false }]) {
    const { status, body } = await ask<{ results: Json & { metadata: Json } }>('PATCH', place, {
      ...act,
      completion_data: { result: 7, ...(metadata !== undefined && { metadata }) },
    });
    expect([status, body.results.result]).toEqual([200, 7]);
    const by = { manually_completed: true, completed_by: 'bea', completion_reason: 'counted again' };
    expect(body.results.metadata.custom).toEqual({ ...metadata, ...by });
  }
  const unstorable = { result: 7, metadata: { text: 'a\u0000' } };
  expect((await ask('PATCH', place, { ...act, completion_data: unstorable })).status).toBe(400);
  const { entries } = await tasker.audit({ action: 'complete' }, { limit: 1 });
  expect(entries[0]).toMatchObject({ actor: 'bea', details: { metadata: { 'é "\\': [1, { deep: null }] } } });
});

it('the summary has the template, the steps and the dead letter, without contents', async () => {
  const { ask, create, tasker } = await served();
  const uuid = await create({ context: {} });
  await tasker.waitForTask(uuid);
  await tasker.deadLetters.add(uuid, { reason: 'look' });
  const { body } = await ask('GET', `/v1/tasks/${uuid}/summary`);
  expect(body).toMatchObject({
    task: { task_uuid: uuid, status: 'blocked_by_failures', failed_steps: 1 },
    template: {
      steps: [
        { name: 'first', step_type: 'standard', handler: 'first', dependencies: [], retryable: true, max_attempts: 3 },
        { name: 'second', dependencies: ['first'] },
      ],
    },
    steps: [
      { name: 'first', error: null },
      { name: 'second', error: { error_type: 'permanent_error', retryable: false, status_code: null } },
    ],
    dlq: { in_dlq: true, dlq_reason: 'manual_dlq', resolution_status: 'pending' },
    links: { task: `/v1/tasks/${uuid}`, steps: `/v1/tasks/${uuid}/workflow_steps`, dlq: '/v1/dlq' },
  });
  expect(JSON.stringify(body)).not.toContain('no luck');
});

it('dead letters are listed, counted and closed, with names in PascalCase or snake_case', async () => {
  const { ask, create, tasker } = await served({ worker: false });
  const uuid = await create();
  const { dlqEntryUuid } = await tasker.deadLetters.add(uuid, { reason: 'look' });
  for (const status of ['Pending', 'pending']) {
    const { body } = await ask<Json[]>('GET', `/v1/dlq?resolution_status=${status}`);
    expect(body).toMatchObject([
      {
        dlq_entry_uuid: dlqEntryUuid,
        dlq_reason: 'ManualDlq',
        resolution_status: 'Pending',
        task_snapshot: { task_uuid: uuid },
      },
    ]);
  }
  for (const odd of [
    await ask('GET', '/v1/dlq?resolution_status=Odd'),
    await ask('PATCH', `/v1/dlq/entry/${dlqEntryUuid}`, { resolution_status: 'Odd' }),
  ]) {
    expect(odd).toMatchObject({
      status: 400,
      body: {
        error: {
          message: 'resolution_status: must be one of pending, manually_resolved, permanently_failed, cancelled',
        },
      },
    });
  }
  expect((await ask<Json[]>('GET', '/v1/dlq/investigation-queue')).body).toMatchObject([
    { dlq_entry_uuid: dlqEntryUuid, namespace_name: 'test', task_name: 'demo' },
  ]);
  const change = { resolution_status: 'ManuallyResolved', resolution_notes: 'refunded', resolved_by: 'ana' };
  expect((await ask('PATCH', `/v1/dlq/entry/${dlqEntryUuid}`, change)).body).toEqual({
    success: true,
    message: 'Investigation status updated successfully',
    dlq_entry_uuid: dlqEntryUuid,
  });
  expect((await ask('GET', `/v1/dlq/task/${uuid}`)).body).toMatchObject({
    resolution_status: 'ManuallyResolved',
    resolution_notes: 'refunded',
    resolved_by: 'ana',
  });
  expect((await ask<Json[]>('GET', '/v1/dlq/stats')).body).toMatchObject([
    { dlq_reason: 'ManualDlq', total_entries: 1, pending: 0, manually_resolved: 1 },
  ]);
  expect((await ask('GET', '/v1/dlq/staleness')).body).toEqual([]);
  expect((await ask('GET', `/v1/dlq/task/${await create({ context: { n: 1 } })}`)).status).toBe(404);
});

it('notes on an open dead letter are its resolution notes, and those on a closed one are a remark', async () => {
  const { ask, create, tasker } = await served({ worker: false });
  const uuid = await create();
  const { dlqEntryUuid: id } = await tasker.deadLetters.add(uuid, { reason: 'look' });
  const patch = async (body: object) => (await ask('PATCH', `/v1/dlq/entry/${id}`, body)).status;
  const seen = async () => (await ask('GET', `/v1/dlq/task/${uuid}`)).body;
  expect(await patch({ resolution_notes: 'asked the shop' })).toBe(200);
  expect(await seen()).toMatchObject({ resolution_status: 'Pending', resolution_notes: 'asked the shop' });
  const kept = { resolution_status: 'Pending', resolution_notes: 'asked again', metadata: { ticket: 7 } };
  expect(await patch(kept)).toBe(200);
  expect(await seen()).toMatchObject(kept);
  expect(await patch({ resolution_status: 'ManuallyResolved' })).toBe(200);
  expect(await patch({ resolution_notes: 'too late' })).toBe(200);
  expect(await seen()).toMatchObject({ resolution_status: 'ManuallyResolved', resolution_notes: 'asked again' });
  expect((await tasker.deadLetters.get(id)).notes.map(({ note }) => note)).toContain('too late');
  expect(await patch({})).toBe(400);
});

it('templates are listed by namespace, and shown with their steps', async () => {
  const { ask } = await served({ worker: false });
  expect((await ask('GET', '/v1/templates?namespace=test')).body).toEqual({
    namespaces: [{ name: 'test', description: null, template_count: 1 }],
    templates: [
      {
        name: 'demo',
        namespace: 'test',
        version: '1.0.0',
        description: null,
        step_count: 2,
        active: true,
        pinned: false,
        digest: expect.any(String),
        registered_at: expect.any(String),
        paused: null,
      },
    ],
    total_count: 1,
  });
  expect((await ask('GET', '/v1/templates/test/demo/1.0.0')).body).toMatchObject({
    configuration: null,
    steps: [
      { name: 'first', default_retryable: true, default_max_attempts: 3, result_schema: null },
      { name: 'second' },
    ],
  });
  expect((await ask('GET', '/v1/templates/test/demo/9.9.9')).status).toBe(404);
});

it('statistics, health and metrics have the documented fields', async () => {
  const { ask, create, tasker, app } = await served();
  await tasker.waitForTask(await create());
  expect((await ask('GET', '/v1/analytics/performance?hours=1')).body).toMatchObject({
    total_tasks: expect.any(Number),
    completion_rate: expect.any(Number),
    system_health_score: expect.any(Number),
    analysis_period_start: expect.any(String),
  });
  const { body } = await ask<{ resource_utilization: { system_health: Json } }>('GET', '/v1/analytics/bottlenecks');
  expect(body).toMatchObject({ slow_steps: [], slow_tasks: [], recommendations: expect.any(Array) });
  expect(Object.keys(body.resource_utilization.system_health)).toHaveLength(29);
  expect((await ask('GET', '/health')).body).toMatchObject({ status: 'healthy' });
  expect((await ask('GET', '/health/ready')).body).toMatchObject({
    status: 'ready',
    checks: { web_database: { status: 'healthy' }, orchestration_system: { status: 'healthy' } },
    info: { version: '1.2.3', environment: 'test', circuit_breaker_state: 'closed' },
  });
  expect((await ask('GET', '/health/detailed')).body).toMatchObject({ status: 'healthy' });
  expect(await (await app.request('http://localhost/metrics')).text()).toContain('tasker_');
  const document = (await ask<{ openapi: string; paths: Json }>('GET', '/api-docs/openapi.json')).body;
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.paths)).toContain('/v1/tasks/{uuid}/workflow_steps/{step_uuid}/audit');
});
