// Measures the time of a worker with 200 handler files and 100 templates from startup to its first step: cold (nothing
// is bundled or registered) and warm. Prints the wall time, and the CPU time of the process and its children.
//   npm run bench:start [-- runs]     DATABASE_URL, or an embedded server
import { spawn } from 'node:child_process';
import { cp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createTasker } from 'tasker-core';
import { withDatabase, withServer } from './harness.mjs';

const HANDLERS = 200;
const TEMPLATES = 100;
const STEPS = 6;
const WORKER_ENDS_MS = 20_000;
const root = fileURLToPath(new URL('..', import.meta.url));

const handler = (n) => `import { defineHandler } from 'tasker-core';
import { first, sumOf } from './_lib/shared.ts';

interface Order {
  total: number;
  lines: { sku: string; quantity: number }[];
}

export const handler${n} = defineHandler('handler_${n}', { inputs: { order: 'order' } }, async ({ order }: { order?: Order }) => {
  first();
  return { step: ${n}, total: order?.total ?? 0, count: sumOf(order?.lines ?? []) };
});
`;

/** A module that all handlers import. At the first step, it prints the time that the process has used. */
const SHARED_MODULE = `import { readFileSync } from 'node:fs';
let printed = false;

export const sumOf = (lines: { quantity: number }[]) => lines.reduce((sum, line) => sum + line.quantity, 0);

export function first(): void {
  if (printed) return;
  printed = true;
  console.log(JSON.stringify({ firstStep: true, wallMs: performance.now(), cpuMs: cpuMs() }));
}

/** Returns the CPU time, on Linux including child processes that have exited. */
function cpuMs(): number {
  if (process.platform !== 'linux') {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}
`;

const template = (n) => `name: flow_${n}
namespace: start
version: "1.0.0"
identity_strategy: always_unique
description: Flow ${n} of a project with many flows.
input_schema:
  type: object
  properties:
    order:
      type: object
      required: [total]
      properties:
        total: { type: number, minimum: ${n} }
        lines: { type: array, items: { type: object, properties: { sku: { type: string }, quantity: { type: integer } } } }
steps:
${Array.from({ length: STEPS }, (_, i) => step(n, i)).join('')}`;

const step = (n, i) => `  - name: step_${i}
    handler: handler_${(n * STEPS + i) % HANDLERS}
    dependencies: [${i === 0 ? '' : `step_${i - 1}`}]
    retry: { max_attempts: 3, backoff: exponential }
    result_schema: { type: object, required: [step], properties: { step: { type: integer }, total_${n}_${i}: { type: number } } }
`;

async function makeProject(folder) {
  const modules = path.join(folder, 'node_modules');
  const own = path.join(modules, 'tasker-core');
  await mkdir(own, { recursive: true });
  for (const name of ['bin', 'dist', 'migrations', 'statements', 'package.json']) {
    await cp(path.join(root, name), path.join(own, name), { recursive: true });
  }
  for (const name of await readdir(path.join(root, 'node_modules'))) {
    if (!name.startsWith('.') && name !== 'tasker-core') {
      await symlink(path.join(root, 'node_modules', name), path.join(modules, name));
    }
  }
  await mkdir(path.join(folder, 'handlers', '_lib'), { recursive: true });
  await mkdir(path.join(folder, 'templates'), { recursive: true });
  await writeFile(path.join(folder, 'package.json'), '{ "name": "start", "type": "module" }');
  await writeFile(path.join(folder, 'handlers', '_lib', 'shared.ts'), SHARED_MODULE);
  const each = (count, write) => Promise.all(Array.from({ length: count }, (_, n) => write(n)));
  await each(HANDLERS, (n) => writeFile(path.join(folder, 'handlers', `handler-${n}.ts`), handler(n)));
  await each(TEMPLATES, (n) => writeFile(path.join(folder, 'templates', `flow-${n}.yaml`), template(n)));
}

/** Creates a task, starts a worker for it, and returns the times that the worker printed at its first step. */
async function start(folder, url) {
  const client = await createTasker({
    databaseUrl: url,
    templates: path.join(folder, 'templates', 'flow-0.yaml'),
    worker: false,
  });
  const { taskUuid } = await client.createTask({ namespace: 'start', name: 'flow_0', version: '1.0.0', context: {} });
  const bin = path.join(folder, 'node_modules', 'tasker-core', 'bin', 'tasker.js');
  const flags = (process.env.BENCH_NODE_FLAGS ?? '').split(' ').filter(Boolean);
  const env = { ...process.env, DATABASE_URL: url, TASKER_WEB_BIND_ADDRESS: '127.0.0.1:0', TASKER_LOG: 'warn' };
  const child = spawn(process.execPath, [...flags, bin, 'worker'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let seen;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes('"firstStep"')) continue;
    seen = JSON.parse(line);
    await client.waitForTask(taskUuid, { timeoutMs: WORKER_ENDS_MS });
    child.kill('SIGTERM');
  }
  await ended;
  await client.stop();
  if (!seen) throw new Error('the worker exited before its first step');
  return seen;
}

const show = (name, { wallMs, cpuMs }) =>
  console.log(`${name.padEnd(6)} ${Math.round(wallMs)} ms wall, ${Math.round(cpuMs)} ms CPU, to the first step`);

const runs = Number(process.argv[2] ?? 3);
await withServer(async (serverUrl, folder) => {
  const project = path.join(folder, 'project');
  await makeProject(project);
  await withDatabase(serverUrl, async (url) => {
    console.log(`${HANDLERS} handler files, ${TEMPLATES} templates of ${STEPS} steps, Node ${process.version}`);
    show('cold', await start(project, url));
    for (let run = 0; run < runs; run += 1) show('warm', await start(project, url));
  });
  await rm(project, { recursive: true, force: true });
});
