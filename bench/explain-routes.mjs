// Runs every statement of conditions, routes and child tasks, for explain.mjs.
import {
  createTasker,
  defineHandler,
  mustParseTemplate,
  PermanentError,
  silentLogger,
  untilTasksEnd,
} from 'tasker-core';

const FIELDS = { namespace: 'bench', version: '1.0.0', identity_strategy: 'always_unique' };
const EVENT = [{ name: 'bench.charged', description: 'It was charged', schema: {} }];
const WORKERS = {
  batch_size: 1,
  parallelism: 4,
  cursor_field: 'id',
  worker_template: 'part',
  failure_strategy: 'fail_fast',
};

const ROUTES = [
  { name: 'price', handler: 'work' },
  { name: 'charge', handler: 'charge', depends_on: ['price'], publishes_events: EVENT },
  { name: 'large', handler: 'work', depends_on: ['price'], when: 'context.large' },
  { name: 'ship', handler: 'work', depends_on: ['charge', 'large'], run_if: 'not_failed' },
  {
    name: 'sorry',
    handler: 'work',
    depends_on: ['charge'],
    run_if: 'failed',
    inputs: { why: 'errors.charge.message' },
  },
  { name: 'ledger', handler: 'work', depends_on: ['ship', 'sorry'], run_if: 'ended' },
];
const JOIN = [
  { name: 'fast', handler: 'work' },
  { name: 'slow', handler: 'slow' },
  { name: 'late', type: 'timer', timer: { for: '1h' } },
  { name: 'first', handler: 'work', depends_on: ['fast', 'slow', 'late'], join: 'any' },
];
const BRANCHES = [
  { name: 'first', handler: 'charge' },
  { name: 'route', type: 'decision', handler: 'route', depends_on: ['first'], run_if: 'ended' },
  { name: 'left', handler: 'charge', depends_on: ['route'] },
  { name: 'refund', handler: 'work', depends_on: ['left'], run_if: 'failed' },
  { name: 'cut', type: 'batchable', handler: 'cut', depends_on: ['first'], run_if: 'ended' },
  { name: 'part', type: 'batch_worker', handler: 'charge', depends_on: ['cut'], batch_config: WORKERS },
  { name: 'clean', handler: 'work', depends_on: ['refund', 'part'], run_if: 'ended' },
];

const CHILD = [
  { name: 'price', handler: 'work' },
  { name: 'bill', type: 'task', template: 'join', context: { id: 'task.uuid' }, depends_on: ['price'] },
  { name: 'late', type: 'task', template: 'waiting' },
];
const FAN = [{ name: 'fan', handler: 'fan' }];
const LIST = [
  {
    name: 'each',
    type: 'for_each',
    elements: 'context.lines',
    key: 'string(element)',
    on_element_failure: 'continue',
    steps: [
      { name: 'part', handler: 'part', inputs: { n: 'element' } },
      { name: 'whole', handler: 'work', dependencies: ['part'] },
    ],
    output: 'element',
  },
];
const WAITING = [{ name: 'late', type: 'timer', timer: { for: '1h' } }];
/** Settled children of earlier tasks, as many as a large installation has. */
const EARLIER = `
insert into tasker.child_task (child_uuid, parent_uuid, idx, attempt, root_uuid, level, abandoned, settled_at)
select gen_random_uuid(), p, 0, 1, p, 1, false, now() from (select gen_random_uuid() p from generate_series(1, 300000)) x`;

/** Runs tasks whose steps fail, are skipped, are handled and start child tasks, with and without dynamic steps, and lists. */
export async function everyRoute(url, probe) {
  const handlers = [
    defineHandler('work', {}, async () => ({ ok: true })),
    defineHandler('slow', {}, () => new Promise((resolve) => setTimeout(resolve, 50, { ok: true }))),
    defineHandler('charge', {}, ({ context }) => {
      if (context.getInput('fails')) throw new PermanentError('no money');
      return { ok: true };
    }),
    defineHandler('part', {}, ({ context }) => {
      if (context.getInput('n') % 50 === 7) throw new PermanentError('broken');
      return { ok: true };
    }),
    defineHandler('fan', {}, async ({ context }) =>
      untilTasksEnd(await Promise.all(['a', 'b'].map((key) => context.startTask('join', {}, { key })))),
    ),
    defineHandler('route', {}, ({ context }) => ({
      decision_point_outcome: context.getInput('chooses')
        ? { type: 'create_steps', step_names: ['left'] }
        : { type: 'no_branches' },
    })),
    defineHandler('cut', {}, () => ({
      batch_processing_outcome: {
        type: 'create_batches',
        worker_template_name: 'part',
        cursor_configs: Array.from({ length: 8 }, (_, i) => ({ batch_id: String(i), start_cursor: i })),
      },
    })),
  ];
  const templates = [
    ['routes', ROUTES],
    ['join', JOIN],
    ['branches', BRANCHES],
    ['child', CHILD],
    ['fan', FAN],
    ['waiting', WAITING],
    ['lists', LIST],
  ].map(([name, steps]) => mustParseTemplate(JSON.stringify({ ...FIELDS, name, steps })));
  const options = { databaseUrl: url, templates, handlers, namespaces: ['bench'], logger: silentLogger };
  // Two workers, so that some results must be loaded.
  const taskers = await Promise.all([1, 2].map(() => createTasker(options)));
  const run = async (name, count, context) => {
    const requests = Array.from({ length: count }, () => ({ name, namespace: 'bench', context }));
    const tasks = await taskers[0].createTasks(requests);
    await Promise.all(tasks.map(({ taskUuid }) => taskers[0].waitForTask(taskUuid)));
    return tasks.map(({ taskUuid }) => taskUuid);
  };
  await run('routes', 100, { large: false, fails: true });
  await probe.query(EARLIER);
  await probe.query('analyze');
  for (const fails of [true, false]) {
    await run('routes', 500, { large: !fails, fails });
    await run('join', 200, {});
    await run('fan', 100, {});
    await run('lists', 50, { lines: Array.from({ length: 300 }, (_, i) => i) });
    for (const chooses of [true, false]) await run('branches', 100, { fails, chooses });
  }
  const parents = await taskers[0].createTasks(
    Array.from({ length: 200 }, () => ({ name: 'child', namespace: 'bench' })),
  );
  for (const { taskUuid } of parents) {
    let family = await taskers[0].getChildTasks(taskUuid);
    while (family.children.length < 2) family = await taskers[0].getChildTasks(taskUuid);
    await taskers[0].getChildTasks(family.children[0].taskUuid);
    await taskers[0].listTasks({ parentTask: taskUuid }, {});
    await taskers[0].listTasks({ rootTask: taskUuid }, {});
    await taskers[0].cancelTask(taskUuid);
  }
  const [again] = await run('branches', 1, { fails: true, chooses: true });
  await taskers[1].rerunTask(again, { from: 'route' });
  await taskers[0].waitForTask(again);
  await Promise.all(taskers.map((tasker) => tasker.stop()));
}
