// Checks the plans of the hot statements on a million rows. Public methods run the statements, and auto_explain logs
// the actual plans. Exits 1 if a statement reads too much.
//   npm run explain -- [--finished 1000000] [--events 1000000] [--only search|waits|routes] [--verbose]
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createTasker, defineHandler, mustParseTemplate, PermanentError, silentLogger } from 'tasker-core';
import { countSteps } from '../dist/app/overview/step-states.js';
import { startEmbedded } from '../dist/db/embedded/start-embedded.js';
import { KIND } from '../dist/engine/engine.js';
import { everyEventVerb } from './explain-events.mjs';
import { everyRoute } from './explain-routes.mjs';
import { everySearch } from './explain-search.mjs';
import { everyWait, fillWaits } from './explain-waits.mjs';
import { fillBatches, fillFinished } from './fill.mjs';
import { nightTemplates } from './fill-night.mjs';
import { many, probeOf, request, startTasker } from './harness.mjs';
import { HOT } from './hot-statements.mjs';

const { values: options } = parseArgs({
  options: {
    finished: { type: 'string', default: '1000000' },
    events: { type: 'string', default: '1000000' },
    verbose: { type: 'boolean', default: false },
    /** `search`, `routes`, `waits` (with signals, approvals and schedules): only the plans of these. */
    only: { type: 'string' },
  },
});

/** Tables that grow. No statement may read one of them completely. */
const LARGE = new Set([
  'task',
  'step',
  'history',
  'task_identity',
  'operator_action',
  'batch',
  'batch_worker',
  'checkpoint',
  'domain_event',
  'event_chunk',
  'event_retry',
  'event_dead',
  'task_search',
  'step_search',
  'analytics',
  'earlier_end',
  'wait',
  'child_task',
  'for_each',
  'for_each_page',
  'failed_element',
  'completion_token',
  'signal',
  'signal_inbox',
  'vote',
  'schedule_firing',
  'scheduled_task',
]);
/** Maximum number of pages that these statements may read. The rows that they need are in a few pages. */
const PAGES = {
  get_event: 60,
  list_events_of_task: 200,
  list_events: 2_000,
  event_at_time: 300,
  count_steps_by_state: 10_000,
};
/** Statements that may read a whole table. This one stops after a second. */
const WHOLE = { all_tasks: 'task_search' };
/** Maximum number of rows that a node may read and discard, over all its loops. */
const WASTE = 20_000;

async function* plansOf(logFile, from) {
  let lines;
  for await (const line of createInterface({ input: createReadStream(logFile, { start: from }) })) {
    if (/duration: [\d.]+ ms {2}plan:/.test(line)) lines = [];
    else if (lines && line.startsWith('\t')) {
      lines.push(line.slice(1));
      if (line === '\t}') {
        yield JSON.parse(lines.join('\n'));
        lines = undefined;
      }
    }
  }
}

function* nodesOf(plan) {
  yield plan;
  for (const child of plan.Plans ?? []) yield* nodesOf(child);
}

function faultsOf(plan, name) {
  const faults = [];
  const pages = (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
  if (pages > PAGES[name]) faults.push(`reads ${pages} pages`);
  for (const node of nodesOf(plan)) {
    const loops = node['Actual Loops'] ?? 0;
    const where = `${node['Node Type']} on ${node['Relation Name'] ?? node['CTE Name'] ?? node.Alias ?? 'a join'}`;
    if (WHOLE[name] !== undefined && (node['Relation Name'] ?? 'task_search') === WHOLE[name]) continue;
    if (node['Node Type'] === 'Seq Scan' && LARGE.has(node['Relation Name']) && loops > 0)
      faults.push(`${where} reads a whole table`);
    const wasted = ((node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Join Filter'] ?? 0)) * loops;
    // Reading all edges of templates is the right plan while they fit into a page or two.
    if (wasted > WASTE && node['Relation Name'] !== 'template_edge') faults.push(`${where} discarded ${wasted} rows`);
    const read = (node['Actual Rows'] ?? 0) * loops;
    if (node['Node Type'] === 'CTE Scan' && loops > 1 && read > WASTE)
      faults.push(`${where} was read ${loops} times, ${read} rows`);
  }
  return faults;
}

const folder = await mkdtemp(path.join(tmpdir(), 'tasker-explain-'));
const server = await startEmbedded({
  folder,
  settings: {
    session_preload_libraries: 'auto_explain',
    'auto_explain.log_min_duration': '0',
    'auto_explain.log_analyze': 'on',
    'auto_explain.log_timing': 'off',
    'auto_explain.log_buffers': 'on',
    'auto_explain.log_format': 'json',
    'auto_explain.log_parameter_max_length': '0',
  },
});

async function everyVerb() {
  let broken = true;
  const work = defineHandler('work', {}, async () => ({ ok: true }));
  const fail = defineHandler('fail', {}, async () => {
    if (broken) throw new PermanentError('no');
  });
  const slow = defineHandler('slow', {}, () => sleep(5_000));
  const flaky = defineHandler('flaky', {}, async ({ context }) => {
    if (context.retryCount === 0) throw new Error('again');
  });
  const templates = mustParseTemplate(
    JSON.stringify({
      name: 'verbs',
      namespace: 'bench',
      version: '1.0.0',
      identity_strategy: 'always_unique',
      steps: [
        { name: 'a', handler: 'fail' },
        { name: 'b', handler: 'flaky', retry: { backoff: 'linear', backoff_base_ms: 100 } },
        { name: 'c', handler: 'work', depends_on: ['a', 'b'] },
        { name: 'd', handler: 'slow' },
      ],
    }),
  );
  const tasker = await createTasker({
    databaseUrl: server.url,
    templates,
    handlers: [work, fail, flaky, slow],
    leaseMs: 3_000,
    logger: silentLogger,
  });
  const tasks = await tasker.createTasks(Array.from({ length: 50 }, () => ({ name: 'verbs', namespace: 'bench' })));
  await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid)));
  broken = false;
  const [first, second, third] = tasks.map((task) => task.taskUuid);
  await tasker.retryStep(first, 'a');
  await tasker.resolveStep(second, 'a');
  await tasker.completeStep(third, 'a', { result: {} });
  await tasker.cancelTask(tasks[3].taskUuid);
  await tasker.retryTask(tasks[4].taskUuid);
  for (const { taskUuid } of tasks.slice(0, 3)) await tasker.waitForTask(taskUuid);
  await tasker.listTasks({ limit: 50 });
  const { stepUuid } = await tasker.getStep(first, 'a');
  await tasker.getStep(first, stepUuid);
  await tasker.getSteps(first);
  await tasker.getTaskWithSteps(first);
  await tasker.getHistory(first);
  const log = { idx: 0, attempt: 1, lines: '[]', dropped: 0 };
  await tasker.engine.saveStepLogs(tasks.map(({ taskUuid }) => ({ taskUuid, ...log })));
  await tasker.getStepLogs(first, 'a');
  await tasker.engine.queueDepths(['bench'], { timeoutMs: 10_000 });
  await tasker.status();
  await tasker.stop();
}

/** Counts a transaction that has more attempts than one pass counts. */
async function manyAttemptsAtOnce(probe) {
  const options = { databaseUrl: server.url, worker: false, analyticsEnabled: false, logger: silentLogger };
  const tasker = await createTasker(options);
  await probe.query(
    `insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, started_at, duration_ms)
     select task_uuid, idx, 2, 1, 'completed', 'complete', now(), 1
       from (select task_uuid from tasker.task where task_uuid < '01900001-0000-0000-0000-000000000000' limit 5000) t,
            generate_series(0, 3) idx`,
  );
  await tasker.engine.analytics.flush();
  await tasker.stop();
}

/** Reads the overviews of all tasks, and deletes and prunes tasks of {@link everyVerb}. */
async function overviewsAndDeletions() {
  const tasker = await createTasker({ databaseUrl: server.url, worker: false, logger: silentLogger });
  await tasker.status();
  await tasker.analytics({ since: '7d' });
  await countSteps(tasker.engine);
  // Deletes one task before its end is counted, and one afterwards.
  const requests = [1, 2].map(() => ({ name: 'verbs', namespace: 'bench' }));
  const [first, second] = (await tasker.createTasks(requests)).map((task) => task.taskUuid);
  await tasker.cancelTask(first);
  await tasker.deleteTask(first);
  await tasker.cancelTask(second);
  await tasker.engine.analytics.flush();
  await tasker.deleteTask(second);
  await pruneAndRestore(tasker);
  await tasker.stop();
}

/** Prunes some of the ended tasks, and restores them from their archive. */
async function pruneAndRestore(tasker) {
  const archive = await mkdtemp(path.join(tmpdir(), 'tasker-explain-archive-'));
  try {
    const prune = tasker.prune({ olderThan: '0s', name: 'verbs' }, { archive, share: 1 });
    await prune.preview();
    const { files } = await prune.result();
    for (const file of files) await tasker.restoreArchive(file).result();
  } finally {
    await rm(archive, { recursive: true, force: true });
  }
}

/** The 21st batch worker of {@link dynamicTasks}. */
const PART_20 = (7 << 17) + 20;

/** Runs tasks with decisions, batches of limited parallelism, and checkpoints. */
async function dynamicTasks(probe) {
  const outcome = (type, more) => ({ batch_processing_outcome: { type, ...more } });
  const parts = (count) => Array.from({ length: count }, (_, i) => ({ batch_id: String(i), start_cursor: i }));
  const handlers = [
    defineHandler('work', {}, async () => ({ ok: true })),
    defineHandler('route', {}, () => ({
      decision_point_outcome: { type: 'create_steps', step_names: ['left', 'right'] },
    })),
    defineHandler('cut', {}, ({ context }) =>
      outcome('create_batches', { cursor_configs: parts(context.getInput('parts')) }),
    ),
    defineHandler('part', {}, async ({ context }) => {
      const { start_cursor: at } = context.stepInputs.cursor;
      if (at % 10 === 0) await context.checkpoint({ cursor: at });
      if (at % 25 === 1)
        await context.transaction((tx) => tx.query('select 1').then(() => (at % 2 === 0 ? at : undefined)));
      if (at % 10 === 0 && context.attempt === 1) throw new Error('again');
      if (at === context.getInput('fails')) throw new PermanentError('no');
    }),
  ];
  const batch_config = {
    batch_size: 1,
    parallelism: 8,
    cursor_field: 'id',
    worker_template: 'part',
    failure_strategy: 'fail_fast',
  };
  const steps = [
    {
      name: 'start',
      handler: 'work',
      publishes_events: [{ name: 'bench.started', description: 'It began', schema: {} }],
    },
    { name: 'route', type: 'decision', handler: 'route', depends_on: ['start'] },
    ...['left', 'right'].map((name) => ({ name, handler: 'work', depends_on: ['route'] })),
    { name: 'join', type: 'deferred_convergence', handler: 'work', depends_on: ['left', 'right'] },
    { name: 'cut', type: 'batchable', handler: 'cut', depends_on: ['join'] },
    {
      name: 'part',
      type: 'batch_worker',
      handler: 'part',
      depends_on: ['cut'],
      batch_config,
      retry: { backoff: 'none' },
    },
    { name: 'total', type: 'deferred_convergence', handler: 'work', depends_on: ['part'] },
  ];
  const named = { namespace: 'bench', version: '1.0.0', identity_strategy: 'always_unique' };
  const templates = mustParseTemplate(JSON.stringify({ ...named, name: 'dynamic', steps }));
  const options = { databaseUrl: server.url, templates, handlers, namespaces: ['bench'], logger: silentLogger };
  const taskers = await Promise.all([1, 2].map(() => createTasker(options)));
  const run = async (count, context) => {
    const requests = Array.from({ length: count }, () => ({ name: 'dynamic', namespace: 'bench', context }));
    const tasks = await taskers[0].createTasks(requests);
    await Promise.all(tasks.map(({ taskUuid }) => taskers[0].waitForTask(taskUuid)));
    return tasks.map((task) => task.taskUuid);
  };
  await run(300, { parts: 20 });
  await probe.query('analyze');
  await run(300, { parts: 20 });
  await run(1, { parts: 10_000 });
  const failed = await run(20, { parts: 100, fails: 50 });
  for (const taskUuid of failed) await taskers[1].resolveStep(taskUuid, 'part_50');
  for (const taskUuid of failed) await taskers[1].engine.wasSaved({ taskUuid, idx: PART_20, claim: 0 }, '20');
  await Promise.all(failed.map((taskUuid) => taskers[0].waitForTask(taskUuid)));
  await Promise.all(taskers.map((tasker) => tasker.stop()));
}

/** Creates tasks that exceed the limits of their lifecycle. Some are ended, others are marked as stale. */
async function staleTasks(probe) {
  const limited = (name, action) => ({
    name,
    namespace: 'bench',
    version: '1.0.0',
    identity_strategy: 'always_unique',
    lifecycle: { max_duration_minutes: 5, max_steps_in_process_minutes: 5, staleness_action: action },
    steps: [{ name: 'a', handler: 'work' }],
  });
  const templates = [limited('ended', 'error'), limited('noted', 'dlq')];
  const tasker = await createTasker({
    databaseUrl: server.url,
    templates: templates.map((template) => mustParseTemplate(JSON.stringify(template))),
    worker: false,
    logger: silentLogger,
  });
  for (const { name } of templates) {
    await tasker.createTasks(Array.from({ length: 600 }, () => ({ name, namespace: 'bench' })));
  }
  const early = (column) => `${column} = ${column} - interval '1 hour'`;
  await probe.query(
    `update tasker.task set ${early('created_at')} where task_uuid in (select task_uuid from tasker.task_watch)`,
  );
  for (let i = 0; i < 2; i++) {
    await probe.query(`update tasker.task_watch set ${early('check_at')}`);
    for await (const _turn of tasker.engine.endStale());
  }
  const noted = await tasker.listTasks({ stale: true, limit: 1000 });
  for (const { taskUuid } of noted) await tasker.cancelTask(taskUuid);
  await probe.query(`update tasker.task_watch set ${early('check_at')}`);
  for await (const _turn of tasker.engine.endStale());
  await tasker.stop();
}

/** Creates duplicate requests, and loses a worker with its held steps, some of them recorded. */
async function lostWorker(probe) {
  const tasker = await startTasker(server.url, folder, { names: ['W1'], worker: false });
  const { engine } = tasker;
  const requests = Array.from({ length: 500 }, (_, i) => ({ ...request('W1'), idempotencyKey: `lost ${i}` }));
  await tasker.createTasks(requests);
  await tasker.createTasks(requests, { onDuplicate: 'return' });
  const identity = { name: 'lost', host: 'h', pid: 1, namespaces: ['bench'], callables: ['work'], concurrency: 500 };
  const workerId = await engine.registerWorker({ ...identity, leaseMs: 600_000 });
  const namespaceIds = await engine.namespaceIds(['bench']);
  const token = workerId * 2 ** 24 + 1;
  // As after restoring a backup: half of the ready steps are missing from the queue.
  await probe.query('delete from tasker.queue where id % 2 = 0');
  await engine.checkQueue({ workerIds: [workerId] });
  const { steps } = await engine.claim({ limit: 500, token, workerId, namespaceIds, excluded: [] });
  await engine.adopt([token]);
  const attempts = steps.map((step) => ({
    taskUuid: step.taskUuid,
    idx: step.idx,
    attempt: step.attempts,
    claim: token,
    kind: KIND.completed,
  }));
  await engine.findRecorded(attempts);
  await probe.query(`update tasker.worker set lease_until = now() - interval '1 minute' where id = $1`, [workerId]);
  await engine.sweep(0);
  await tasker.stop();
}

async function load() {
  const workloads = ['W1', 'W2', 'W3', 'W4', 'W6', 'W7'];
  // Two workers, so that some results must be loaded and some steps go through the queue.
  const one = await startTasker(server.url, folder, { names: workloads, concurrency: 500 });
  // The second worker serves two namespaces, so that it uses the claim for several.
  const elsewhere = {
    name: 'other',
    namespace: 'elsewhere',
    version: '1.0.0',
    steps: [{ name: 'a', handler: 'work' }],
  };
  await one.registerTemplates([mustParseTemplate(JSON.stringify(elsewhere))]);
  const namespaces = ['bench', 'elsewhere'];
  const two = await startTasker(server.url, folder, { names: workloads, concurrency: 500, namespaces });
  for (const name of workloads) await many(one, name, name === 'W4' ? 20 : name === 'W6' ? 4 : 1500);
  await sleep(2_500);
  await Promise.all([one.stop(), two.stop()]);
}

async function everything(probe) {
  await load();
  await everyVerb();
  await manyAttemptsAtOnce(probe);
  await dynamicTasks(probe);
  await everyRoute(server.url, probe);
  // This must run before tasks end while their steps are in the queue, because a claim removes those steps.
  await lostWorker(probe);
  await staleTasks(probe);
  await everyWait(server.url, probe);
  await everyEventVerb(server.url, probe, Number(options.events));
}

try {
  const tasker = await startTasker(server.url, folder, { names: ['W1'] });
  await many(tasker, 'W1', 20);
  // Many templates, so that their tables do not fit into a page.
  await tasker.registerTemplates(nightTemplates());
  await tasker.stop();
  const probe = await probeOf(server.url);
  await fillFinished(probe, 'w1', Number(options.finished));
  await fillBatches(probe, Number(options.finished));
  await fillWaits(server.url, probe, Number(options.finished));
  // Plans on the still small tables are irrelevant.
  const { size: from } = await stat(server.logFile);
  if (options.only === undefined) await everything(probe);
  if (options.only === 'routes') await everyRoute(server.url, probe);
  else if (options.only === 'waits') await everyWait(server.url, probe);
  else await everySearch(server.url, probe);
  if (options.only === undefined) await overviewsAndDeletions();
  const finder = await startTasker(server.url, folder, { names: ['W1'], worker: false });
  await finder.createTasks(Array.from({ length: 100 }, () => request('W1')));
  await finder.stop();
  await probe.end();

  const seen = new Map();
  for await (const { 'Query Text': text, Plan } of plansOf(server.logFile, from)) {
    const name = /^\/\* (\w+) \*\//.exec(text)?.[1];
    if (!name) continue;
    const entry = seen.get(name) ?? { runs: 0, faults: new Map() };
    entry.runs++;
    for (const fault of faultsOf(Plan, name)) entry.faults.set(fault.replace(/\d+/g, 'n'), { fault, Plan });
    seen.set(name, entry);
  }
  let wrong = 0;
  for (const name of HOT) {
    const entry = seen.get(name);
    const faults = [...(entry?.faults.values() ?? [])];
    if (!entry && options.only !== undefined) continue;
    wrong += entry ? faults.length : 1;
    const verdict = !entry ? 'not run' : faults.length === 0 ? 'ok' : faults.map(({ fault }) => fault).join('; ');
    console.log(`${name.padEnd(22)} ${String(entry?.runs ?? 0).padStart(6)} runs  ${verdict}`);
    if (options.verbose) for (const { Plan } of faults) console.log(JSON.stringify(Plan, null, 1));
  }
  if (wrong > 0) process.exitCode = 1;
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
