import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { createTasks } from '../../src/engine/create-task.ts';
import { streamRoutes } from '../../src/rest/by-hand/stream-routes.ts';
import { listen } from '../../src/server/listen.ts';
import { pruneChanges } from '../../src/store/streams/task-changes.ts';
import { TestEventSource } from '../support/rest/event-source.ts';
import { caughtUp, listening, OTHER, sees, served, TWO_STEPS } from '../support/rest/streams.ts';
import { DEMO, endStates, setup, until } from '../support/setup.ts';
import { leastOf } from '../support/suite/measure.ts';

it('a stream of all tasks sends the newest state of each changed task, without its context', async () => {
  const { tasker, stream, ask } = await served();
  expect((await ask('GET', '/v1/stream')).status).toBe(200);
  const all = await stream('/v1/stream');
  expect(all.events[0]).toMatchObject({
    event: 'open',
    id: expect.stringMatching(/^\d+-\w+$/),
    data: { resumed: false },
  });
  expect(all.retry).toBeGreaterThanOrEqual(500);
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { secret: 'x' } });
  await tasker.waitForTask(taskUuid);
  await sees(all, taskUuid, 'complete');
  expect(all.of('task').at(-1)).toMatchObject({
    task_uuid: taskUuid,
    name: 'demo',
    namespace: 'test',
    version: '1.0.0',
    completed_steps: 2,
    completion_percentage: 100,
    paused: false,
    revision: expect.any(Number),
  });
  expect(all.of('task').at(-1)).not.toHaveProperty('context');
  expect(all.of('step')).toEqual([]);
  expect(all.events.at(-1)!.id).toBeDefined();
});

it('a stream of one task sends the state of the task and its steps, then the changes, until it is deleted', async () => {
  const { tasker, stream } = await served({ worker: false });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.createTask(DEMO);
  const one = await stream(`/v1/tasks/${taskUuid}/stream`);
  await until(
    () => one.steps.size,
    (size) => size === 2,
  );
  expect([...one.tasks]).toEqual([[taskUuid, 'pending']]);
  expect([...one.steps.values()]).toEqual(['enqueued', 'pending']);
  await tasker.completeStep(taskUuid, 'first', { result: {}, reason: 'by hand' });
  await until(
    () => [...one.steps.values()],
    (states) => states[0] === 'resolved_manually' || states[0] === 'complete',
  );
  expect(one.of('step').at(-1)).toMatchObject({ task_name: 'demo', namespace: 'test', attempts: 0 });
  await tasker.cancelTask(taskUuid);
  await sees(one, taskUuid, 'cancelled');
  await tasker.deleteTask(taskUuid);
  await until(
    () => one.of('deleted')[0]?.task_uuids,
    (ids) => Array.isArray(ids) && ids[0] === taskUuid,
  );
  expect(one.tasks.size).toBe(1);
});

it('filters select by namespace, name, state, tag and kind', async () => {
  const made = await served();
  const { tasker, stream } = made;
  const paths = {
    other: '/v1/stream?namespace=other',
    both: '/v1/stream?namespace=other,test&name=thing,demo',
    tagged: '/v1/stream?tag=red,big',
    failed: '/v1/stream?state=cancelled',
    steps: '/v1/stream?kind=step&namespace=other',
    everything: '/v1/stream?kind=task,step',
  };
  const streams = Object.fromEntries(
    await Promise.all(Object.entries(paths).map(async ([name, path]) => [name, await stream(path)] as const)),
  ) as Record<keyof typeof paths, TestEventSource>;
  const demo = await tasker.createTask({ ...DEMO, tags: ['red', 'big', 'round'] });
  const thing = await tasker.createTask({ namespace: 'other', name: 'thing', version: '1.0.0', tags: ['red'] });
  expect(await endStates(tasker, [demo, thing])).toEqual(['complete']);
  const later = await tasker.createTask({ ...DEMO, delayMs: 3_600_000 });
  await tasker.cancelTask(later.taskUuid);
  await Promise.all([sees(streams.failed, later.taskUuid, 'cancelled'), sees(streams.both, demo.taskUuid, 'complete')]);
  await Promise.all([sees(streams.other, thing.taskUuid, 'complete'), sees(streams.tagged, demo.taskUuid, 'complete')]);
  await until(
    () => streams.steps.steps.get(`${thing.taskUuid}/first`),
    (state) => state === 'complete',
  );
  await until(
    () => streams.everything.steps.size,
    (size) => size === 5,
  );
  expect([...streams.other.tasks.keys()]).toEqual([thing.taskUuid]);
  expect([...streams.tagged.tasks.keys()]).toEqual([demo.taskUuid]);
  expect([...streams.failed.tasks.keys()]).toEqual([later.taskUuid]);
  expect(streams.steps.of('task')).toEqual([]);
  expect(streams.steps.steps.size).toBe(1);
});

it('an invalid request is rejected before the stream begins', async () => {
  const { stream } = await served({ worker: false });
  const refused = async (path: string) => {
    const { status, body } = await stream(path);
    return [status, (JSON.parse(body) as { error: { message: string } }).error.message];
  };
  expect(await refused('/v1/stream?state=compleet')).toEqual([400, expect.stringContaining('complete')]);
  expect(await refused('/v1/stream?kind=tasks')).toEqual([400, expect.stringContaining('kind')]);
  expect(await refused('/v1/stream?namespace=')).toEqual([400, expect.stringContaining('namespace')]);
  expect(await refused(`/v1/tasks/${randomUUID()}/stream`)).toEqual([404, expect.any(String)]);
  expect(await refused('/v1/tasks/7/stream')).toEqual([400, expect.any(String)]);
});

it('a stream that resumes on another server gets all later changes, including transactions that began before and committed after', async () => {
  const made = await served({ worker: false });
  const { tasker, stream, url, another } = made;
  const [a, b, c] = await tasker.createTasks([DEMO, DEMO, DEMO]);
  await tasker.engine.search.flush();
  const before = await stream('/v1/stream');
  await caughtUp(before, made);
  // A caller's transaction that began before the position, and is open while the first server dies.
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query('begin');
  const late = await tasker.createTask(DEMO, { client });
  await tasker.cancelTask(a!.taskUuid);
  await sees(before, a!.taskUuid, 'cancelled');
  await until(
    () => before.lastId,
    (id) => id !== before.events[0]!.id,
  );
  const position = before.lastId!;
  await before.close();
  await tasker.cancelTask(b!.taskUuid);
  await tasker.deleteTask(a!.taskUuid);
  const { stream: elsewhere } = await listening({ tasker: await another() });
  const after = await elsewhere('/v1/stream', position);
  expect(after.events[0]).toMatchObject({ event: 'open', data: { resumed: true } });
  await sees(after, b!.taskUuid, 'cancelled');
  await until(
    () => after.of('deleted').flatMap(({ task_uuids: ids }) => ids),
    (ids) => ids.includes(a!.taskUuid),
  );
  expect(after.tasks.has(late.taskUuid)).toBe(false);
  await client.query('commit');
  await sees(after, late.taskUuid, 'pending');
  expect(after.tasks.has(c!.taskUuid)).toBe(false);
  expect(after.of('reset')).toEqual([]);
  // A stream of one task that did not change is not sent again.
  const same = await elsewhere(`/v1/tasks/${c!.taskUuid}/stream`, position);
  expect(same.events[0]).toMatchObject({ event: 'open', id: expect.any(String), data: { resumed: true } });
});

it('for a position that the log does not have, a stream sends a reset and continues', async () => {
  const made = await served({ worker: false });
  const { tasker, sql, stream } = made;
  const open = await stream('/v1/stream');
  await caughtUp(open, made);
  const [seq, mark] = open.lastId!.split('-') as [string, string];
  const reasons = async (id: string) => {
    const source = await stream('/v1/stream', id);
    await until(
      () => source.of('reset').length,
      (count) => count > 0,
    );
    const [reset] = source.events.filter(({ event }) => event === 'reset');
    expect(reset!.id).toBeDefined();
    await caughtUp(source, made);
    return reset!.data.reason;
  };
  expect(await reasons('what')).toBe('unknown_id');
  expect(await reasons(`${seq}-${mark === 'aaa' ? 'bbb' : 'aaa'}`)).toBe('database_restored');
  expect(await reasons(`${Number(seq) + 1_000_000}-${mark}`)).toBe('database_restored');
  // Simulates a failover to a server without the last commits. Deletes all rows, because the newest row may not have
  // been read yet.
  await sql('update tasker.task_change set mark = (mark + 1) % 2147483647');
  const { taskUuid } = await tasker.createTask(DEMO);
  await until(
    () => open.of('reset').map(({ reason }) => reason),
    (all) => all.includes('database_restored'),
  );
  await caughtUp(open, made);
  expect(taskUuid).toBeDefined();
  await tasker.engine.search.log.write(tasker.engine.database, null);
  await until(
    () => open.of('reset').at(-1)!.reason,
    (reason) => reason === 'too_many',
  );
  await caughtUp(open, made);
  await pruneChanges(tasker.engine.database, 1);
  await open.close();
  const { stream: elsewhere } = await listening({ tasker: await made.another() });
  const old = await elsewhere('/v1/stream', open.events[0]!.id!);
  await until(
    () => old.of('reset')[0]?.reason,
    (reason) => reason === 'too_old',
  );
});

it('changes that a killed process did not announce are announced when the search tables are compared', async () => {
  const made = await served({ worker: false });
  const { tasker, stream } = made;
  const all = await stream('/v1/stream');
  const { database, templates } = tasker.engine;
  const [created] = await createTasks(database, templates, [DEMO]);
  await caughtUp(all, made);
  expect(all.tasks.has(created!.taskUuid)).toBe(false);
  await tasker.engine.search.keeper.compare(new Date(0), 0);
  await sees(all, created!.taskUuid, 'pending');
});

it('two hundred streams need one reader: at most one statement a second while idle, and none without a stream', async () => {
  const made = await setup({ templates: TWO_STEPS, worker: false, searchEnabled: false, analyticsEnabled: false });
  const { tasker } = made;
  const { stream } = await listening(made);
  const { taskUuid } = await tasker.createTask(DEMO);
  const streams = await Promise.all(
    Array.from({ length: 200 }, (_, i) => stream(i % 2 === 0 ? '/v1/stream' : `/v1/tasks/${taskUuid}/stream`)),
  );
  await caughtUp(streams[0]!, made);
  const quiet = async (ms: number) => {
    await tasker.engine.search.log.flush();
    await new Promise((resolve) => setTimeout(resolve, 700));
    const [before, since] = [tasker.statements, performance.now()];
    await new Promise((resolve) => setTimeout(resolve, ms));
    return { statements: tasker.statements - before, seconds: (performance.now() - since) / 1_000 };
  };
  const excess = async () => {
    const { statements, seconds } = await quiet(2_200);
    return statements - Math.ceil(seconds);
  };
  // On a busy machine, earlier work can still be in progress in the first round.
  expect(await leastOf(1, excess, 3)).toBeLessThanOrEqual(0);
  await Promise.all(streams.map((one) => one.close()));
  await until(
    () => tasker.engine.changes.streams,
    (count) => count === 0,
  );
  expect(await leastOf(1, async () => (await quiet(1_200)).statements, 3)).toBe(0);
});

it('a server that stops tells its clients to reconnect', async () => {
  const { tasker, close, stream } = await served({ worker: false });
  const all = await stream('/v1/stream');
  await close();
  await until(
    () => all.isOver,
    (over) => over,
  );
  expect(all.events.at(-1)).toMatchObject({ event: 'closing', data: { reason: 'shutdown' } });
  expect(all.retry).toBeGreaterThanOrEqual(500);
  await expect(tasker.engine.changes.follow({} as never)).rejects.toMatchObject({ code: 'stopped' });
});

it('an idle stream sends heartbeats, advances its position, and ends so that the client renews it', async () => {
  const made = await setup({ templates: TWO_STEPS, worker: false });
  const { tasker } = made;
  const { stream } = await listening(made, { limits: { heartbeatMs: 50 } });
  const other = await stream('/v1/stream?namespace=elsewhere');
  await until(
    () => other.comments.length,
    (count) => count > 1,
  );
  const begun = other.lastId;
  await tasker.createTask(DEMO);
  await until(
    () => other.of('position').length,
    (count) => count > 0,
  );
  expect(other.lastId).not.toBe(begun);
  const { stream: brief } = await listening(made, { limits: { longestMs: 50 } });
  const ending = await brief('/v1/stream');
  await until(
    () => ending.events.at(-1)!,
    ({ event, data }) => event === 'closing' && data.reason === 'renew',
  );
});

it('a caller sees only the tasks of its namespaces, and needs a permission for steps', async () => {
  const made = await setup({ templates: [TWO_STEPS, OTHER], worker: false });
  const { tasker } = made;
  const routes = streamRoutes(tasker);
  const { OpenAPIHono } = await import('@hono/zod-openapi');
  const app = new OpenAPIHono();
  app.use(async (c, next) => {
    c.set(
      'caller' as never,
      {
        subject: 'ana',
        namespaces: ['other'],
        allows: (permission: string) => permission !== 'steps:read',
      } as never,
    );
    await next();
  });
  app.route('/', routes);
  app.onError((error, c) =>
    c.json({ error: { message: error.message, code: (error as { code?: string }).code } }, 400),
  );
  const server = await listen(app, { host: '127.0.0.1', port: 0 });
  onTestFinished(async () => {
    tasker.engine.changes.close();
    await server.close();
  });
  const all = await TestEventSource.open(`${server.url}/v1/stream`);
  const wide = await TestEventSource.open(`${server.url}/v1/stream?namespace=test,other`);
  const demo = await tasker.createTask(DEMO);
  const thing = await tasker.createTask({ namespace: 'other', name: 'thing', version: '1.0.0' });
  await tasker.cancelTask(demo.taskUuid);
  await tasker.deleteTask(demo.taskUuid);
  await sees(all, thing.taskUuid, 'pending');
  await sees(wide, thing.taskUuid, 'pending');
  await tasker.cancelTask(thing.taskUuid);
  await sees(all, thing.taskUuid, 'cancelled');
  for (const one of [all, wide]) {
    expect([...one.tasks.keys()]).toEqual([thing.taskUuid]);
    expect(one.of('deleted')).toEqual([]);
  }
  const code = async (path: string) =>
    (JSON.parse((await TestEventSource.open(`${server.url}${path}`)).body) as { error: { code: string } }).error.code;
  expect(await code(`/v1/tasks/${demo.taskUuid}/stream`)).toBe('task_not_found');
  const foreign = await tasker.createTask(DEMO);
  expect(await code(`/v1/tasks/${foreign.taskUuid}/stream`)).toBe('task_not_found');
  expect(await code('/v1/stream?kind=step')).toBe('forbidden');
  const one = await TestEventSource.open(`${server.url}/v1/tasks/${thing.taskUuid}/stream`);
  await sees(one, thing.taskUuid, 'cancelled');
  expect(one.of('step')).toEqual([]);
});

it('watchTasks yields the changes of this and other processes, and continues at a cursor', async () => {
  const { tasker, another } = await setup({ templates: TWO_STEPS, worker: false });
  const other = await another();
  const stop = new AbortController();
  const seen: string[] = [];
  let cursor: string | undefined;
  const watched = (async () => {
    for await (const change of tasker.watchTasks({ namespace: 'test' }, { signal: stop.signal })) {
      if (change.kind === 'task') seen.push(`${change.task.taskUuid} ${change.task.status}`);
      cursor = change.cursor ?? cursor;
    }
  })();
  await until(
    () => tasker.engine.changes.streams,
    (count) => count === 1,
  );
  const { taskUuid } = await other.createTask(DEMO);
  await other.cancelTask(taskUuid);
  await until(
    () => seen,
    (all) => all.includes(`${taskUuid} cancelled`),
  );
  stop.abort();
  await watched;
  const missed = await other.createTask(DEMO);
  for await (const change of other.watchTasks({}, { after: cursor })) {
    if (change.kind === 'task' && change.task.taskUuid === missed.taskUuid) break;
  }
  await expect(other.watchTasks({ sate: 'error' } as never).next()).rejects.toThrow('did you mean state');
  const next = tasker.watchTasks().next();
  await until(
    () => tasker.engine.changes.streams,
    (count) => count === 1,
  );
  void tasker.stop();
  await expect(next).rejects.toMatchObject({ code: 'stopped' });
});
