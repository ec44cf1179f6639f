// Shared code of the benchmarks: a temporary database, a tasker with all features on, and two kinds of load.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import pg from 'pg';
import pino from 'pino';
import { createTasker, defineHandler, mustParseTemplate } from 'tasker-core';
import { startEmbedded } from '../dist/db/embedded/start-embedded.js';
import { CUT, templateOf, WORKLOADS } from './workloads.mjs';

/** Number of tasks in one createTasks call. */
export const CREATE_AT_ONCE = 500;

/** Runs a function with the URL of a server: DATABASE_URL, or an embedded server in a temporary folder. */
export async function withServer(run) {
  const folder = await mkdtemp(path.join(tmpdir(), 'tasker-bench-'));
  const server = process.env.DATABASE_URL ? undefined : await startEmbedded({ folder });
  try {
    await run(process.env.DATABASE_URL ?? server.url, folder);
  } finally {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a function with the URL of a new database on a server, and then drops the database. */
export async function withDatabase(serverUrl, run) {
  const name = `tasker_bench_${process.pid}_${Math.floor(performance.now())}`;
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  try {
    await run(url.toString());
  } finally {
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
  }
}

/** Opens a connection for observation. */
export async function probeOf(url) {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {}); // its queries reject with the error
  await client.connect();
  return client;
}

/**
 * Starts a tasker with a worker whose handlers do nothing. The tasker logs at level info to a file.
 * TASKER_BENCH_OPTIONS has further options of createTasker, as JSON.
 */
export async function startTasker(
  url,
  folder,
  { names = Object.keys(WORKLOADS), result = { ok: true }, ...options } = {},
) {
  // As in production, lines are written to the file in chunks of some kilobytes.
  const logger = pino(
    { level: 'info' },
    pino.destination({ dest: path.join(folder, 'bench.log'), sync: false, minLength: 4096 }),
  );
  const work = defineHandler('work', {}, async () => result);
  const cut = defineHandler('cut', {}, async () => CUT);
  const templates = names.map((name) => mustParseTemplate(JSON.stringify(templateOf(name))));
  const more = JSON.parse(process.env.TASKER_BENCH_OPTIONS ?? '{}');
  return createTasker({ templates, handlers: [work, cut], databaseUrl: url, logger, ...more, ...options });
}

export const request = (name, context = {}) => ({
  namespace: 'bench',
  name: name.toLowerCase(),
  version: '1.0.0',
  context,
});

/** Returns the sorted milliseconds from creation to the result of waitForTask, one task at a time. */
export async function latencies(tasker, name, count) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    const { taskUuid } = await tasker.createTask(request(name));
    await tasker.waitForTask(taskUuid);
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b);
}

/** Creates tasks, waits for all of them, and returns the duration in seconds. */
export async function many(tasker, name, count, context = {}) {
  const started = performance.now();
  const waits = [];
  for (let left = count; left > 0; left -= CREATE_AT_ONCE) {
    const requests = Array.from({ length: Math.min(CREATE_AT_ONCE, left) }, () => request(name, context));
    for (const { taskUuid } of await tasker.createTasks(requests)) waits.push(tasker.waitForTask(taskUuid));
  }
  const wrong = (await Promise.all(waits)).filter((task) => task.status !== 'complete');
  if (wrong.length > 0) throw new Error(`${wrong.length} of ${count} tasks did not complete`);
  return (performance.now() - started) / 1000;
}

/** Returns the steps per second of a workload, measured over about the given number of seconds after a warm-up. */
export async function throughput(tasker, name, seconds) {
  const steps = WORKLOADS[name].length;
  const trial = Math.max(1, Math.ceil(4000 / steps));
  await many(tasker, name, trial);
  const count = Math.max(1, Math.round((trial / (await many(tasker, name, trial))) * seconds));
  return { count, steps, run: () => many(tasker, name, count) };
}

export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
export const at = (sorted, q) =>
  Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0).toFixed(2));

/** Runs bench.mjs of a built checkout in a separate process. Returns its figures by workload. */
export async function benchmarkOf(folder, url, { workloads, seconds, payload = 0, options = '{}' }) {
  const args = ['bench/bench.mjs', '--json', '--no-default', '--latency', '0', '--workloads', workloads];
  args.push('--seconds', seconds, '--payload', String(payload));
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, DATABASE_URL: url, TASKER_BENCH_OPTIONS: options },
  });
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return Object.fromEntries(lines.map((line) => [line.workload, line]));
}
