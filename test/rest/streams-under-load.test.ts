import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { TestEventSource } from '../support/rest/event-source.ts';
import { listening, second, sees, served, TWO_STEPS } from '../support/rest/streams.ts';
import { DEMO, deferred, endStates, RETRY_AT_ONCE, setup, template, until } from '../support/setup.ts';

it('streams that join before, during and after see all of two thousand tasks that finish together', async () => {
  const { tasker, server } = await served({ concurrency: 500 });
  // A client that reads more slowly than the changes arrive is disconnected, and then continues.
  const stream = (path: string, after?: string) =>
    TestEventSource.open(`${server.url}${path}`, { after, reconnects: true });
  const early = await stream('/v1/stream');
  const tasks = await tasker.createTasks(Array.from({ length: 1_000 }, () => DEMO));
  const position = early.lastId!;
  tasks.push(...(await tasker.createTasks(Array.from({ length: 1_000 }, () => DEMO))));
  const joined = await stream('/v1/stream', position);
  await endStates(tasker, tasks);
  const late = await stream('/v1/stream', position);
  for (const one of [early, joined, late]) {
    await until(
      () => tasks.filter(({ taskUuid }) => one.tasks.get(taskUuid) !== 'complete').length,
      (left) => left === 0,
      45_000,
    );
    expect(one.of('reset')).toEqual([]);
  }
});

it('a stream that moves between two servers at random misses no change under load', async () => {
  const flaky = defineHandler('first', {}, () => {
    if (Math.random() < 0.3) throw new Error('try again');
    return {};
  });
  const made = await served({
    templates: template({ first: { retry: { ...RETRY_AT_ONCE, max_attempts: 3 } }, second: ['first'] }),
    handlers: [flaky, second],
  });
  const { tasker, sql, another } = made;
  const { stream: elsewhere } = await listening({ tasker: await another({ worker: false }) });
  const journal = new Map<string, string>();
  let position: string | undefined;
  /** Returns the states of all tasks and steps once the states no longer change. */
  let final: [id: string, state: string][] | undefined;
  const follow = async () => {
    for (let hop = 0; ; hop++) {
      const expected = final;
      const open = hop % 2 === 0 ? made.stream : elsewhere;
      const one = await open('/v1/stream?kind=task,step', position);
      if (expected) {
        await until(
          () => expected.filter(([id, state]) => (one.tasks.get(id) ?? one.steps.get(id) ?? journal.get(id)) !== state),
          (missing) => missing.length === 0,
        );
      } else await new Promise((resolve) => setTimeout(resolve, Math.random() * 400));
      await one.close();
      expect(one.of('reset')).toEqual([]);
      position = one.lastId ?? position;
      for (const [id, state] of [...one.tasks, ...one.steps]) journal.set(id, state);
      if (expected) return;
    }
  };
  const following = follow();
  await until(
    () => position,
    (id) => id !== undefined,
  );
  const tasks = [];
  for (let i = 0; i < 15; i++) {
    tasks.push(...(await tasker.createTasks(Array.from({ length: 20 }, () => DEMO))));
    await tasker.cancelTask(tasks.at(-1)!.taskUuid);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (const { taskUuid } of tasks) await tasker.waitForTask(taskUuid, { timeoutMs: 45_000 });
  const rows = await sql<{ id: string; state: string; steps: Record<string, string> }>(
    `select t.task_uuid id, t.state::text, jsonb_object_agg(ts.name, s.state) steps
       from tasker.task t join tasker.step s using (task_uuid)
       join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = s.idx group by 1, 2`,
  );
  expect(rows.length).toBe(300);
  final = rows.flatMap(({ id, state, steps }) => [
    [id, state] as [string, string],
    ...Object.entries(steps).map(([name, own]) => [`${id}/${name}`, own] as [string, string]),
  ]);
  await following;
});

it('a client that does not read is disconnected, and the others are not delayed', async () => {
  const made = await setup({ templates: TWO_STEPS, worker: false });
  const { tasker } = made;
  const { server, stream } = await listening(made, { limits: { mostUnreadBytes: 20_000 } });
  const socket = connect({ port: server.port, host: '127.0.0.1' });
  onTestFinished(() => void socket.destroy());
  const closed = deferred();
  socket.on('error', () => {});
  socket.on('close', () => closed.resolve());
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.write('GET /v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await new Promise<void>((resolve) => socket.once('data', () => resolve()));
  socket.pause();
  const reading = await stream('/v1/stream');
  expect(tasker.engine.changes.streams).toBe(2);
  const tags = Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(120, 'x'));
  const big = Array.from({ length: 100 }, () => ({ ...DEMO, tags }));
  // The buffers of both sockets take a few megabytes first.
  for (let i = 0; i < 60 && tasker.engine.changes.streams > 1; i++) {
    await sees(reading, (await tasker.createTasks(big)).at(-1)!.taskUuid, 'pending');
  }
  expect(tasker.engine.changes.streams).toBe(1);
  socket.resume();
  await closed.promise;
});
