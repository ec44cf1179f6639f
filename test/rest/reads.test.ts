import { OpenAPIHono } from '@hono/zod-openapi';
import { describe, expect, it } from 'vitest';
import { SharedCreations } from '../../src/app/server/shared-creations.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { taskGraphRoutes } from '../../src/rest/by-hand/task-graph-routes.ts';
import { taskRoutes } from '../../src/rest/by-hand/task-routes.ts';
import { templateContentRoutes } from '../../src/rest/by-hand/template-content-routes.ts';
import { ANYONE, type Caller } from '../../src/rest/caller.ts';
import { allVerbRoutes } from '../../src/rest/verbs/all-verbs.ts';
import { restWorld } from '../support/rest/world.ts';

const world = restWorld();
const get = async <Body = Record<string, unknown>>(path: string, headers: Record<string, string> = {}) => {
  const { status, body, headers: sent } = await world.ask<Body>('GET', path, undefined, headers);
  return { status, body, headers: sent };
};

describe('finding tasks and steps', () => {
  const found = async (query: string) => {
    const { body } = await get<{ tasks: { task_uuid: string }[] }>(`/v1/tasks?${query}`);
    return body.tasks.map(({ task_uuid }) => Object.entries(world.tasks).find(([, uuid]) => uuid === task_uuid)?.[0]);
  };

  it('tasks are found by each condition of the command line', async () => {
    expect(await found('state=blocked_by_failures')).toEqual(['failed']);
    expect(await found('state=complete,waiting&order=asc')).toEqual(['complete', 'retried', 'waiting']);
    expect(await found('tag=urgent&tag=eu')).toEqual(['failed']);
    expect(await found('tag=urgent&tag=us')).toEqual([]);
    expect(await found('error_type=permanent_error&error=LUCK')).toEqual(['failed']);
    expect(await found('namespace=elsewhere&open')).toEqual(['elsewhere']);
    expect(await found('context={"lucky":"later"}')).toEqual(['retried']);
    expect(await found('name=slow&template_version=1.x&step=pause&step_state=waiting')).toEqual(['waiting']);
    expect(await found('ended&sort=ended&ended_after=1h&order=asc&source=suite')).toEqual(['complete', 'retried']);
    expect(await found('created_before=1h')).toEqual([]);
    expect(await found('open=false&status=completed&order=asc')).toEqual(['complete', 'retried']);
  });

  it('a page of tasks has the first error of each task, and cursors in both directions', async () => {
    type Page = {
      tasks: { task_uuid: string; first_error: object | null }[];
      pagination: Record<string, string | null>;
    };
    const { body: first } = await get<Page>('/v1/tasks?limit=2');
    const { body: second } = await get<Page>(`/v1/tasks?limit=2&cursor=${first.pagination['next_cursor']}`);
    expect(second.tasks[0]!.first_error).toEqual({
      step: 'second',
      error_type: 'permanent_error',
      message: 'no luck today',
    });
    const { body: back } = await get<Page>(`/v1/tasks?limit=2&cursor=${second.pagination['previous_cursor']}`);
    expect(back.tasks).toEqual(first.tasks);
    expect(first.pagination['previous_cursor']).toBeNull();
  });

  it('steps are found in all tasks, and the summary groups failures', async () => {
    const { body } = await get<{ steps: object[] }>('/v1/steps?step_state=error');
    expect(body.steps).toMatchObject([{ task_uuid: world.tasks.failed, name: 'second', error: 'no luck today' }]);
    const { body: summary } = await get<{ failed: { groups: { filter: Record<string, string> }[] } }>('/v1/summary');
    expect(summary.failed.groups).toMatchObject([{ count: 1, step: 'second', task_uuid: world.tasks.failed }]);
    const query = new URLSearchParams(summary.failed.groups[0]!.filter);
    expect(await found(query.toString())).toEqual(['failed']);
  });

  it('tasks and failures are counted by time, in the requested buckets', async () => {
    type Histogram = {
      from: string;
      to: string;
      bucket_ms: number;
      complete: boolean;
      total: number;
      buckets: Bucket[];
    };
    type Bucket = { at: string; total: number; failed: number; open: number };
    const count = async (query: string) => (await get<Histogram>(`/v1/task-histogram?${query}`)).body;
    const sums = ({ buckets }: Histogram) =>
      buckets.reduce((sum, { total, failed, open }) => [sum[0]! + total, sum[1]! + failed, sum[2]! + open], [0, 0, 0]);
    expect(sums(await count('buckets=20'))).toEqual([5, 1, 2]);
    expect(sums(await count('namespace=elsewhere'))).toEqual([1, 0, 1]);
    expect(sums(await count('by=failed&since=1d&error_type=permanent_error'))).toEqual([1, 1, 0]);
    expect(await count('name=nothing')).toMatchObject({ total: 0, complete: true, buckets: [] });
    const day = await count('created_after=24h&buckets=30');
    expect(day).toMatchObject({ total: 5, complete: true });
    expect(day.bucket_ms * 30).toBeGreaterThan(86_400_000);
    for (const { at } of day.buckets) {
      expect((Date.parse(at) - Date.parse(day.from)) % day.bucket_ms).toBe(0);
      expect(Date.parse(at)).toBeLessThanOrEqual(Date.parse(day.to));
    }
    const past = await count('created_after=2020-01-01T00:00:00Z&created_before=2020-01-02T00:00:00Z');
    expect(past).toMatchObject({
      from: '2020-01-01T00:00:00.000000Z',
      to: '2020-01-02T00:00:00.000000Z',
      total: 0,
      complete: true,
      buckets: [],
    });
  });

  it('dead letters are listed and shown with their cause, assignee and notes', async () => {
    type Letters = { entries: { dlq_entry_uuid: string }[]; total: number };
    const { body } = await get<Letters>('/v1/dlq/entries?dlq_reason=manual_dlq&unassigned');
    const letter = { task_uuid: world.tasks.failed, cause: 'look', assignee: null, namespace_name: 'test' };
    expect(body).toMatchObject({ total: 1, entries: [letter] });
    const { body: shown } = await get(`/v1/dlq/entry/${body.entries[0]!.dlq_entry_uuid}`);
    expect(shown).toMatchObject({ ...letter, notes: [], task_snapshot: { task_name: 'demo' } });
    expect((await get<Letters>('/v1/dlq/entries?assignee=ana')).body).toMatchObject({ entries: [], total: 0 });
  });
});

describe('the details of a task', () => {
  type Timeline = { now: string; steps: { name: string; spans: Record<string, string | number | null>[] }[] };
  const spansOf = async (uuid: string) => {
    const { body } = await get<Timeline>(`/v1/tasks/${uuid}/timeline`);
    return Object.fromEntries(body.steps.map(({ name, spans }) => [name, spans]));
  };

  const inMs = (time: string | null | undefined) => Date.parse(String(time));
  const queuedSince = async (uuid: string, step: string) =>
    (await spansOf(uuid))[step]!.filter(({ kind }) => kind === 'queued').map(({ from }) => inMs(String(from)));

  it('a timeline has the queueing, the attempts and the retries of each step, without gaps', async () => {
    const { first, second } = await spansOf(world.tasks.retried);
    expect(first!.map(({ kind, attempt, outcome }) => [kind, attempt, outcome])).toEqual([
      ['queued', 1, null],
      ['running', 1, 'completed'],
    ]);
    const kinds = second!.map(({ kind, attempt, outcome }) => [kind, attempt, outcome]);
    expect(kinds.filter(([kind]) => kind !== 'retry_wait')).toEqual([
      ['queued', 1, null],
      ['running', 1, 'failed'],
      ['queued', 2, null],
      ['running', 2, 'completed'],
    ]);
    expect(second!.find(({ outcome }) => outcome === 'failed')).toMatchObject({ error: 'not yet' });
    for (const span of [...first!, ...second!]) {
      const length = inMs(String(span['to'])) - inMs(String(span['from']));
      if (span.kind !== 'running') expect(span['ran_ms']).toBeNull();
      // The times are rounded to milliseconds.
      else expect(span['ran_ms']).toBeLessThanOrEqual(length + 1);
    }
    for (const [at, span] of second!.slice(1).entries()) expect(span['from']).toBe(second![at]!['to']);
    expect(second![0]!['from']).toBe(first!.at(-1)!['to']);
  });

  it('a timeline shows open waits and failures that block a step', async () => {
    const { pause } = await spansOf(world.tasks.waiting);
    expect(pause!.at(-1)).toMatchObject({ kind: 'waiting', to: null, until: expect.stringMatching(/Z$/) });
    const { second } = await spansOf(world.tasks.failed);
    expect(second!.at(-1)).toMatchObject({ kind: 'blocked', to: null });
    const { lone } = await spansOf(world.tasks.elsewhere);
    expect(lone).toMatchObject([{ kind: 'queued', to: null, attempt: 1 }]);
  });

  it('a rerun does not turn the time between two runs into a retry', async () => {
    const uuid = await world.create({ context: { lucky: 'rerun' } });
    await world.tasker.waitForTask(uuid);
    await world.tasker.rerunTask(uuid, { from: 'second', actor: 'ana', reason: 'again' });
    await world.tasker.waitForTask(uuid);
    const { second } = await spansOf(uuid);
    expect(second!.map(({ kind, outcome }) => [kind, outcome])).toEqual([
      ['queued', null],
      ['running', 'completed'],
      ['queued', null],
      ['running', 'completed'],
    ]);
    expect(Date.parse(String(second![2]!['from']))).toBeGreaterThanOrEqual(Date.parse(String(second![1]!['to'])));
  });

  it('a step is queued from the start of its task, and from a rerun', async () => {
    const { taskUuid } = await world.tasker.createTask({
      namespace: 'test',
      name: 'demo',
      version: '1.0.0',
      context: { lucky: 1 },
      delayMs: 300,
    });
    await world.tasker.waitForTask(taskUuid);
    await world.tasker.rerunTask(taskUuid, { from: 'first' });
    await world.tasker.waitForTask(taskUuid);
    const [start] = await world.tasker.getWaits(taskUuid);
    const { rerunAt } = await world.tasker.getTask(taskUuid);
    const [begun, again] = await queuedSince(taskUuid, 'first');
    expect(begun).toBe(inMs(start!.endedAt));
    // The action is noted by a later statement of the same transaction.
    expect(again).toBeGreaterThanOrEqual(inMs(rerunAt!));
    expect(again).toBeLessThan(inMs(rerunAt!) + 5_000);
  });

  it('a step of a task that was cancelled is queued from the redrive, and did not wait for a retry before it', async () => {
    const uuid = await world.create({ name: 'slow' });
    const waiting = async () => {
      for await (const { task } of world.tasker.watchTask(uuid)) if (task.status === 'waiting') break;
    };
    await waiting();
    await world.tasker.cancelTask(uuid);
    await world.tasker.deadLetters.add(uuid, { reason: 'was that right?' });
    await world.tasker.deadLetters.redrive(uuid);
    await waiting();
    await world.tasker.fireTimer(uuid, 'pause');
    const { rerunAt } = await world.tasker.waitForTask(uuid);
    // The redrive is noted by a later statement of the same transaction.
    const since = (await queuedSince(uuid, 'pause')).at(-1)!;
    expect(since).toBeGreaterThanOrEqual(inMs(rerunAt!));
    expect(since).toBeLessThan(inMs(rerunAt!) + 5_000);
    expect((await spansOf(uuid))['pause']!.map(({ kind }) => kind)).not.toContain('retry_wait');
  });

  it('a graph has the states of the steps, and is a flowchart on request', async () => {
    const path = `/v1/tasks/${world.tasks.failed}/graph`;
    const { body } = await get<{ nodes: object[]; edges: object[] }>(path);
    expect(body.nodes).toMatchObject([
      { name: 'first', state: 'complete', run_if: null, when: null, error: null },
      { name: 'second', state: 'error', error: { error_type: 'permanent_error', message: 'no luck today' } },
    ]);
    expect(body.edges).toEqual([{ from: 'first', to: 'second' }]);
    for (const answer of [
      await get<string>(`${path}?format=mermaid`),
      await get<string>(path, { accept: 'text/plain' }),
    ]) {
      expect(answer.headers.get('content-type')).toBe('text/vnd.mermaid; charset=utf-8');
      expect(answer.body).toMatch(/^flowchart TD\n {2}s0\["first<br\/>complete"\]:::complete/);
    }
  });

  it('a graph has each worker of a batch, and its flowchart has the batch as one node', async () => {
    const uuid = await world.create({ name: 'rows' });
    await world.tasker.waitForTask(uuid);
    type Graph = { nodes: { name: string; template_step_name: string }[]; edges: { from: string; to: string }[] };
    const { nodes, edges } = (await get<Graph>(`/v1/tasks/${uuid}/graph`)).body;
    const parts = nodes.filter(({ template_step_name }) => template_step_name === 'work').map(({ name }) => name);
    expect(parts).toHaveLength(2);
    expect(edges).toEqual([
      ...parts.map((to) => ({ from: 'analyze', to })),
      ...parts.map((from) => ({ from, to: 'join' })),
    ]);
    const { body: text } = await get<string>(`/v1/tasks/${uuid}/graph?format=mermaid`);
    expect(text.match(/work<br\/>complete/g)).toHaveLength(1);
    const spans = await spansOf(uuid);
    for (const name of parts) expect(spans[name]!.map(({ kind }) => kind)).toEqual(['queued', 'running']);
    expect(Date.parse(String(spans['join']![0]!['from']))).toBe(
      Math.max(...parts.map((name) => Date.parse(String(spans[name]!.at(-1)!['to'])))),
    );
  });

  it('the routes of a task return its context, waits, logs, events and history', async () => {
    const { failed, waiting, complete } = world.tasks;
    expect((await get(`/v1/tasks/${failed.toUpperCase()}/context`)).body).toEqual({ task_uuid: failed, context: {} });
    expect((await get(`/v1/tasks/${waiting}/waits`)).body).toMatchObject({
      waits: [{ step: 'pause', kind: 'timer', ended_at: null }],
    });
    expect((await get(`/v1/tasks/${failed}/workflow_steps/second/logs?attempt=2`)).body).toEqual({ logs: [] });
    expect((await get(`/v1/tasks/${complete}/events`)).body).toMatchObject({ events: [{ name: 'first.made' }] });
    type Page = { entries: { step: string }[]; next_cursor: string | null };
    const { body: page } = await get<Page>(`/v1/tasks/${complete}/history?limit=1`);
    const { body: next } = await get<Page>(`/v1/tasks/${complete}/history?limit=1&cursor=${page.next_cursor}`);
    expect([page, next].flatMap(({ entries }) => entries.map(({ step }) => step))).toEqual(['first', 'second']);
    expect(next.next_cursor).toBeNull();
  });

  it('why returns the same explanation as the library', async () => {
    const { summary, steps } = await world.tasker.why(world.tasks.failed);
    const { body } = await get(`/v1/tasks/${world.tasks.failed}/why`);
    expect(body).toMatchObject({ summary, steps: steps.map(({ step, why }) => ({ step, why })) });
  });
});

describe('requests', () => {
  it('a request for an unchanged task gets 304, and a request for a changed task gets the full task', async () => {
    const uuid = await world.create({ name: 'slow', reason: 'to change' });
    await world.tasker.engine.search.flush();
    for await (const { task } of world.tasker.watchTask(uuid)) if (task.status === 'waiting') break;
    const etag = (await get(`/v1/tasks/${uuid}`)).headers.get('etag')!;
    expect((await get(`/v1/tasks/${uuid}`, { 'if-none-match': `"other", W/${etag}` })).status).toBe(304);
    await world.tasker.cancelTask(uuid);
    expect((await get(`/v1/tasks/${uuid}`, { 'if-none-match': etag })).status).toBe(200);
  });

  it('a valid request id of the caller is returned, and an invalid id is replaced', async () => {
    const idOf = async (given: string) =>
      (await get('/v1/queues', { 'x-request-id': given })).headers.get('x-request-id');
    expect(await idOf('order-7_a=')).toBe('order-7_a=');
    for (const given of ['a b', 'x'.repeat(256), '<script>', 'a;b'])
      expect(await idOf(given)).toMatch(/^[0-9a-f-]{36}$/);
    const unknown = await get('/v1/nothing', { 'x-request-id': 'mine' });
    expect([unknown.status, unknown.headers.get('x-request-id')]).toEqual([404, 'mine']);
  });

  it('malformed JSON and other content types have specific errors, with the paths of mistakes', async () => {
    const send = async (body: string, type?: string) => {
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
      const answer = await world.ask<{ error: { code: string; details?: object } }>('POST', '/v1/tasks', body, headers);
      return [answer.status, answer.body.error.code, answer.body.error.details];
    };
    expect(await send('{"a":')).toEqual([400, 'JSON_ERROR', undefined]);
    expect(await send('{}', 'application/x-www-form-urlencoded')).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE', undefined]);
    expect(await send('{"name":7}', 'application/vnd.api+json; charset=utf-8')).toEqual([
      400,
      'BAD_REQUEST',
      { problems: expect.arrayContaining([{ path: 'name', message: expect.any(String) }]) },
    ]);
  });

  it('no unusual address gets 5xx', async () => {
    const forged = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString('base64url');
    const uuid = world.tasks.complete;
    const odd = [
      ...[
        'stats?namespace=%00',
        'events/dead?group=%00',
        'workers/%00',
        `tasks/${uuid}/history?step=%00`,
        'tasks/%E0%A4%A/why',
      ],
      ...[
        'tasks?created_after=0000-01-01T00:00:00Z',
        'audit?after=0000-01-01',
        'events?after=0000-01-01',
        'tasks?created_after=1',
      ],
      ...[String.raw`tasks?context={"a":"\u0000"}`, String.raw`tasks?context={"a":"\ud800"}`, 'tasks?context=7'],
      `tasks?cursor=${forged('created', 'desc', 0, '1', uuid)}`,
      `tasks?cursor=${forged('created', 'desc', 0, '0000-01-01T00:00:00Z', uuid)}`,
      `steps?cursor=${forged('since', 'desc', 0, '2026-01-01T00:00:00Z', uuid, 1e12)}`,
      `audit?cursor=${forged('2026-01-01T00:00:00Z\0', 1)}`,
      `audit?cursor=${forged('1', 1)}`,
      ...['bulk-acts/9007199254740993', 'bulk-acts/1e300', 'workers/99999999999999999999', 'audit?bulk=1e300'],
      ...[
        'events?name=(.*)*x',
        'events?name=[',
        "tasks?worker=' or 1=1 --",
        'tasks?error=%25_%5C',
        'tasks?template_version=%25',
      ],
      ...[
        'tasks?created_after=99999999999999d',
        'task-histogram?created_after=0001-01-01&created_before=9999-12-31&buckets=2',
        'task-histogram?created_after=2h&created_before=3h',
        'summary?ended_since=99999999999d',
        'stats?since=9000-01-01',
        'queues?namespace=',
      ],
    ];
    for (const path of odd) {
      const { status } = await get(`/v1/${path.replaceAll('{', '%7B').replaceAll('"', '%22').replaceAll('\\', '%5C')}`);
      expect([path, status < 500 ? 'known' : status]).toEqual([path, 'known']);
    }
  });
});

describe('a caller limited to namespaces', () => {
  const limited = (...namespaces: string[]) => {
    const caller: Caller = { ...ANYONE, namespaces };
    const app = new OpenAPIHono();
    app.use(async (c, next) => {
      c.set('caller' as never, caller as never);
      await next();
    });
    app.onError((error, c) => c.json({ code: (error as { code?: string }).code ?? String(error) }, 418 as never));
    const creations = new SharedCreations(world.tasker);
    const create: SharedCreations['create'] = (...given) => creations.create(...given);
    const byHand = [
      taskGraphRoutes(world.tasker),
      templateContentRoutes(world.tasker),
      taskRoutes(world.tasker, { legacyStatus: false, create }),
    ];
    for (const routes of [...byHand, ...allVerbRoutes(world.tasker, silentLogger, byHand)]) app.route('/', routes);
    return async (path: string) =>
      (await app.request(`http://localhost/v1/${path}`)).json() as Promise<Record<string, unknown>>;
  };

  it('sees only the data of its namespace', async () => {
    const read = limited('elsewhere');
    const { complete, elsewhere } = world.tasks;
    const texts = await Promise.all(
      [
        'tasks',
        'steps',
        'summary',
        'queues',
        'handlers',
        'namespaces',
        'events',
        'events/dead',
        'workers',
        'audit',
        'bulk-acts',
        'stats',
      ].map(async (path) => [path, JSON.stringify(await read(path))] as const),
    );
    for (const [path, text] of texts) {
      expect([path, text.includes('"test"') || text.includes('test/demo') || text.includes(complete)]).toEqual([
        path,
        false,
      ]);
    }
    expect(texts.find(([path]) => path === 'tasks')![1]).toContain(elsewhere);
    for (const part of [
      'context',
      'why',
      'graph',
      'timeline',
      'history',
      'events',
      'waits',
      'workflow_steps/first/logs',
    ]) {
      expect([part, await read(`tasks/${complete}/${part}`)]).toEqual([part, { code: 'task_not_found' }]);
    }
    expect(await read('templates/test/demo/1.0.0/source')).toEqual({ code: 'template_not_found' });
    expect(await read('status')).toEqual({ code: 'forbidden' });
    expect(await read('stats?namespace=test')).toEqual({ code: 'forbidden' });
    expect((await read('tasks?namespace=test'))['tasks']).toEqual([]);
    expect(await read('task-histogram')).toMatchObject({ total: 1 });
    expect(await read('task-histogram?namespace=test')).toMatchObject({ total: 0 });
    expect(await read('task-histogram?by=failed')).toMatchObject({ total: 0 });
    expect(await read('dlq/entries')).toMatchObject({ entries: [], total: 0 });
    const [event] = await world.tasker.events.list({ limit: 1 });
    expect(await read(`events/${event!.eventId}`)).toEqual({ code: 'event_not_found' });
    const [bulk] = await world.tasker.bulk.list();
    expect(await read(`bulk-acts/${bulk!.id}`)).toEqual({ code: 'bulk_not_found' });
  });

  it('sees the tasks of all its namespaces, and no task if it has no namespace', async () => {
    const all = (await limited('test', 'elsewhere')('tasks?limit=1000'))['tasks'] as { namespace: string }[];
    expect(new Set(all.map(({ namespace }) => namespace))).toEqual(new Set(['test', 'elsewhere']));
    expect((await limited()('tasks'))['tasks']).toEqual([]);
    expect(await limited('test', 'elsewhere')('stats')).toEqual({ code: 'bad_request' });
  });
});
