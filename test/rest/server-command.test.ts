import { afterAll, expect, it } from 'vitest';
import { PAIR, PAIR_HANDLERS, projectOnDatabase, type Running } from '../cli/installation.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR, 'handlers/pair.js': PAIR_HANDLERS });
let server: Running;

afterAll(() => server?.process.kill('SIGKILL'));

it('tasker server answers requests until SIGTERM, with the templates of the project', async () => {
  server = on.project.start(['server', '--bind', '127.0.0.1:0', '--json']);
  await server.until('server is ready');
  const url = /"url":"([^"]+)"/.exec(server.output)![1]!;
  const body = JSON.stringify({
    name: 'pair',
    namespace: 'demo',
    version: '1.0.0',
    context: { lucky: true },
    initiator: 'a',
    source_system: 'b',
    reason: 'c',
  });
  const created = await fetch(`${url}/v1/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(created.status).toBe(201);
  const { task_uuid } = (await created.json()) as { task_uuid: string };
  expect((await on.project.json<{ status: string }>(['task', 'get', task_uuid])).status).toBe('pending');
  expect((await fetch(`${url}/v1/tasks/${task_uuid}`, { method: 'DELETE' })).status).toBe(200);
  const audit = await on.project.json<{ entries: { door: string }[] }>(['audit', 'list']);
  expect(audit.entries[0]!.door).toBe('rest');
  server.process.kill('SIGTERM');
  expect(await server.ended).toMatchObject({ code: 0 });
});

it('tasker server refuses addresses that other machines can reach, and invalid ones', async () => {
  const open = await on.project.run(['server', '--bind', '0.0.0.0:0']);
  expect([open.code, open.stderr]).toEqual([3, expect.stringContaining('no authentication')]);
  const bad = await on.project.run(['server', '--bind', 'nowhere']);
  expect([bad.code, bad.stderr]).toEqual([3, expect.stringContaining('is not an address')]);
});
