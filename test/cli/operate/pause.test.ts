import { expect, it, onTestFinished, vi } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { freshDatabase } from '../../support/database.ts';
import { PAIR, PAIR_HANDLERS, type Project, projectOnDatabase } from '../installation.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR, 'handlers/pair.js': PAIR_HANDLERS });

const BY = ['--by', 'ann', '--reason', 'the carrier is down'];

it('a retry of a paused task says that it is paused, alone and among many', async () => {
  const place = await projectWithFailures();
  const { project, failed } = place;
  await project.run(['template', 'pause', 'demo/pair', ...BY]);
  const one = await project.run(['task', 'retry', failed[0]!]);
  expect(one.stderr).toMatch(
    /^retried second of .*; the task is steps_in_process\npaused: template demo\/pair, by ann, .* ago: the carrier is down; no step starts until `npx tasker template resume demo\/pair`\n/,
  );
  expect((await project.run(['step', 'retry', failed[1]!, 'second'])).stderr).toContain(
    'no step starts until `npx tasker template resume demo/pair`',
  );
  const dry = await project.run(['task', 'retry', '--status', 'blocked_by_failures', '--dry-run']);
  expect(dry.stdout).toContain(
    '\n2 tasks are paused: no step of them starts until the pause ends; see `npx tasker pause list`',
  );
  const many = await project.run(['task', 'retry', '--status', 'blocked_by_failures', '--yes']);
  expect(many.stdout).toMatch(
    /^retried 2 of 2 tasks \(bulk \d+\)\n\n2 tasks are paused: no step of them starts until the pause ends;/,
  );
  const [{ id }] = (await project.json<{ id: number }[]>(['bulk', 'list'])) as [{ id: number }];
  expect(await project.json(['bulk', 'show', String(id)])).toMatchObject({ done: 2, paused: 2 });
  await project.run(['template', 'resume', 'demo/pair']);
  expect(await project.json(['bulk', 'show', String(id)])).toMatchObject({ done: 2, paused: 0 });
  const resumed = await project.run(['task', 'retry', '--name', 'pair', '--dry-run']);
  expect(resumed.stdout).not.toContain('paused');
});

/** Creates a project with four tasks whose last step failed. */
async function projectWithFailures(): Promise<{ project: Project; failed: string[] }> {
  const database = await freshDatabase();
  const project = await on.place.project('failures', { DATABASE_URL: database.url });
  await project.write('templates/pair.yaml', PAIR);
  await project.write('handlers/pair.js', PAIR_HANDLERS);
  const tasker = await createTasker({
    databaseUrl: database.url,
    templates: `${project.folder}/templates`,
    handlers: `${project.folder}/handlers`,
    logger: silentLogger,
  });
  onTestFinished(async () => void (await database.drop()));
  const made = await Promise.all(
    Array.from({ length: 4 }, () => tasker.createTask({ namespace: 'demo', name: 'pair' })),
  );
  const failed = made.map(({ taskUuid }) => taskUuid);
  const blocked = async () => {
    for (const uuid of failed) expect((await tasker.getTask(uuid)).status).toBe('blocked_by_failures');
  };
  await vi.waitFor(blocked, { timeout: 30_000, interval: 50 });
  await tasker.stop();
  return { project, failed };
}

it('until a pause is resumed, several commands show who paused, when and why', async () => {
  const id = await on.project.create('pair');
  const said = async (...args: string[]) => {
    const { code, stdout, stderr } = await on.project.run(args);
    return { code, text: `${stdout}${stderr}` };
  };
  expect(await said('pause', 'list')).toEqual({ code: 0, text: 'nothing is paused\n' });
  expect(await said('namespace', 'pause', 'demo', ...BY)).toEqual({
    code: 0,
    text: 'paused namespace demo: 1 ready step waits, running steps finish\n',
  });
  expect(await on.project.json(['queue'])).toMatchObject([{ namespace: 'demo', ready: 0, paused: 1 }]);
  // The flow of a database is known for its first eleven minutes, and a long run of the suite takes longer.
  await on.database.sql('update tasker.analytics_state set since = now(), counted_at = now()');
  expect((await said('queue')).text).toMatch(
    /^NAMESPACE +READY +IN\/MIN +OUT\/MIN +PAUSED +OLDEST .*\ndemo +0 +0 +0 +1 /,
  );
  expect(await said('namespace', 'pause', 'demo')).toMatchObject({
    code: 0,
    text: expect.stringMatching(/^namespace demo is already paused, by ann, .* ago: the carrier is down\n$/),
  });
  expect((await said('task', 'pause', id, '--by', 'bob')).text).toBe(
    `paused task ${id}: 0 ready steps wait, running steps finish\n`,
  );
  const time = expect.stringMatching(/^20/);
  const pauses = [
    { scope: 'namespace', target: 'demo', paused_at: time, paused_by: 'ann', reason: 'the carrier is down' },
    { scope: 'task', target: id, paused_at: time, paused_by: 'bob', reason: null },
  ];
  expect(await on.project.json(['pause', 'list'])).toEqual(pauses);
  expect(await on.project.json(['task', 'get', id])).toMatchObject({ paused: pauses });
  expect(await on.project.json(['task', 'list'])).toMatchObject({ tasks: [{ task_uuid: id, paused: pauses }] });
  expect(await on.project.json(['namespace', 'list'])).toEqual([
    { name: 'demo', templates: 1, ready_steps: 0, paused_steps: 1, pause: pauses[0] },
  ]);
  expect(await on.project.json(['template', 'list'])).toMatchObject([{ name: 'pair', paused: [pauses[0]] }]);

  expect((await said('task', 'get', id)).text).toMatch(/paused +namespace demo, by ann, .* ago: the carrier is down\n/);
  expect((await said('task', 'list')).text).toContain('pending, paused');
  expect((await said('namespace', 'list')).text).toMatch(/demo +1 +0 +1 +paused by ann/);
  expect((await said('template', 'list')).text).toMatch(
    /demo\/pair@1\.0\.0 .* paused[\s\S]*paused: namespace demo, by ann/,
  );
  const why = (await said('task', 'why', id)).text;
  expect(why).toContain('is ready; waits for the end of the pause of namespace demo, the task');
  expect(why).toContain('namespace demo by ann at 20');
  expect(why).toContain('`tasker namespace resume demo`');
  expect((await said('doctor')).text).toMatch(
    /warn +pauses +paused, so that no step starts: namespace demo \(by ann at 20/,
  );

  expect((await said('namespace', 'resume', 'demo')).text).toBe('resumed namespace demo: 0 ready steps can start\n');
  expect((await said('namespace', 'resume', 'demo')).text).toBe('namespace demo is not paused\n');
  expect(await on.project.json(['task', 'resume', id])).toMatchObject({
    scope: 'task',
    changed: true,
    steps: 1,
    others: [],
  });
  expect(await said('template', 'pause', 'pare')).toMatchObject({
    code: 1,
    text: expect.stringContaining('there is demo/pair'),
  });
  expect(await said('namespace', 'pause', 'demmo')).toMatchObject({
    code: 1,
    text: expect.stringContaining('did you mean demo?'),
  });
  expect((await said('task', 'pause', 'x')).code).toBe(2);
  expect(await on.database.sql('select distinct door from tasker.operator_action')).toEqual([{ door: 'cli' }]);
});
