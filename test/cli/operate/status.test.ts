import { expect, it, onTestFinished } from 'vitest';
import { commandOf } from '../../../src/cli/show/command-of.ts';
import { freshDatabase } from '../../support/database.ts';
import { installation, PAIR, PAIR_HANDLERS } from '../installation.ts';

/** A project on its own database, which `sql` reaches. */
async function projectOn(name: string) {
  const [place, database] = await Promise.all([installation(), freshDatabase()]);
  onTestFinished(async () => void (await Promise.all([place.remove(), database.drop()])));
  const project = await place.project(name, { DATABASE_URL: database.url });
  return Object.assign(project, { sql: database.sql });
}

it('status and task summary report an empty database, and then a task that no worker serves', async () => {
  const project = await projectOn('status');
  expect((await project.run(['status'])).stdout).toContain('nothing needs you');
  const empty = await project.run(['task', 'summary']);
  expect(empty).toMatchObject({ code: 0, stdout: '' });
  expect(empty.stderr).toContain('no open tasks, and none that ended in the last 24h');
  await project.write('templates/pair.yaml', PAIR);
  await project.create('pair');
  const none = await project.run(['task', 'summary', '--name', 'pear']);
  expect(none.stderr).toBe('no task matches: name pear\n');

  const seen = await project.run(['status']);
  expect(seen.stdout).toMatch(/^open tasks +. 1 pending$/m);
  expect(seen.stdout).toMatch(/✖ 1 ready step without a worker +npx tasker task summary/);
  expect(seen.stdout).toMatch(/demo +1 +[\d.]+ m?s +0 +none +1/);
  expect(await project.json(['status'])).toMatchObject({
    workers: { alive: 0, lost: 0, slots: 0, slots_used: 0 },
    open: { pending: 1 },
    queues: [{ namespace: 'demo', ready: 1, running: 0, workers: 0, unserved: 1 }],
    attention: { blocked: 0, stale: 0, unserved: 1, dead_letters: 0, dead_deliveries: 0 },
    unserved: [{ namespace: 'demo', reason: 'no_worker', handler: 'first', steps: 1 }],
    per_minute: { created: 0.2, ended: 0 },
  });
  expect(await project.json(['task', 'summary', '--namespace', 'demo'])).toMatchObject({
    filter: { namespace: 'demo' },
    templates: [{ namespace: 'demo', name: 'pair', version: '1.0.0', counts: { pending: 1 } }],
    open_since: null,
    failed: { steps: 0, groups: [], more_groups: 0, timed_out: false },
    unserved: {
      steps: 1,
      groups: [
        { count: 1, filter: { step_state: 'enqueued' }, show: 'npx tasker task list -n demo --step-state enqueued' },
      ],
    },
  });
});

it('status, queue and doctor report a worker that was killed, for an hour, although another one took over', async () => {
  const project = await projectOn('killed');
  await project.write('templates/pair.yaml', PAIR);
  await project.write('handlers/pair.js', PAIR_HANDLERS);
  const killed = project.start(['worker', '--name', 'w1']);
  await killed.until('worker is ready');
  expect((await project.run(['status'])).stdout).toContain('nothing needs you');
  killed.process.kill('SIGKILL');
  await killed.ended;
  await project.sql(`update tasker.worker set lease_until = now() - interval '1 second'`);
  const alone = await project.run(['status']);
  expect(alone.stdout).toMatch(/✖ no worker is alive +npx tasker worker list/);
  expect(alone.stdout).toMatch(/✖ 1 worker lost in the last hour +npx tasker worker list -s lost/);
  const other = project.start(['worker', '--name', 'w2']);
  await other.until('worker is ready');
  await expect
    .poll(() => project.sql(`select 1 from tasker.worker where state = 'buried'`), { timeout: 15_000 })
    .toHaveLength(1);
  const { stdout } = await project.run(['status']);
  expect(stdout).not.toContain('nothing needs you');
  expect(stdout).toMatch(/^workers +1 alive, 1 lost, 0 of 100 slots taken$/m);
  const queue = await project.run(['queue']);
  expect(queue.stdout).toMatch(/^demo .* 0\/100 .* 1 \(1 lost\)$/m);
  expect(queue.stdout).toMatch(/^demo +1 worker lost in the last hour +npx tasker worker list -n demo --state lost$/m);
  expect((await project.run(['doctor'])).stdout).toMatch(/^warn +workers +1 running; lost in the last hour: w1 /m);
  other.process.kill('SIGTERM');
  await other.ended;
});

it('status --watch repeats the status until a signal', async () => {
  const project = await projectOn('watch');
  const watching = project.start(['status', '--watch', '--interval', '0.1']);
  await watching.until('nothing needs you', 3);
  watching.process.kill('SIGINT');
  expect(await watching.ended).toMatchObject({ code: 0, stderr: '' });
  const json = project.start(['status', '--watch', '--interval', '0.1', '--json']);
  await json.until('"at":', 2);
  json.process.kill('SIGTERM');
  const { stdout } = await json.ended;
  expect(JSON.parse(stdout.split('\n')[0]!)).toMatchObject({ queues: [], open: {} });
});

it('commandOf prints a filter as options that are quoted for a shell', () => {
  const filter = {
    namespace: 'a',
    error: `can't read "x"`,
    status: ['error', 'complete'],
    open: true,
    stepState: 'error',
  };
  expect(commandOf('task list', filter, { acts: false })).toBe(
    `npx tasker task list -n a --error 'can'\\''t read "x"' --status error --status complete --open --step-state error`,
  );
  const context = { context: { a: [1] }, reason: 'x y', createdAfter: new Date(0), ended: false };
  expect(commandOf('task retry', context, { acts: true })).toBe(
    `npx tasker task retry --context '{"a":[1]}' --task-reason 'x y' --created-after 1970-01-01T00:00:00.000Z`,
  );
  expect(commandOf('task list', { reason: 'x' }, { acts: false })).toBe('npx tasker task list --reason x');
});
