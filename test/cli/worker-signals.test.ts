import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { freshDatabase } from '../support/database.ts';
import { until } from '../support/setup.ts';
import { freePort } from '../support/suite/free-ports.ts';
import { installation, type Project, type RunOptions } from './installation.ts';
import { RunningProcess } from './running.ts';

let place: Awaited<ReturnType<typeof installation>>;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let project: Project;

const waiting = (handler: string) => `name: ${handler}
namespace: demo
identity_strategy: always_unique
version: "1.0.0"
steps: [{ name: wait, handler: ${handler} }]
`;

beforeAll(async () => {
  [place, database] = await Promise.all([installation(), freshDatabase()]);
  project = await place.project('signals', { DATABASE_URL: database.url });
  await project.write('templates/wait.yaml', waiting('wait'));
  await project.write('templates/obey.yaml', waiting('obey'));
  await project.write('handlers/wait.js', waiter('before'));
  await project.write(
    'handlers/obey.js',
    `import { defineHandler } from 'tasker-core';
export const obey = defineHandler('obey', {}, async ({ signal }) => {
  console.error('the handler waits for its signal');
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  throw new Error('interrupted');
});
`,
  );
});

afterAll(async () => {
  await place?.remove();
  await database?.drop();
});

/** A handler that runs until the file that its input names exists. */
const waiter = (word: string) => `import { existsSync } from 'node:fs';
import { defineHandler } from 'tasker-core';
export const wait = defineHandler('wait', { inputs: { file: 'file' } }, async ({ file }) => {
  console.error('the handler runs ${word}');
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20));
  return { word: '${word}' };
});
`;

async function started(args: readonly string[] = [], options?: RunOptions): Promise<RunningProcess> {
  const worker = project.start(['worker', ...args], options);
  await worker.until('worker is ready');
  return worker;
}

/** Returns whether a program listens on a port of this machine. */
function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

it('a second SIGTERM aborts running handlers and releases their steps, and the worker exits 0', async () => {
  const worker = await started(['--drain-timeout', '3600']);
  const id = await project.create('obey');
  await worker.until('the handler waits for its signal');
  worker.process.kill('SIGTERM');
  await worker.until('waiting for running handlers');
  // The worker treats two signals in quick succession as one.
  await until(
    () => {
      worker.process.kill('SIGTERM');
      return worker.output.includes('aborting running handlers');
    },
    (aborting) => aborting,
  );
  expect(await worker.ended).toMatchObject({ code: 0, signal: null });
  expect(await project.json(['step', 'get', id, 'wait'])).toMatchObject({ current_state: 'enqueued', attempts: 0 });
  await project.run(['task', 'cancel', id]);
});

it('a worker exits 0 after one SIGINT', async () => {
  const worker = await started();
  worker.process.kill('SIGINT');
  expect(await worker.ended).toMatchObject({ code: 0, signal: null });
});

it('a worker logs its status on SIGUSR1 and SIGUSR2, continues, and opens no inspector', async () => {
  // Another program may use the default port of the inspector, 9229.
  const port = await freePort();
  const worker = await started(['--name', 'worker-7'], { env: { NODE_OPTIONS: `--inspect-port=${port}` } });
  worker.process.kill('SIGUSR1');
  await worker.until('"msg":"worker status"');
  worker.process.kill('SIGUSR2');
  await worker.until('"msg":"worker status"', 2);
  const line = worker.output.split('\n').find((text) => text.includes('worker status'))!;
  expect(JSON.parse(line)).toMatchObject({ state: 'running', workerId: 'worker-7', running: true, activeHandlers: 0 });
  expect(await isOpen(port)).toBe(false);
  expect(worker.output).not.toContain('Debugger listening');
  worker.process.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ code: 0 });
});

it('SIGHUP reloads handlers and templates, while a running step finishes with its old handler', async () => {
  const worker = await started();
  const old = await project.create('wait', '-i', '{"file":"reloaded"}');
  await worker.until('the handler runs before');
  await project.write('handlers/wait.js', waiter('after'));
  await project.write('templates/more.yaml', waiting('more'));
  worker.process.kill('SIGHUP');
  await worker.until('templates and handlers reloaded');
  const fresh = await project.create('wait', '-i', '{"file":"reloaded"}');
  await worker.until('the handler runs after');
  await project.write('reloaded', '');
  const words: Record<string, unknown> = {};
  for (const [name, id] of Object.entries({ old, fresh })) {
    await project.run(['task', 'watch', id]);
    words[name] = await project.json(['step', 'get', id, 'wait']);
  }
  expect(words).toMatchObject({
    old: { results: { result: { word: 'before' } } },
    fresh: { results: { result: { word: 'after' } } },
  });
  await project.write('handlers/wait.js', 'this is not a program');
  worker.process.kill('SIGHUP');
  await worker.until('the earlier handlers stay in use');
  await project.write('handlers/wait.js', waiter('before'));
  worker.process.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ code: 0 });
});

it('a worker whose port is in use reports it in one line and exits 3', async () => {
  const first = await started();
  const [, port] = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(first.output)!;
  const second = await project.run(['worker', '--web', `127.0.0.1:${port}`]);
  expect(second.code).toBe(3);
  expect(second.stderr.trim().split('\n')).toEqual([
    expect.stringMatching(`error: .*port ${port} of 127.0.0.1 is in use`),
  ]);
  const headless = project.start(['worker', '--web', 'off']);
  await headless.until('worker is ready');
  expect(headless.output).not.toContain('health and metrics server listening');
  for (const worker of [first, headless]) worker.process.kill('SIGTERM');
  expect(await Promise.all([first.ended, headless.ended])).toMatchObject([{ code: 0 }, { code: 0 }]);
});

it('the hint for a port in use keeps the host, so that it opens no other interface', async () => {
  const first = await started();
  const [, port] = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(first.output)!;
  const { stderr } = await project.run(['worker', '--web', `127.0.0.1:${port}`]);
  expect(stderr).toContain(' or --web 127.0.0.1:PORT, ');
  first.process.kill('SIGTERM');
  expect(await first.ended).toMatchObject({ code: 0 });
});

it('workers without an address of their own take the default port or a free one, and log which', async () => {
  const workers = ['one', 'two'].map((name) =>
    project.start(['worker', '--name', name], { env: { TASKER_WEB_BIND_ADDRESS: '' } }),
  );
  await Promise.all(workers.map((worker) => worker.until('worker is ready')));
  const urls = workers.map(({ output }) => /"url":"(http:[^"]+)"/.exec(output)![1]!);
  expect(new Set(urls).size).toBe(2);
  const moved = workers.filter((_, i) => !urls[i]!.endsWith(':8081'));
  expect(moved.length).toBeGreaterThan(0);
  for (const { output } of moved)
    expect(output).toMatch(/"port":8081,.*"the default port is in use, using a free one"/);
  for (const url of urls) expect((await fetch(`${url}/health/live`)).status).toBe(200);
  for (const worker of workers) worker.process.kill('SIGTERM');
  expect(await Promise.all(workers.map((worker) => worker.ended))).toMatchObject([{ code: 0 }, { code: 0 }]);
});

it('the process exits on its own after shutdown() of a WorkerServer', async () => {
  await project.write(
    'own.mjs',
    `import { WorkerServer } from 'tasker-core';
const server = await new WorkerServer().start({ templates: 'templates', handlers: 'handlers', logLevel: 'error' });
await fetch(new URL('/health/ready', server.url));
await fetch(new URL('/metrics', server.url));
await server.shutdown();
const { idle } = performance.eventLoopUtilization();
process.once('exit', () => console.log('idle for', performance.eventLoopUtilization().idle - idle));
`,
  );
  const { code, stdout, stderr } = await project.node(['own.mjs'], { env: { TASKER_WEB_BIND_ADDRESS: '127.0.0.1:0' } })
    .ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  // A busy machine makes the process run longer, but does not make it idle longer.
  expect(Number(/idle for (\S+)/.exec(stdout)![1])).toBeLessThan(5_000);
});

const mayUnshare = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0;

// Skipped where unshare is not permitted, because the worker cannot be the first process there.
it.runIf(mayUnshare)('a worker stops as the first process of a container, with 200 handlers running', async () => {
  const bin = path.resolve(project.folder, '../node_modules/.bin/tasker');
  const isolated = ['--pid', '--fork', '--mount-proc', '--kill-child', process.execPath, bin];
  const child = spawn('unshare', [...isolated, 'worker', '--concurrency', '250', '--drain-timeout', '3600'], {
    cwd: project.folder,
    env: { PATH: process.env.PATH, DATABASE_URL: database.url, TASKER_WEB_BIND_ADDRESS: '127.0.0.1:0' },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const worker = new RunningProcess(child);
  await worker.until('worker is ready');
  const [first] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ');
  const client = await createTasker({ databaseUrl: database.url, worker: false });
  onTestFinished(() => client.stop());
  const request = { namespace: 'demo', name: 'wait', version: '1.0.0', context: { file: 'all-may-end' } };
  const tasks = await client.createTasks(Array.from({ length: 200 }, () => request));
  await worker.until('the handler runs', 200);
  process.kill(Number(first), 'SIGUSR1');
  await worker.until('"activeHandlers":200');
  process.kill(Number(first), 'SIGTERM');
  await worker.until('waiting for running handlers');
  await project.write('all-may-end', '');
  expect(await worker.ended).toMatchObject({ code: 0, signal: null });
  const ended = await Promise.all(tasks.map(({ taskUuid }) => client.getTask(taskUuid)));
  expect(new Set(ended.map(({ status }) => status))).toEqual(new Set(['complete']));
});
