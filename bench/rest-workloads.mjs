// W8 and W9: creates and reads tasks through the HTTP API of a server in a separate process.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { createTasker, mustParseTemplate, silentLogger } from 'tasker-core';
import { at, probeOf } from './harness.mjs';
import { Connections, closedLoop, requestBytes } from './rest-http.mjs';
import { projectIn, taskOf } from './rest-processes.mjs';
import { processCpu, serverCpu } from './server-cpu.mjs';

/** Number of clients that create or read one task at a time. */
const CLIENTS = 64;
/** Number of clients that create many tasks per request, and of callers of createTasks in the comparison. */
const BULK_CLIENTS = 2;
const BULK_TASKS = 1_000;
const LIMITS = { single: 3_000, bulkOfLibrary: 0.7 };

export const REST_WORKLOADS = ['W8', 'W9'];

/** Measures the workloads of `names`, and returns a line for each. */
export async function restLines(databaseUrl, folder, { names, seconds }) {
  const project = path.join(folder, `rest-${process.hrtime.bigint()}`);
  await mkdir(project);
  const start = await projectIn(project, databaseUrl);
  const server = await start(['server', '--bind', '127.0.0.1:0']);
  const probe = await probeOf(databaseUrl);
  const rest = new RestLoad({ url: server.url, pid: server.pid, cpuOfDatabase: await serverCpu(probe), seconds });
  try {
    const lines = [];
    if (names.includes('W8')) lines.push(await rest.single(), await bulk(rest, databaseUrl, probe));
    if (names.includes('W9')) lines.push(await rest.read());
    return lines;
  } finally {
    await server.stop();
    await probe.end();
  }
}

class RestLoad {
  #parts;

  constructor(parts) {
    this.#parts = parts;
  }

  get seconds() {
    return this.#parts.seconds;
  }

  async single() {
    const bytes = requestBytes('POST', '/v1/tasks', taskOf());
    const line = await this.measure('W8 single', CLIENTS, { most: 1 }, () => bytes, 201);
    return {
      ...line,
      missed: line.per_s < LIMITS.single ? `less than ${LIMITS.single} tasks created per second` : null,
    };
  }

  bulk() {
    const body = `${taskOf()}\n`.repeat(BULK_TASKS);
    const bytes = requestBytes('POST', '/v1/tasks/bulk', body, 'application/x-ndjson');
    return this.measure('W8 bulk', BULK_CLIENTS, { most: BULK_TASKS }, () => bytes, 200);
  }

  /** Reads tasks. Each client reads its own task. */
  async read() {
    const connections = new Connections(this.#parts.url, 1);
    const reads = [];
    for (let i = 0; i < CLIENTS; i++) {
      const { body } = await connections.ask(requestBytes('POST', '/v1/tasks', taskOf()));
      reads.push(requestBytes('GET', `/v1/tasks/${JSON.parse(body).task_uuid}`));
    }
    connections.close();
    return this.measure('W9', CLIENTS, { most: 1 }, (client) => reads[client], 200);
  }

  /** Sends requests from clients that each wait for the response. `most` is the number of tasks per request. */
  async measure(workload, clients, { most }, bytesOf, expected) {
    const { url, pid, cpuOfDatabase, seconds } = this.#parts;
    const connections = new Connections(url, clients);
    const send = async (client) => {
      const answer = await connections.ask(bytesOf(client));
      if (answer.status !== expected) throw new Error(`${workload}: ${answer.status} ${answer.body.slice(0, 500)}`);
      const last = most === 1 ? undefined : /"done":true,.*"created":(\d+)/.exec(answer.body);
      if (most > 1 && Number(last?.[1]) !== most) throw new Error(`${workload}: ${answer.body.slice(-500)}`);
    };
    await closedLoop({ lanes: clients, seconds: Math.min(2, seconds) }, send);
    const before = { client: process.cpuUsage(), server: processCpu(pid), database: cpuOfDatabase() };
    const loop = await closedLoop({ lanes: clients, seconds }, send);
    const client = process.cpuUsage(before.client);
    const total = loop.times.length * most;
    const each = (microseconds) => (Number.isNaN(microseconds) ? null : Number((microseconds / total).toFixed(1)));
    connections.close();
    return {
      workload,
      clients,
      per_s: Math.round(total / loop.seconds),
      p50_ms: at(loop.times, 0.5),
      p99_ms: at(loop.times, 0.99),
      client_cpu_us: each(client.user + client.system),
      server_cpu_us: each(processCpu(pid) - before.server),
      database_cpu_us: each(cpuOfDatabase() - before.database),
    };
  }
}

/** Compares bulk creation with createTasks in this process, which runs before and afterwards. */
async function bulk(rest, databaseUrl, probe) {
  const template = { name: 'one', namespace: 'bench', version: '1.0.0', identity_strategy: 'always_unique' };
  const steps = [{ name: 'only', handler: 'work' }];
  const templates = [mustParseTemplate(JSON.stringify({ ...template, steps }))];
  const tasker = await createTasker({ databaseUrl, templates, worker: false, logger: silentLogger });
  try {
    await probe.query('vacuum analyze');
    const library = [await rateOfLibrary(tasker, rest.seconds / 2)];
    const line = await rest.bulk();
    library.push(await rateOfLibrary(tasker, rest.seconds / 2));
    const rate = (library[0] + library[1]) / 2;
    const ratio = Number((line.per_s / rate).toFixed(2));
    const missed = ratio < LIMITS.bulkOfLibrary ? `less than ${LIMITS.bulkOfLibrary} of the library's own rate` : null;
    return { ...line, library_per_s: Math.round(rate), of_library: ratio, missed };
  } finally {
    await tasker.stop();
  }
}

async function rateOfLibrary(tasker, seconds) {
  const { source_system: sourceSystem, ...task } = JSON.parse(taskOf());
  // The same tasks as in the requests, and as many per transaction as in the server.
  const requests = Array.from({ length: BULK_TASKS / 2 }, () => ({ ...task, sourceSystem }));
  const loop = await closedLoop({ lanes: BULK_CLIENTS, seconds }, () => tasker.createTasks(requests));
  return (loop.times.length * requests.length) / loop.seconds;
}
