import { expect, it } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { type Check, examine } from '../../src/app/project/doctor.ts';
import type { TaskHandle } from '../../src/app/tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { freshDatabase } from '../support/database.ts';
import { DEMO, template } from '../support/setup.ts';
import { deafProxy } from './deaf-proxy.ts';
import { PAIR, PAIR_HANDLERS, projectOnDatabase } from './installation.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR, 'handlers/pair.js': PAIR_HANDLERS });

interface Diagnosis {
  code: number | null;
  checks: Record<string, { status: string; found: string; way_out: string | null }>;
}

async function diagnose(env: Record<string, string> = {}): Promise<Diagnosis> {
  const { code, stdout } = await on.project.run(['doctor', '--json'], { env });
  const { checks } = JSON.parse(stdout) as { checks: ({ name: string } & Diagnosis['checks'][string])[] };
  return { code, checks: Object.fromEntries(checks.map(({ name, ...check }) => [name, check])) };
}

/** Runs the checks in this process, with conditions that a test cannot create on the machine. */
async function examined(options: Partial<Parameters<typeof examine>[0]>, name: Check['name']): Promise<Check> {
  const checks = await examine({ databaseUrl: on.database.url, templates: [], handlers: [], ...options });
  return checks.find((check) => check.name === name)!;
}

it('doctor reports a healthy project as a table', async () => {
  const worker = on.project.start(['worker']);
  await worker.until('worker is ready');
  // In a process of its own, in which handlers import the installed package.
  const { code, stdout } = await on.project.start(['doctor']).ended;
  expect(code).toBe(0);
  for (const name of [
    'database',
    'schema',
    'clock',
    'notifications',
    'queue',
    'served',
    'templates',
    'handlers',
    'workers',
  ])
    expect(stdout).toMatch(new RegExp(`^ok +${name} `, 'm'));
  expect(stdout).toMatch(/^skip +disk/m);
  worker.process.kill('SIGTERM');
  await worker.ended;
});

it('doctor reports a database server that is not listening', async () => {
  const { code, checks } = await diagnose({ DATABASE_URL: 'postgres://127.0.0.1:1/shop' });
  expect([code, checks.database]).toMatchObject([
    1,
    { status: 'fail', found: expect.stringContaining('no server is listening') },
  ]);
  expect(checks.templates).toMatchObject({ status: 'ok' });
});

it('doctor reports pending migrations', async () => {
  const empty = await freshDatabase();
  try {
    await empty.sql('drop schema tasker cascade');
    const { code, checks } = await diagnose({ DATABASE_URL: empty.url });
    expect([code, checks.schema]).toMatchObject([1, { status: 'fail', way_out: 'run `npx tasker db migrate`' }]);
    expect(checks.workers).toMatchObject({ status: 'skip' });
  } finally {
    await empty.drop();
  }
});

it('doctor reports a local clock that is a minute or five seconds ahead', async () => {
  expect(await examined({ clock: () => Date.now() + 60_000 }, 'clock')).toMatchObject({ status: 'fail' });
  expect(await examined({ clock: () => Date.now() + 5_000 }, 'clock')).toMatchObject({
    status: 'warn',
    wayOut: expect.stringContaining('NTP'),
  });
});

it('doctor reports that notifications do not arrive', async () => {
  const proxy = await deafProxy(on.database.url);
  try {
    const { code, checks } = await diagnose({ DATABASE_URL: proxy.url });
    expect([code, checks.notifications]).toMatchObject([
      0,
      { status: 'warn', way_out: expect.stringContaining('DATABASE_DIRECT_URL') },
    ]);
    const direct = await diagnose({ DATABASE_URL: proxy.url, DATABASE_DIRECT_URL: on.database.url });
    expect(direct.checks.notifications).toMatchObject({ status: 'ok' });
  } finally {
    proxy.close();
  }
});

it('doctor warns about ready steps that are missing from the queue', async () => {
  const tasker = await createTasker({
    databaseUrl: on.database.url,
    templates: template({ a: [] }),
    worker: false,
    logger: silentLogger,
  });
  try {
    const [{ taskUuid }] = (await tasker.createTasks([DEMO, DEMO])) as [TaskHandle, TaskHandle];
    await on.database.sql('delete from tasker.queue where task_uuid = $1', [taskUuid]);
    const { code, checks } = await diagnose();
    expect([code, checks.queue]).toEqual([
      0,
      {
        status: 'warn',
        found: `1 ready step is missing from the queue, in task ${taskUuid}`,
        way_out: 'start a worker with `npx tasker worker`; a running worker queues it again within 5 minutes',
      },
    ]);
    await on.database.sql('truncate tasker.queue');
    expect(await examined({}, 'queue')).toMatchObject({ found: expect.stringContaining('2 ready steps are missing') });
  } finally {
    await tasker.stop();
    await on.database.sql('truncate tasker.task, tasker.step');
  }
});

it('doctor reports a full disk of the embedded database', async () => {
  const free = { databaseUrl: undefined, cwd: on.project.folder, leastFreeBytes: 1e18 };
  expect(await examined(free, 'disk')).toMatchObject({
    status: 'fail',
    wayOut: expect.stringContaining('free some space'),
  });
});

it('doctor reports an invalid template', async () => {
  await on.project.write('templates/broken.yaml', PAIR.replace('[first]', '[frist]').replace('pair', 'broken'));
  const { code, checks } = await diagnose();
  expect([code, checks.templates]).toMatchObject([
    1,
    { status: 'fail', found: expect.stringContaining('broken.yaml:8:') },
  ]);
  await on.project.write('templates/broken.yaml', PAIR.replace('pair', 'broken'));
});

it('doctor reports a publisher that is not exported, which prevents workers from starting', async () => {
  const publishing = (publisher: string) => `name: publishing
namespace: demo
version: "1.0.0"
steps:
  - name: first
    handler: first
    publishes_events:
      - { name: first.done, description: it happened, schema: {}, publisher: ${publisher} }
`;
  await on.project.write('templates/publishing.yaml', publishing('deflt'));
  const { code, checks } = await diagnose();
  expect([code, checks.handlers]).toEqual([
    1,
    {
      status: 'fail',
      found:
        'no publisher is registered for deflt (demo/publishing@1.0.0: step first, event first.done); no publisher is registered',
      way_out: 'export one with that name, or correct `publisher` in the template',
    },
  ]);
  await on.project.write('templates/publishing.yaml', publishing('default'));
  expect((await diagnose()).checks.handlers).toMatchObject({ status: 'ok' });
});

it('doctor reports a missing handler and a handler that does not compile', async () => {
  await on.project.write(
    'templates/odd.yaml',
    PAIR.replace('handler: second', 'handler: secnd').replace('pair', 'odd'),
  );
  const missing = await diagnose();
  expect([missing.code, missing.checks.handlers]).toMatchObject([
    1,
    { status: 'fail', found: 'no handler named secnd; did you mean second?' },
  ]);
  await on.project.write('handlers/odd.ts', 'export const secnd = (');
  const broken = await diagnose();
  expect(broken.checks.handlers).toMatchObject({
    status: 'fail',
    found: expect.stringMatching(/handlers\/odd\.ts:1:/),
  });
});

it('doctor reports a handler that depends on a step that its template does not have', async () => {
  const named = await on.place.project('named', { DATABASE_URL: on.database.url });
  await named.write('templates/pair.yaml', PAIR);
  await named.write(
    'handlers/pair.js',
    PAIR_HANDLERS.replace("inputs: { lucky: 'lucky' }", "depends: { lucky: 'frst' }"),
  );
  const { code, stdout } = await named.run(['doctor', '--json']);
  const { checks } = JSON.parse(stdout) as { checks: { name: string }[] };
  expect([code, checks.find(({ name }) => name === 'handlers')]).toEqual([
    1,
    {
      name: 'handlers',
      status: 'fail',
      found: 'handler second: depends on step frst, which template demo/pair@1.0.0 does not have; did you mean first?',
      way_out: 'correct the name in the handler, or add it to the template',
    },
  ]);
});

it('doctor reports a template whose content differs from the database, but not a change of formatting', async () => {
  const changed = await on.place.project('changed', { DATABASE_URL: on.database.url });
  const text = PAIR.replace('namespace: demo', 'namespace: changed');
  await changed.write('templates/pair.yaml', text);
  await changed.write('handlers/pair.js', PAIR_HANDLERS);
  await changed.create('changed/pair');
  const list = async () => {
    const { stdout, stderr } = await changed.run(['template', 'list']);
    const [entry] = (await changed.json<{ namespace: string }[]>(['template', 'list'])).filter(
      ({ namespace }) => namespace === 'changed',
    );
    return { line: stdout.split('\n').find((line) => line.startsWith('changed/pair')), stderr, entry };
  };
  const doctor = async () => {
    const { stdout } = await changed.run(['doctor', '--json']);
    const { checks } = JSON.parse(stdout) as { checks: Check[] };
    return checks.find(({ name }) => name === 'templates');
  };
  await changed.write('templates/pair.yaml', `# the same\n${text.replace('{ name: first,', '{ name:   first,')}`);
  expect(await list()).toMatchObject({
    line: expect.not.stringContaining('DIFFERS'),
    stderr: '',
    entry: { differs: false },
  });
  expect(await doctor()).toMatchObject({ status: 'ok' });

  await changed.write('templates/pair.yaml', text.replace('handler: second', 'handler: first'));
  expect(await list()).toMatchObject({
    line: expect.stringContaining('DIFFERS'),
    stderr: expect.stringMatching(/^DIFFERS: the database has different contents for this version/),
    entry: { registered: true, differs: true },
  });
  expect(await doctor()).toEqual({
    name: 'templates',
    status: 'warn',
    found: 'changed/pair@1.0.0: the database has different content under this version, and new tasks use it',
    way_out: 'change the version, or start a worker here to register this content',
  });
});

it('doctor reports a lost worker', async () => {
  await on.database.sql(
    `insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, lease_until)
     values ('gone', 'elsewhere', 7, '{demo}', '{first}', 1, now() - interval '1 minute')`,
  );
  expect(await examined({}, 'workers')).toMatchObject({ status: 'fail', found: expect.stringContaining('gone') });
});

it('doctor warns about ready steps that no live worker can run', async () => {
  const own = await freshDatabase();
  const tasker = await createTasker({
    databaseUrl: own.url,
    worker: false,
    templates: template({ a: [], b: [] }),
    logger: silentLogger,
  });
  const served = async () =>
    (await examine({ databaseUrl: own.url, templates: [], handlers: [] })).find(({ name }) => name === 'served');
  const announce = (callables: string[], drain = false) =>
    own.sql(
      `insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, lease_until, drain_at, drain_by)
       values ('w', 'h', 1, '{test}', $1, 1, now() + interval '1 minute', $2, $3)`,
      [callables, drain ? new Date() : null, drain ? 'ada' : null],
    );
  try {
    expect(await served()).toMatchObject({ status: 'ok' });
    await tasker.createTask(DEMO);
    expect(await served()).toMatchObject({
      status: 'warn',
      found: 'test: 2 ready steps wait, and no live worker serves the namespace',
      wayOut:
        'start a worker that serves it: `npx tasker worker --namespace test`; `npx tasker queue` shows all of them',
    });
    await announce(['a']);
    expect(await served()).toMatchObject({
      status: 'warn',
      found: expect.stringMatching(/^test: 1 ready step waits, and no live worker has b \(since \d{4}-.*Z\)$/),
    });
    await announce(['b'], true);
    expect(await served()).toMatchObject({
      found: 'test: 1 ready step waits, and its workers are draining',
      wayOut: expect.stringContaining('tasker worker resume'),
    });
    await announce(['b']);
    expect(await served()).toMatchObject({ status: 'ok' });
  } finally {
    await tasker.stop();
    await own.drop();
  }
});

it('doctor warns about many ended tasks if no policy deletes them', async () => {
  const tasker = await createTasker({ databaseUrl: on.database.url, templates: template({ a: [] }), worker: false });
  const tasks = await tasker.createTasks([DEMO, DEMO, DEMO]);
  for (const { taskUuid } of tasks) await tasker.cancelTask(taskUuid);
  await tasker.stop();
  await on.database.sql('analyze tasker.task');
  expect(await examined({ mostEndedTasks: 2 }, 'retention')).toMatchObject({
    status: 'warn',
    found: expect.stringMatching(/^about \d+ ended tasks, and no policy deletes them$/),
    wayOut: expect.stringContaining('set retention.days'),
  });
  expect(await examined({}, 'retention')).toBeUndefined();
});
