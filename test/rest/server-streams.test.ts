import { afterAll, expect, it } from 'vitest';
import { PAIR, PAIR_HANDLERS, projectOnDatabase } from '../cli/installation.ts';
import type { RunningProcess } from '../cli/running.ts';
import { TestEventSource } from '../support/rest/event-source.ts';
import { until } from '../support/setup.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR, 'handlers/pair.js': PAIR_HANDLERS });
const servers: RunningProcess[] = [];

afterAll(() => {
  for (const server of servers) server.process.kill('SIGKILL');
});

async function started() {
  const server = on.project.start(['server', '--bind', '127.0.0.1:0', '--json']);
  servers.push(server);
  await server.until('server is ready');
  return { server, url: /"url":"([^"]+)"/.exec(server.output)![1]! };
}

async function create(url: string): Promise<string> {
  const answer = await fetch(`${url}/v1/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      name: 'pair',
      namespace: 'demo',
      version: '1.0.0',
      context: { lucky: true },
      initiator: 'a',
      source_system: 'b',
      reason: 'c',
    }),
  });
  return ((await answer.json()) as { task_uuid: string }).task_uuid;
}

it('a stream continues on another server after a kill and misses nothing, and a stopping server tells it to reconnect', async () => {
  const one = await started();
  const stream = await TestEventSource.open(`${one.url}/v1/stream`);
  const killed = await create(one.url);
  await until(
    () => stream.tasks.get(killed),
    (state) => state === 'pending',
  );
  const unseen = await create(one.url);
  one.server.process.kill('SIGKILL');
  await until(
    () => stream.isOver,
    (over) => over,
  );
  // A command acts while no server runs.
  await on.project.run(['task', 'cancel', killed]);
  const two = await started();
  const resumed = await TestEventSource.open(`${two.url}/v1/stream`, { after: stream.lastId });
  expect(resumed.events[0]!.data).toMatchObject({ resumed: true });
  await until(
    () => resumed.tasks.get(killed),
    (state) => state === 'cancelled',
  );
  // If the creation was killed before the announcement, the next change or the comparison announces the task.
  await fetch(`${two.url}/v1/tasks/${unseen}`, { method: 'DELETE' });
  await until(
    () => resumed.tasks.get(unseen),
    (state) => state === 'cancelled',
  );
  expect(resumed.of('reset')).toEqual([]);
  two.server.process.kill('SIGTERM');
  await until(
    () => resumed.isOver,
    (over) => over,
  );
  expect(resumed.events.at(-1)).toMatchObject({ event: 'closing', data: { reason: 'shutdown' } });
  expect(await two.server.ended).toMatchObject({ code: 0 });
});
