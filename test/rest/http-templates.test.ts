import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type CreateTaskerOptions, createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { mustParseTemplate } from '../../src/template/parse-template.ts';
import { type ServedApiOptions, servedApi } from '../support/rest/served-api.ts';
import { until, withTestDefaults } from '../support/setup.ts';

/** A project with a handler that only a file name finds, and one of an installed package. */
function handlersFolder(): string {
  const root = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'tasker-http-templates-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const handler = (name: string) => `export default class { call() { return { by: '${name}' }; } }`;
  const write = (file: string, text: string) => {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  };
  write('handlers/billing/charge.mjs', handler('file'));
  write('node_modules/@shop/charge/package.json', '{"name":"@shop/charge","type":"module","main":"index.js"}');
  write('node_modules/@shop/charge/index.js', handler('package'));
  return path.join(root, 'handlers');
}

const NAME = { namespace: 'shop', name: 'pay', version: '1.0.0' };
const payBy = (callable: string) => ({
  name: 'pay',
  namespace_name: 'shop',
  version: '1.0.0',
  identity_strategy: 'always_unique',
  steps: [{ name: 'charge', handler: { callable } }],
});

async function served(options: ServedApiOptions = {}) {
  const api = await servedApi({ handlers: handlersFolder(), worker: true, blockedLoopBoundMs: 0, ...options });
  onTestFinished(api.stop);
  const post = async (callable: string) => {
    const posted = await api.ask('POST', '/v1/templates', payBy(callable));
    expect(posted.status).toBe(201);
  };
  return { ...api, post };
}

async function outcome(tasker: Tasker, creator = tasker) {
  const { taskUuid } = await creator.createTask(NAME);
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const step = await tasker.getStep(taskUuid, 'charge');
  return { status, result: step.results?.result, error: step.results?.error };
}

it('a worker in development loads the file and the package that a template over HTTP names', async () => {
  const { tasker, post } = await served();
  await post('./billing/charge');
  expect(await outcome(tasker)).toMatchObject({ status: 'complete', result: { by: 'file' } });
  await post('@shop/charge');
  expect(await outcome(tasker)).toMatchObject({ status: 'complete', result: { by: 'package' } });
});

it('a worker in production fails a step that names a file or package, if its template only arrived over HTTP', async () => {
  const { tasker, post } = await served({ environment: 'production' });
  for (const callable of ['./billing/charge', '@shop/charge']) {
    await post(callable);
    const { status, error } = await outcome(tasker);
    expect(status).toBe('blocked_by_failures');
    expect(JSON.stringify(error)).toContain(
      `callable ${callable} is a file or package, and its template only arrived over HTTP`,
    );
    expect(JSON.stringify(error)).toContain('worker.handlers.files_for_http_templates');
  }
});

it('a worker in production runs a handler that is registered under the name of a package, for a template over HTTP', async () => {
  const byName = defineHandler('@shop/charge', {}, () => ({ by: 'name' }));
  const { tasker, post } = await served({ environment: 'production', handlers: [handlersFolder(), byName] });
  await post('@shop/charge');
  expect(await outcome(tasker)).toMatchObject({ status: 'complete', result: { by: 'name' } });
});

it('the setting decides for all environments', async () => {
  const allowed = await served({ environment: 'production', filesForHttpTemplates: true });
  await allowed.post('./billing/charge');
  expect(await outcome(allowed.tasker)).toMatchObject({ status: 'complete', result: { by: 'file' } });
  const refused = await served({ filesForHttpTemplates: false });
  await refused.post('./billing/charge');
  expect(await outcome(refused.tasker)).toMatchObject({ status: 'blocked_by_failures' });
});

it('a worker in production loads the files that templates of its own folder name, even if the same content also arrived over HTTP', async () => {
  const api = await served({ environment: 'production', worker: false });
  await api.post('./billing/charge');
  const own = mustParseTemplate(JSON.stringify(payBy('./billing/charge')));
  const worker = await createTasker(
    withTestDefaults({
      databaseUrl: api.url,
      environment: 'production',
      templates: [own],
      handlers: handlersFolder(),
    }),
  );
  onTestFinished(() => worker.stop({ drainTimeoutMs: 100 }));
  expect(await outcome(worker)).toMatchObject({ status: 'complete', result: { by: 'file' } });
  // A request over HTTP with the same content takes nothing from it.
  await api.post('./billing/charge');
  expect(await outcome(worker, api.tasker)).toMatchObject({ status: 'complete' });
});

it('a template that arrives over HTTP under the version of a folder does not get the rights of the folder', async () => {
  const own = mustParseTemplate(JSON.stringify(payBy('charge')));
  const { tasker, post } = await served({ environment: 'production', templates: [own] });
  await post('./billing/charge');
  expect(await outcome(tasker)).toMatchObject({ status: 'blocked_by_failures' });
});

it('a worker in production loads the files of a template once a program in the same process has registered it', async () => {
  const { tasker, post } = await served({ environment: 'production' });
  await post('./billing/charge');
  expect(await outcome(tasker)).toMatchObject({ status: 'blocked_by_failures' });
  await tasker.registerTemplates(mustParseTemplate(JSON.stringify(payBy('./billing/charge'))));
  expect(await outcome(tasker)).toMatchObject({ status: 'complete', result: { by: 'file' } });
});

it('templates that were stored before their arrival was recorded count as arrived over HTTP, until a worker registers them', async () => {
  const own = mustParseTemplate(JSON.stringify(payBy('./billing/charge')));
  const api = await served({ worker: false, templates: [own] });
  await api.sql('update tasker.template set registered_by_program = false');
  const worker = async (options: CreateTaskerOptions) => {
    const started = await createTasker(
      withTestDefaults({
        databaseUrl: api.url,
        environment: 'production',
        handlers: handlersFolder(),
        namespaces: ['shop'],
        ...options,
      }),
    );
    onTestFinished(() => started.stop({ drainTimeoutMs: 100 }));
    return started;
  };
  const without = await worker({});
  expect(await outcome(without)).toMatchObject({ status: 'blocked_by_failures' });
  await without.stop({ drainTimeoutMs: 100 });
  expect(await outcome(await worker({ templates: [own] }))).toMatchObject({ status: 'complete' });
});

it('a worker in production loads the files of a template once a program in another process has registered it', async () => {
  const { tasker, url, post } = await served({ environment: 'production' });
  await post('./billing/charge');
  expect(await outcome(tasker)).toMatchObject({ status: 'blocked_by_failures' });
  const templates = [mustParseTemplate(JSON.stringify(payBy('./billing/charge')))];
  const other = { databaseUrl: url, environment: 'production', worker: false, templates };
  const program = await createTasker(withTestDefaults(other));
  onTestFinished(() => program.stop({ drainTimeoutMs: 100 }));
  await until(
    () => outcome(tasker, program),
    ({ status }) => status === 'complete',
  );
});
