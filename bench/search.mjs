// Measures searches on many tasks: the first page, a page deep in the list, and how many were counted.
//   npm run bench:search -- [--ended 2000000] [--open 200000] [--runs 20] [--folder DIR] [--only text]
// With --folder, the filled server is kept there, and used again.
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createTasker, silentLogger } from 'tasker-core';
import { startEmbedded } from '../dist/db/embedded/start-embedded.js';
import { fillNight, nightTemplates } from './fill-night.mjs';
import { probeOf } from './harness.mjs';
import { serverCpu } from './server-cpu.mjs';

const { values: options } = parseArgs({
  options: {
    ended: { type: 'string', default: '2000000' },
    open: { type: 'string', default: '200000' },
    runs: { type: 'string', default: '20' },
    folder: { type: 'string' },
    only: { type: 'string' },
  },
});

/** Searches of tasks, and of steps (`steps: true`). `slow`: no index serves them; they must end after about two seconds. */
export function searches({ taskUuid, correlationId, parentCorrelationId }) {
  const tasks = (filter, more = {}) => ({ filter, ...more });
  const steps = (filter, more = {}) => ({ filter, steps: true, ...more });
  return [
    tasks({}),
    tasks({ namespace: 'shop' }),
    tasks({ namespace: 'many' }),
    tasks({ name: 'order' }),
    tasks({ templateVersion: '1.7.0' }),
    tasks({ templateVersion: '>=1.100.0 <2.0.0' }),
    tasks({ status: 'complete' }),
    tasks({ status: 'blocked_by_failures' }),
    tasks({ status: ['error', 'cancelled', 'resolved_manually'] }),
    tasks({ status: 'pending' }),
    tasks({ open: true }),
    tasks({ ended: true }),
    tasks({ stale: true }),
    tasks({ tag: 'eu' }),
    tasks({ tag: 'vip' }),
    tasks({ tag: 'rare' }),
    tasks({ tag: 'none' }),
    tasks({ initiator: 'web' }),
    tasks({ initiator: 'ada' }),
    tasks({ source: 'shop' }),
    tasks({ source: 'fax' }),
    tasks({ reason: 'order' }),
    tasks({ reason: 'refund' }),
    tasks({ correlationId }),
    tasks({ parentCorrelationId }),
    tasks({ key: 'no such key' }),
    tasks({ createdAfter: '2h' }),
    tasks({ createdBefore: '7d' }),
    tasks({ endedAfter: '4h' }),
    tasks({ endedBefore: '7d' }),
    tasks({ updatedAfter: '4h' }),
    tasks({ updatedBefore: '29d' }),
    tasks({ step: 'charge' }),
    tasks({ handler: 'charge_handler' }),
    tasks({ stepState: 'complete' }),
    tasks({ stepState: 'pending' }),
    tasks({ stepState: 'cancelled' }),
    tasks({ stepState: 'error' }),
    tasks({ stepState: 'in_progress' }),
    tasks({ errorType: 'timeout' }),
    tasks({ errorType: 'rare_failure' }),
    tasks({ errorType: 'none' }),
    tasks({ worker: 'night-3' }),
    tasks({ namespace: 'shop', status: 'blocked_by_failures' }),
    tasks({ name: 'order', status: 'complete' }),
    tasks({ namespace: 'many', status: 'blocked_by_failures' }),
    tasks({ namespace: 'shop', errorType: 'timeout' }),
    tasks({ namespace: 'many', errorType: 'none' }),
    tasks({ status: 'blocked_by_failures', errorType: 'timeout' }),
    tasks({ status: 'blocked_by_failures', createdAfter: '2h' }),
    tasks({ status: 'error', createdAfter: '2d' }),
    tasks({ status: 'cancelled', errorType: 'timeout' }),
    tasks({ status: 'complete', errorType: 'timeout' }),
    tasks({ namespace: 'shop', open: true }),
    tasks({ name: 'order', initiator: 'ada' }),
    tasks({ initiator: 'cron', source: 'shop' }),
    tasks({ initiator: 'ada', status: 'blocked_by_failures' }),
    tasks({ tag: 'vip', status: 'blocked_by_failures' }),
    tasks({ tag: 'vip', namespace: 'billing' }),
    tasks({ tag: 'rare', open: true }),
    tasks({ reason: 'refund', status: 'complete' }),
    tasks({ step: 'charge', stepState: 'error' }),
    tasks({ handler: 'charge_handler', stepState: 'in_progress' }),
    tasks({ step: 'charge', stepState: 'pending' }),
    tasks({ handler: 'charge_handler', errorType: 'rare_failure' }),
    tasks({ worker: 'night-3', stepState: 'in_progress' }),
    tasks({ worker: 'night-3', namespace: 'many' }),
    tasks({ open: true, stepState: 'resolved_manually' }),
    tasks({}, { sort: 'ended' }),
    tasks({}, { sort: 'updated' }),
    tasks({ namespace: 'shop' }, { sort: 'ended' }),
    tasks({ status: 'error' }, { sort: 'ended' }),
    tasks({ status: 'blocked_by_failures' }, { sort: 'updated', order: 'asc' }),
    tasks({ errorType: 'timeout' }, { sort: 'updated' }),
    steps({}),
    steps({ stepState: 'in_progress' }),
    steps({ stepState: 'enqueued' }),
    steps({ stepState: 'error' }),
    steps({ stepState: 'in_progress', handler: 'charge_handler' }),
    steps({ stepState: 'enqueued', step: 'ship' }),
    steps({ stepState: 'waiting_for_retry', namespace: 'many' }),
    steps({ stepState: 'error', errorType: 'rare_failure' }),
    steps({ errorType: 'timeout' }),
    steps({ worker: 'night-3' }),
    steps({ stepState: 'error', initiator: 'ada' }),
    steps({ stepState: 'in_progress', status: 'blocked_by_failures' }),
    tasks({ context: { customer: 'c77' } }, { slow: true }),
    tasks({ context: { customer: 'nobody' } }, { slow: true }),
    tasks({ error: 'declined' }, { slow: true }),
    tasks({ error: 'no such text' }, { slow: true }),
    steps({ error: 'card 1234 ' }, { slow: true }),
    tasks({ taskUuid }, { skip: true }),
  ].filter((search) => !search.skip);
}

const folder = options.folder ?? (await mkdtemp(path.join(tmpdir(), 'tasker-search-')));
const isFilled = existsSync(path.join(folder, 'postgres'));
const server = await startEmbedded({ folder, settings: { shared_buffers: '2GB', max_wal_size: '8GB' } });

function quantile(sorted, q) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

async function timesOf(run, runs) {
  const times = [];
  for (let i = 0; i < runs; i++) {
    const began = performance.now();
    await run();
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b);
}

/** The cursor of a page at least some thousands deep, if the search finds so many. */
async function deepCursor(find) {
  let cursor;
  for (let i = 0; i < 5; i++) {
    const { nextCursor, timedOut } = await find({ limit: 1000, cursor });
    if (nextCursor === null || timedOut) return cursor;
    cursor = nextCursor;
  }
  return cursor;
}

try {
  const tasker = await createTasker({
    databaseUrl: server.url,
    templates: nightTemplates(),
    worker: false,
    logger: silentLogger,
  });
  const probe = await probeOf(server.url);
  if (!isFilled) {
    const began = performance.now();
    await fillNight(probe, { ended: Number(options.ended), open: Number(options.open) }, (line) => console.error(line));
    console.error(`filled in ${Math.round((performance.now() - began) / 1000)} s`);
  }
  const { rows } = await probe.query(`
    select (select correlation_id from tasker.task_search order by created_at desc limit 1),
           (select parent_correlation_id from tasker.task_search where parent_correlation_id is not null order by created_at limit 1),
           (select count(*) from tasker.task_search) tasks, (select count(*) from tasker.step_search) steps`);
  console.log(`${rows[0].tasks} tasks, ${rows[0].steps} steps in the search tables`);
  console.log(
    `${'ms, median / p95'.padEnd(64)}${'first page'.padStart(16)}${'deep page'.padStart(16)}${'CPU'.padStart(8)}  ${'count'.padStart(8)}`,
  );
  const all = searches({ correlationId: rows[0].correlation_id, parentCorrelationId: rows[0].parent_correlation_id });
  let late = 0;
  const cpu = await serverCpu(probe);
  for (const { filter, steps, slow, sort, order } of all) {
    const name = [
      steps ? 'steps' : 'tasks',
      ...Object.entries(filter).map(
        ([key, value]) => `${key}=${typeof value === 'object' ? JSON.stringify(value) : value}`,
      ),
      sort ? `sort=${sort}` : '',
    ].join(' ');
    if (options.only !== undefined && !name.includes(options.only)) continue;
    const find = (page) =>
      steps ? tasker.listSteps(filter, { order, ...page }) : tasker.listTasks(filter, { sort, order, ...page });
    const runs = slow ? 3 : Number(options.runs);
    await timesOf(() => find({ limit: 50 }), 2);
    const before = cpu();
    const first = await timesOf(() => find({ limit: 50 }), runs);
    const used = (cpu() - before) / runs / 1000;
    const cursor = await deepCursor(find);
    const deep = cursor && (await timesOf(() => find({ limit: 50, cursor }), runs));
    const page = await find({ limit: 50 });
    const shown = (times) =>
      times
        ? `${quantile(times, 0.5).toFixed(1)} / ${quantile(times, 0.95).toFixed(1)}`.padStart(16)
        : '-'.padStart(16);
    const most = Math.max(quantile(first, 0.95), deep ? quantile(deep, 0.95) : 0);
    const isLate = most > (slow ? 2_500 : 50);
    if (isLate) late++;
    const total = `${page.total}${page.totalIsExact ? '' : '+'}${page.timedOut ? ' stopped' : ''}`;
    console.log(
      `${name.padEnd(64)}${shown(first)}${shown(deep)}${used.toFixed(1).padStart(8)}  ${total.padStart(8)}${isLate ? '  LATE' : ''}`,
    );
  }
  console.log(
    late === 0 ? 'every search in time' : `${late} searches took longer than 50 ms (2.5 s if no index serves them)`,
  );
  if (late > 0) process.exitCode = 1;
  await tasker.stop();
  await probe.end();
} finally {
  await server.stop();
  if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
}
