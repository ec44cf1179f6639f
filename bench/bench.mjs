// Measures steps per second and latency through createTasker, all features on, everything committed durably.
//   npm run bench -- [--json] [--workloads W1,W2] [--seconds 3] [--concurrency 2000] [--latency 200]
// Prints two lines a workload: at the given concurrency, and at the default one. Without DATABASE_URL on an embedded
// server in a temporary folder. It works in a database of its own, which it drops at the end.
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import pg from 'pg';
import pino from 'pino';
import { createTasker, defineHandler, mustParseTemplate } from 'tasker-core';
import { startEmbedded } from '../dist/db/embedded/start-embedded.js';
import { templateOf, WORKLOADS } from './workloads.mjs';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    workloads: { type: 'string', default: Object.keys(WORKLOADS).join(',') },
    seconds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '2000' },
    latency: { type: 'string', default: '200' },
    'only-default': { type: 'boolean', default: false },
    'no-default': { type: 'boolean', default: false },
  },
});
const DEFAULT_CONCURRENCY = 100;
const CREATE_AT_ONCE = 250;
const names = options.workloads.split(',');
for (const name of names) if (!(name in WORKLOADS)) throw new Error(`no workload ${name}; there are ${Object.keys(WORKLOADS)}`);

const work = defineHandler('work', {}, async () => ({ ok: true }));
const templates = names.map((name) => mustParseTemplate(JSON.stringify(templateOf(name))));

async function withDatabase(run) {
  const folder = await mkdtemp(path.join(tmpdir(), 'tasker-bench-'));
  const server = process.env.DATABASE_URL ? undefined : await startEmbedded({ folder });
  const url = new URL(process.env.DATABASE_URL ?? server.url);
  const name = `tasker_bench_${process.pid}`;
  const admin = new pg.Client({ connectionString: url.toString() });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const target = new URL(url);
  target.pathname = `/${name}`;
  try {
    await run(target.toString(), folder);
  } finally {
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

const at = (sorted, q) => Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0).toFixed(2));

async function measure(url, folder, concurrency, isDefault) {
  const logger = pino({ level: 'info' }, createWriteStream(path.join(folder, 'bench.log')));
  const settings = isDefault ? {} : { concurrency };
  const tasker = await createTasker({ templates, handlers: [work], databaseUrl: url, logger, ...settings });
  const probe = new pg.Client({ connectionString: url });
  await probe.connect();
  // Finished history first: plans made on empty tables cost three times as much.
  await many(tasker, 'W3' in WORKLOADS && names.includes('W3') ? 'W3' : names[0], 500);
  await probe.query('vacuum analyze');
  for (const name of names) console.log(format(await workload(tasker, probe, name, concurrency, isDefault)));
  await probe.end();
  await tasker.stop();
  await new Promise((resolve) => logger.flush(resolve));
}

const request = (name) => ({ namespace: 'bench', name: name.toLowerCase(), version: '1.0.0', context: {} });

async function one(tasker, name) {
  const { taskUuid } = await tasker.createTask(request(name));
  await tasker.waitForTask(taskUuid);
}

async function many(tasker, name, count) {
  const started = performance.now();
  const waits = [];
  for (let left = count; left > 0; left -= CREATE_AT_ONCE) {
    const size = Math.min(CREATE_AT_ONCE, left);
    for (const { taskUuid } of await tasker.createTasks(Array.from({ length: size }, () => request(name)))) {
      waits.push(tasker.waitForTask(taskUuid));
    }
  }
  const done = await Promise.all(waits);
  const wrong = done.filter((task) => task.status !== 'complete');
  if (wrong.length > 0) throw new Error(`${wrong.length} of ${count} tasks did not complete`);
  return (performance.now() - started) / 1000;
}

async function workload(tasker, probe, name, concurrency, isDefault) {
  for (let i = 0; i < 30; i++) await one(tasker, name);
  const times = [];
  for (let i = 0; i < Number(options.latency); i++) {
    const started = performance.now();
    await one(tasker, name);
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const steps = WORKLOADS[name].length;
  const trial = Math.max(1, Math.ceil(4000 / steps));
  await many(tasker, name, trial);
  const rate = trial / (await many(tasker, name, trial));
  const count = Math.max(1, Math.round(rate * Number(options.seconds)));
  const wal = () => probe.query('select pg_current_wal_insert_lsn() lsn').then(({ rows }) => rows[0].lsn);
  const before = { cpu: process.cpuUsage(), statements: tasker.statements, lsn: await wal() };
  const wall = await many(tasker, name, count);
  const cpu = process.cpuUsage(before.cpu);
  const { rows } = await probe.query('select pg_wal_lsn_diff($1, $2)::float8 bytes', [await wal(), before.lsn]);
  const total = count * steps;
  return {
    workload: name,
    concurrency,
    default: isDefault,
    steps_per_s: Math.round(total / wall),
    p50_ms: at(times, 0.5),
    p95_ms: at(times, 0.95),
    cpu_us_per_step: Number(((cpu.user + cpu.system) / total).toFixed(1)),
    statements_per_step: Number(((tasker.statements - before.statements) / total).toFixed(4)),
    wal_bytes_per_step: Math.round(rows[0].bytes / total),
    tasks: count,
  };
}

function format(line) {
  if (options.json) return JSON.stringify(line);
  const label = `${line.workload} ${line.default ? 'default' : ''}`.padEnd(11);
  return `${label} concurrency ${String(line.concurrency).padEnd(5)} ${String(line.steps_per_s).padStart(7)} steps/s  one task ${line.p50_ms} ms (p95 ${line.p95_ms})  ${line.cpu_us_per_step} µs CPU, ${line.statements_per_step} statements, ${line.wal_bytes_per_step} bytes of WAL a step`;
}

await withDatabase(async (url, folder) => {
  if (!options['only-default']) await measure(url, folder, Number(options.concurrency), false);
  if (!options['no-default']) await measure(url, folder, DEFAULT_CONCURRENCY, true);
});
