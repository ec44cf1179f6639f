// Measures steps per second and latency through createTasker, with all features on and durable commits.
//   npm run bench -- [--json] [--workloads W1,W2] [--seconds 3] [--concurrency 2000] [--latency 200] [--payload BYTES]
// Prints two lines per workload: at the given concurrency, and at the default one. W8 and W9 send requests to a server
// instead: it creates tasks one by one and in bulk (W8), or returns a task (W9). Without DATABASE_URL, the script uses
// an embedded server in a temporary folder. The script creates its own database, and drops it at the end.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { at, latencies, many, probeOf, startTasker, throughput, withDatabase, withServer } from './harness.mjs';
import { withHttpWorker } from './http-workers.mjs';
import { REST_WORKLOADS, restLines } from './rest-workloads.mjs';
import { serverCpu } from './server-cpu.mjs';
import { WORKLOADS } from './workloads.mjs';

const KNOWN = [...Object.keys(WORKLOADS), ...REST_WORKLOADS];
const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    workloads: { type: 'string', default: KNOWN.join(',') },
    seconds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '2000' },
    latency: { type: 'string', default: '200' },
    payload: { type: 'string', default: '0' },
    'only-default': { type: 'boolean', default: false },
    'no-default': { type: 'boolean', default: false },
  },
});
const DEFAULT_CONCURRENCY = 100;
const names = options.workloads.split(',');
/** The workloads whose steps run in this process. */
const ownNames = names.filter((name) => name !== 'W10' && !REST_WORKLOADS.includes(name));
for (const name of names) {
  if (KNOWN.includes(name)) continue;
  console.error(`error: unknown workload ${name}; the workloads are ${KNOWN.join(', ')}`);
  process.exit(2);
}

async function measure(url, folder, concurrency, isDefault) {
  if (names.includes('W10')) await measureHttp(url, concurrency, isDefault);
  if (ownNames.length === 0) return;
  const result =
    Number(options.payload) > 0
      ? { ok: true, text: randomBytes(Math.ceil(Number(options.payload) * 0.75)).toString('base64') }
      : { ok: true };
  const tasker = await startTasker(url, folder, { names: ownNames, result, ...(isDefault ? {} : { concurrency }) });
  const probe = await probeOf(url);
  // Fill the tables first, because plans made on empty tables cost three times as much.
  await many(tasker, ownNames[0], Math.ceil(2000 / WORKLOADS[ownNames[0]].length));
  await probe.query('vacuum analyze');
  for (const name of ownNames) console.log(format(await workload(tasker, probe, name, concurrency, isDefault)));
  await probe.end();
  await tasker.stop();
}

/** Measures the CPU time of the server only, because the client runs in a separate process. */
async function measureHttp(url, concurrency, isDefault) {
  const probe = await probeOf(url);
  await withHttpWorker(url, concurrency, async (tasker) => {
    await many(tasker, 'W10', 500);
    await probe.query('vacuum analyze');
    console.log(format(await workload(tasker, probe, 'W10', concurrency, isDefault)));
  });
  await probe.end();
}

async function workload(tasker, probe, name, concurrency, isDefault) {
  await latencies(tasker, name, 30);
  const times = await latencies(tasker, name, Number(options.latency));
  const load = await throughput(tasker, name, Number(options.seconds));
  const wal = () => probe.query('select pg_current_wal_insert_lsn() lsn').then(({ rows }) => rows[0].lsn);
  const cpuOfServer = await serverCpu(probe);
  const before = {
    cpu: process.cpuUsage(),
    server: cpuOfServer(),
    statements: tasker.statements,
    lsn: await wal(),
  };
  const wall = await load.run();
  const cpu = process.cpuUsage(before.cpu);
  const server = cpuOfServer() - before.server;
  const { rows } = await probe.query('select pg_wal_lsn_diff($1, $2)::float8 bytes', [await wal(), before.lsn]);
  const total = load.count * load.steps;
  return {
    workload: name,
    concurrency,
    default: isDefault,
    steps_per_s: Math.round(total / wall),
    p50_ms: at(times, 0.5),
    p95_ms: at(times, 0.95),
    cpu_us_per_step: Number(((cpu.user + cpu.system) / total).toFixed(1)),
    // null if the server is on another machine
    server_cpu_us_per_step: Number.isNaN(server) ? null : Number((server / total).toFixed(1)),
    statements_per_step: Number(((tasker.statements - before.statements) / total).toFixed(4)),
    wal_bytes_per_step: Math.round(rows[0].bytes / total),
    tasks: load.count,
  };
}

function format(line) {
  if (options.json) return JSON.stringify(line);
  const label = `${line.workload} ${line.default ? 'default' : ''}`.padEnd(11);
  return `${label} concurrency ${String(line.concurrency).padEnd(5)} ${String(line.steps_per_s).padStart(7)} steps/s  one task ${line.p50_ms} ms (p95 ${line.p95_ms})  ${line.cpu_us_per_step} µs CPU, ${line.statements_per_step} statements, ${line.wal_bytes_per_step} bytes of WAL per step`;
}

function formatRest(line) {
  if (options.json) return JSON.stringify(line);
  const { workload, clients, per_s: rate, p50_ms: p50, p99_ms: p99, missed } = line;
  const label = `${workload}`.padEnd(11);
  const cpu = `${line.client_cpu_us}, ${line.server_cpu_us} and ${line.database_cpu_us} µs CPU of client, server and database`;
  const ratio = line.of_library === undefined ? '' : `  ${line.of_library} of ${line.library_per_s}/s without a server`;
  return `${label} ${String(clients).padEnd(2)} clients ${String(rate).padStart(13)} tasks/s  one request ${p50} ms (p99 ${p99})  ${cpu}${ratio}${missed ? `  MISSED: ${missed}` : ''}`;
}

await withServer((server, folder) =>
  withDatabase(server, async (url) => {
    if (!options['only-default']) await measure(url, folder, Number(options.concurrency), false);
    if (!options['no-default']) await measure(url, folder, DEFAULT_CONCURRENCY, true);
    if (!names.some((name) => REST_WORKLOADS.includes(name))) return;
    const seconds = Number(options.seconds);
    for (const line of await restLines(url, folder, { names, seconds })) console.log(formatRest(line));
  }),
);
