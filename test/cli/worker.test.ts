import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { installation, type Project } from './installation.ts';

let place: Awaited<ReturnType<typeof installation>>;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let project: Project;

beforeAll(async () => {
  [place, database] = await Promise.all([installation(), freshDatabase()]);
  project = await place.project('shop', { DATABASE_URL: database.url });
  await project.write(
    'config/tasks/wait.yaml',
    'name: wait\nnamespace: demo\nidentity_strategy: always_unique\nversion: "1.0.0"\nsteps: [{ name: wait, handler: wait }]\n',
  );
  // Runs until the file that its input names exists.
  await project.write(
    'code/wait.js',
    `import { existsSync } from 'node:fs';
import { defineHandler } from 'tasker-core';
export const wait = defineHandler('wait', { inputs: { file: 'file' } }, async ({ file }) => {
  console.error('the handler runs');
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20));
  return {};
});
`,
  );
});

afterAll(async () => {
  await place?.remove();
  await database?.drop();
});

it('a worker lets a running handler finish after SIGTERM, records its result, and exits 0', async () => {
  const worker = project.start(['worker', '--handlers', 'code']);
  await worker.until('discovered 1 handler');
  await worker.until('worker is ready');
  const id = await project.create('wait', '-i', '{"file":"go"}');
  await worker.until('the handler runs');
  worker.process.kill('SIGTERM');
  await worker.until('waiting for running handlers');
  await project.write('go', '');
  expect(await worker.ended).toMatchObject({ code: 0, signal: null });
  expect(await project.json(['task', 'get', id])).toMatchObject({ status: 'complete' });
});

it('a worker exits immediately on the second SIGINT, but treats two simultaneous signals as one', async () => {
  const worker = project.start(['worker'], { env: { TASKER_HANDLER_PATH: 'code' } });
  await worker.until('worker is ready');
  await project.create('wait', '-i', '{"file":"never"}');
  await worker.until('the handler runs');
  worker.process.kill('SIGINT');
  worker.process.kill('SIGINT');
  await worker.until('waiting for running handlers');
  expect(worker.process.exitCode).toBeNull();
  while (worker.process.exitCode === null) {
    worker.process.kill('SIGINT');
    await Promise.race([worker.ended, delay(50)]);
  }
  expect(await worker.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('stopped immediately') });
});

it('a worker releases steps that do not finish within the drain timeout', async () => {
  const worker = project.start(['worker', '--handlers', 'code', '--drain-timeout', '0.1', '--concurrency', '1']);
  await worker.until('worker is ready');
  const id = await project.create('wait', '-i', '{"file":"never either"}', '--priority', '100');
  await worker.until('the handler runs');
  worker.process.kill('SIGTERM');
  await worker.until('handler did not settle within the drain time');
  expect(await worker.ended).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('exiting although a handler left something open'),
  });
  expect(await project.json(['step', 'get', id, 'wait'])).toMatchObject({ current_state: 'enqueued', attempts: 0 });
});

it('a worker logs JSON lines to standard error, and warns about an invalid LOG_LEVEL', async () => {
  const worker = project.start(['worker', '--handlers', 'code', '-n', 'nobody'], { env: { LOG_LEVEL: 'loud' } });
  await worker.until('worker is ready');
  worker.process.kill('SIGTERM');
  const { stdout, stderr } = await worker.ended;
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { msg: string });
  expect(stdout).toBe('');
  expect(lines.map(({ msg }) => msg)).toEqual(
    expect.arrayContaining([expect.stringContaining('LOG_LEVEL: loud'), 'worker registered', 'worker stopped']),
  );
});

it('a worker without templates serves its namespaces with templates that other processes register', async () => {
  const elsewhere = await place.project('elsewhere', { DATABASE_URL: database.url });
  await elsewhere.write('handlers/wait.js', await readFile(path.join(project.folder, 'code/wait.js'), 'utf8'));
  const worker = elsewhere.start(['worker', '-n', 'demo']);
  await worker.until('worker is ready');
  const ended = await project.run(['task', 'create', 'wait', '-i', '{"file":"/"}', '--wait']);
  expect(ended.code).toBe(0);
  worker.process.kill('SIGKILL');
});

it('a worker exits 3 if no file of the handlers folder exports a handler', async () => {
  const empty = await place.project('empty', { DATABASE_URL: database.url });
  const ended = async () => {
    const { code, stderr } = await empty.run(['worker', '-n', 'demo']);
    return [code, stderr.split('\n').find((line) => line.startsWith('error:'))];
  };
  const folder = path.join(empty.folder, 'handlers');
  await empty.write('handlers/readme.md', '');
  expect(await ended()).toEqual([
    3,
    `error: no file in ${folder} exports a handler: no .ts or .js file found; add one, or name another folder with --handlers`,
  ]);
  await empty.write('handlers/price.js', 'export const price = () => ({ price: 1 });\n');
  await empty.write('handlers/types.js', '');
  expect(await ended()).toEqual([
    3,
    `error: no file in ${folder} exports a handler (price.js: no export is a handler: price; types.js: it exports nothing); export what defineHandler returns, or a class with a handlerName`,
  ]);
});

it('a worker starts with a folder that exports only a subscriber', async () => {
  const listening = await place.project('listening', { DATABASE_URL: database.url });
  await listening.write(
    'handlers/log.js',
    `import { BaseSubscriber } from 'tasker-core';
export class Log extends BaseSubscriber {
  static subscriberName = 'log';
  static subscribesTo() { return ['*']; }
  handle() {}
}
`,
  );
  const worker = listening.start(['worker', '-n', 'demo']);
  await worker.until('worker is ready');
  worker.process.kill('SIGTERM');
  expect((await worker.ended).code).toBe(0);
});

it('in production, a worker with changed content of a registered version exits with the difference, and --replace replaces it', async () => {
  const changing = await place.project('changing', { DATABASE_URL: database.url, TASKER_ENV: 'production' });
  const write = (attempts: number) =>
    changing.write(
      'config/tasks/changing.yaml',
      `name: changing\nnamespace: demo\nversion: "1.0.0"\nsteps: [{ name: wait, handler: wait, retry: { max_attempts: ${attempts} } }]\n`,
    );
  await changing.write('code/wait.js', await readFile(path.join(project.folder, 'code/wait.js'), 'utf8'));
  const starts = async (...more: string[]) => {
    const worker = changing.start(['worker', '--handlers', 'code', ...more]);
    await worker.until('worker is ready');
    worker.process.kill('SIGTERM');
    expect(await worker.ended).toMatchObject({ code: 0 });
  };
  await write(3);
  await starts();
  await write(5);
  const refused = await changing.run(['worker', '--handlers', 'code']);
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringMatching(
      /template demo\/changing@1\.0\.0 is registered with different content:\n +steps\.wait\.retry\.max_attempts: 3 → 5\n.*start with --replace/,
    ),
  ]);
  await starts('--replace');
  // The replaced content is the registered one now.
  await starts();
});
