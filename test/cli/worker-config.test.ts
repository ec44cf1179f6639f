import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { freshDatabase } from '../support/database.ts';
import { installation, type Project } from './installation.ts';
import type { RunningProcess } from './running.ts';

let place: Awaited<ReturnType<typeof installation>>;
let database: Awaited<ReturnType<typeof freshDatabase>>;

beforeAll(async () => {
  [place, database] = await Promise.all([installation(), freshDatabase()]);
});

afterAll(async () => {
  await place?.remove();
  await database?.drop();
});

const greet = (namespace: string) => `name: greet
namespace: ${namespace}
identity_strategy: always_unique
version: "1.0.0"
steps: [{ name: greet, handler: greet }]
`;

const GREET_HANDLER = `import { defineHandler } from 'tasker-core';
export const greet = defineHandler('greet', {}, () => ({ greeting: 'Hello' }));
`;

/** Creates a project with a template and a handler `greet`, and this configuration. */
async function projectWith(name: string, toml: string): Promise<Project> {
  const project = await place.project(name, { DATABASE_URL: database.url });
  await project.write('config/tasks/greet.yaml', greet(name));
  await project.write('handlers/greet.js', GREET_HANDLER);
  await project.write('tasker.toml', toml);
  return project;
}

async function stopped(worker: RunningProcess): Promise<void> {
  worker.process.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ code: 0 });
}

it('a worker serves /health if tasker.toml enables it, and names the file in its status', async () => {
  const project = await projectWith('open', '[worker.web]\nenabled = true\n');
  const worker = project.start(['worker']);
  await worker.until('worker is ready');
  const [, url] = /"url":"(http:[^"]+)"/.exec(worker.output)!;
  expect((await fetch(`${url}/health`)).status).toBe(200);
  worker.process.kill('SIGUSR1');
  await worker.until('"msg":"worker status"');
  const line = worker.output.split('\n').find((text) => text.includes('worker status'))!;
  expect(JSON.parse(line)).toMatchObject({ configPath: expect.stringMatching(/open\/tasker\.toml$/) });
  await stopped(worker);
});

it('a worker whose tasker.toml disables the port still runs steps', async () => {
  const project = await projectWith('headless', '[worker.web]\nenabled = false\n');
  const worker = project.start(['worker']);
  await worker.until('worker is ready');
  expect(worker.output).not.toContain('health and metrics server listening');
  expect((await project.run(['task', 'create', 'headless/greet@1.0.0', '--wait'])).code).toBe(0);
  await stopped(worker);
});

it('a worker with TASKER_NAMESPACE does not run steps of other namespaces', async () => {
  const [mine, others] = [await projectWith('mine', ''), await projectWith('others', '')];
  const left = await others.create('others/greet@1.0.0');
  // This worker has the handlers for both namespaces.
  const worker = mine.start(['worker'], { env: { TASKER_NAMESPACE: 'mine' } });
  await worker.until('worker is ready');
  expect((await mine.run(['task', 'create', 'mine/greet@1.0.0', '--wait'])).code).toBe(0);
  const [, step] = await Promise.all([stopped(worker), others.json(['step', 'get', left, 'greet'])]);
  expect(step).toMatchObject({ current_state: 'enqueued', attempts: 0 });
});

it('bootstrapWorker() needs only the environment and the file, and the process exits on its own after stopWorker()', async () => {
  const project = await projectWith('alone', '[worker]\nworker_id = "by-file"\n[worker.web]\nenabled = true\n');
  await project.write(
    'own.mjs',
    `import {
  bootstrapWorker, EventBridge, EventPoller, getWorkerStatus, HandlerRegistry, StepExecutionSubscriber, stopWorker,
} from 'tasker-core';
const started = await bootstrapWorker();
const eventBridge = EventBridge.instance();
eventBridge.start();
const subscriber = new StepExecutionSubscriber({ eventBridge, handlerRegistry: HandlerRegistry.instance() });
subscriber.start();
const poller = new EventPoller();
poller.start();
process.once('SIGTERM', async () => {
  const { supportedNamespaces, webApiEnabled, webUrl } = getWorkerStatus();
  const { status } = await fetch(webUrl + '/health');
  await poller.stop();
  await subscriber.stop();
  eventBridge.stop();
  const ends = [(await stopWorker()).status, (await stopWorker()).status];
  console.log(JSON.stringify({ started, supportedNamespaces, webApiEnabled, status, ends }));
});
console.error('it runs');
`,
  );
  const program = project.node(['own.mjs'], { env: { TASKER_HANDLER_PATH: 'handlers' } });
  await program.until('it runs');
  const tasker = await createTasker({ databaseUrl: database.url, worker: false });
  const { taskUuid } = await tasker.createTask({ namespace: 'alone', name: 'greet', version: '1.0.0', context: {} });
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 })).status).toBe('complete');
  await tasker.stop();
  program.process.kill('SIGTERM');
  const { code, stdout } = await program.ended;
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    started: expect.objectContaining({ status: 'started', workerId: 'by-file' }),
    supportedNamespaces: ['alone'],
    webApiEnabled: true,
    status: 200,
    ends: ['stopped', 'not_running'],
  });
});

it('a worker starts without templates if TASKER_NAMESPACE or tasker.toml sets the namespace', async () => {
  const project = await place.project('bare', { DATABASE_URL: database.url });
  await project.write('handlers/greet.js', GREET_HANDLER);
  for (const env of [{ TASKER_NAMESPACE: 'bare' }, undefined]) {
    const worker = project.start(['worker'], env && { env });
    await worker.until('worker is ready');
    expect(worker.output).not.toContain('no templates found');
    await stopped(worker);
    await project.write('tasker.toml', '[worker]\nnamespaces = ["bare"]\n');
  }
});

it('bootstrapWorker() logs one warning if there is neither a template nor a namespace', async () => {
  const project = await place.project('lonely', { DATABASE_URL: database.url });
  await project.write('package.json', '{}');
  await project.write(
    'own.mjs',
    `import { mkdirSync, writeFileSync } from 'node:fs';
import { bootstrapWorker, stopWorker } from 'tasker-core';
const run = async (name) => {
  console.error('== ' + name);
  await bootstrapWorker();
  await stopWorker();
};
await run('nothing');
process.env.TASKER_NAMESPACE = 'lonely';
await run('a namespace');
delete process.env.TASKER_NAMESPACE;
mkdirSync('config/tasks', { recursive: true });
writeFileSync('config/tasks/read.me', '');
await run('a folder');
writeFileSync('config/tasks/greet.yaml', process.argv[2]);
await run('a template');
`,
  );
  const { code, stderr } = await project.node(['own.mjs', greet('lonely')]).ended;
  expect(code).toBe(0);
  const [, ...runs] = stderr.split(/^== /m);
  const warnings = runs.map((run) => run.split('\n').filter((line) => line.includes('no templates found in')));
  expect(warnings).toEqual([
    [expect.stringContaining('config/tasks or templates of this project; this worker serves the templates in')],
    [],
    [expect.stringContaining(`in ${path.join(project.folder, 'config/tasks')};`)],
    [],
  ]);
});
