import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { testTasker } from '../../../src/testing/index.ts';
import { collectingLogger } from '../../handlers/collecting-logger.ts';
import { DEMO, deferred, invariants, setup, template, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const named = (name: string, by: string) => defineHandler(name, {}, () => ({ by }));

async function resultOf(tasker: Tasker, request: { namespace: string; name: string; version: string }) {
  const { taskUuid } = await tasker.createTask(request);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  return (await tasker.getStep(taskUuid, 'a')).results?.result;
}

describe('a template folder', () => {
  const YAML = 'name: demo\nversion: 1.0.0\nidentity_strategy: always_unique\nsteps: [{ name: a, handler: a }]\n';
  const folderWith = async (files: Record<string, string>) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'tasker-templates-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    for (const [name, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await writeFile(path.join(folder, name), text);
    }
    return folder;
  };

  it('below node_modules is read, without the packages that it contains itself', async () => {
    const inPackage = 'node_modules/@acme/flows/templates';
    const folder = await folderWith({
      [`${inPackage}/more/demo.yml`]: `namespace: below_modules\n${YAML}`,
      [`${inPackage}/node_modules/other/other.yaml`]: `namespace: below_modules_twice\n${YAML}`,
    });
    const { tasker } = await setup({ worker: false, templates: path.join(folder, inPackage) });
    expect((await tasker.createTask({ namespace: 'below_modules', name: 'demo' })).version).toBe('1.0.0');
    expect((await tasker.engine.templates.list()).map(({ namespace }) => namespace)).toEqual(['below_modules']);
  });

  it('without templates is an error with its path', async () => {
    const folder = await folderWith({ 'read.me': 'later', 'node_modules/other/other.yaml': YAML });
    const message = `templates: ${folder} has no template files (*.yaml or *.yml, except in node_modules below it); pass the folder that has them, or add one`;
    const { tasker, another } = await setup({ worker: false });
    const refused = { code: 'template_invalid', message };
    await expect(another({ templates: folder })).rejects.toMatchObject(refused);
    await expect(another({ templates: [template({ a: [] }), folder] })).rejects.toMatchObject(refused);
    await expect(tasker.registerTemplates(folder)).rejects.toMatchObject(refused);
    await expect(testTasker({ templates: folder, handlers: [] })).rejects.toMatchObject(refused);
    await another({ templates: [] });
  });
});

describe('templates', () => {
  it('TASKER_ENV selects the overrides of templates', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'tasker-templates-'));
    const before = process.env.TASKER_ENV;
    onTestFinished(async () => {
      if (before === undefined) delete process.env.TASKER_ENV;
      else process.env.TASKER_ENV = before;
      await rm(folder, { recursive: true });
    });
    const text = `
name: demo
namespace: overrides
version: 1.0.0
identity_strategy: always_unique
steps:
  - name: a
    handler: { callable: a, initialization: { bank: sandbox, retries: 1 } }
environments:
  test: { steps: [{ name: a, handler: { initialization: { bank: fake } } }] }
  production: { steps: [{ name: a, handler: { initialization: { bank: real } } }] }
`;
    await writeFile(path.join(folder, 'demo.yaml'), text);
    const show = defineHandler('a', {}, ({ context }) => context.stepConfig);
    const seen: unknown[] = [];
    for (const environment of ['test', 'production', 'development', undefined]) {
      if (environment === undefined) delete process.env.TASKER_ENV;
      else process.env.TASKER_ENV = environment;
      const tasker = await createTasker({
        databaseUrl: shared.url,
        replaceTemplates: true,
        templates: folder,
        handlers: [show],
        logger: silentLogger,
        poolSize: 3,
        migrate: false,
      });
      seen.push(await resultOf(tasker, { namespace: 'overrides', name: 'demo', version: '1.0.0' }));
      await tasker.stop();
    }
    const plain = { bank: 'sandbox', retries: 1 };
    expect(seen).toEqual([{ ...plain, bank: 'fake' }, { ...plain, bank: 'real' }, plain, plain]);
  });

  it('registering different content under an existing version logs one warning with both digests, and running tasks keep theirs', async () => {
    const gate = deferred();
    const { logger, lines } = collectingLogger();
    const handlers = [
      defineHandler('a', {}, async () => void (await gate.promise)),
      named('b', 'old'),
      named('c', 'new'),
    ];
    const { tasker, demo, another } = await shared.setup(
      { a: [], last: { handler: 'b', dependencies: ['a'] } },
      { handlers, logger },
    );
    const old = await tasker.createTask(demo);
    lines.length = 0;
    const changed = template(
      { a: [], last: { handler: 'c', dependencies: ['a'] }, more: { handler: 'c' } },
      { namespace: demo.namespace },
    );
    await tasker.registerTemplates([changed]);
    await tasker.registerTemplates([changed]);
    const warnings = lines.filter((line) => line.level === 'warn');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]!.message).toMatch(
      new RegExp(
        `template ${demo.namespace}/demo@1.0.0 has different content \\([0-9a-f]{12}\\) than .* \\([0-9a-f]{12}\\)`,
      ),
    );
    // `name` is a field of the logger.
    expect(warnings[0]!.fields).toEqual({
      template: `${demo.namespace}/demo@1.0.0`,
      digest: expect.any(String),
      other: expect.any(String),
    });
    const fresh = await tasker.createTask(demo);
    gate.resolve();
    const ended = async (taskUuid: string) => {
      await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
      return Object.fromEntries((await tasker.getSteps(taskUuid)).map((step) => [step.name, step.results?.result]));
    };
    expect(await ended(old.taskUuid)).toEqual({ a: {}, last: { by: 'old' } });
    expect(await ended(fresh.taskUuid)).toEqual({ a: {}, last: { by: 'new' }, more: { by: 'new' } });
    // Another process registers the first content again, which makes it the newest.
    await another({ worker: false, handlers: [] });
    await until(
      async () => (await tasker.createTask(demo)).totalSteps,
      (steps) => steps === 2,
    );
  });

  it('each start that makes earlier content the newest again logs one warning', async () => {
    const { demo, another } = await shared.setup({ a: [] }, { worker: false });
    const contents = [template({ a: [] }, demo), template({ a: [], b: [] }, demo)];
    const warningsAtStart = async (content: (typeof contents)[number]) => {
      const { logger, lines } = collectingLogger();
      await another({ templates: content, logger });
      return lines.filter(({ message }) => message.includes('has different content')).length;
    };
    const seen: number[] = [];
    for (const at of [0, 1, 1, 0, 0, 1]) seen.push(await warningsAtStart(contents[at]!));
    expect(seen).toEqual([0, 1, 0, 1, 0, 1]);
  });

  it('a template that many processes register at the same time is stored once', async () => {
    const { another, demo, tasker } = await shared.setup({ a: [] }, { worker: false });
    await Promise.all(Array.from({ length: 8 }, () => another({ poolSize: 2 })));
    const same = template({ x: [], y: ['x'] }, { namespace: demo.namespace, name: 'fresh' });
    const many = await Promise.all(Array.from({ length: 6 }, () => another({ poolSize: 2 })));
    await Promise.all(many.map((one) => one.registerTemplates([same])));
    const rows = await shared.sql(
      `select m.id, (select count(*)::int from tasker.template_step s where s.template_id = m.id) steps,
              (select count(*)::int from tasker.template_edge e where e.template_id = m.id) edges
         from tasker.template m join tasker.namespace n on n.id = m.namespace_id where n.name = $1 and m.name = 'fresh'`,
      [demo.namespace],
    );
    expect(rows).toEqual([expect.objectContaining({ steps: 2, edges: 1 })]);
    expect((await tasker.createTask({ ...demo, name: 'fresh' })).totalSteps).toBe(2);
  });

  it('the error for an unknown version names the version that exists', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    await expect(tasker.createTask({ ...demo, version: '1.0.1' })).rejects.toThrow(
      `there is ${demo.namespace}/demo@1.0.0`,
    );
    await expect(tasker.createTask({ ...demo, name: 'dmeo' })).rejects.toMatchObject({ code: 'template_not_found' });
  });
});

describe('a template as a plain object', () => {
  const plain = (namespace: string) => ({
    name: 'plain',
    namespace,
    version: '1.0.0',
    identity_strategy: 'always_unique',
    steps: [{ name: 'a', handler: { callable: 'a', initialization: { bank: 'sandbox' } } }],
    environments: { test: { steps: [{ name: 'a', handler: { initialization: { bank: 'fake' } } }] } },
  });

  it('an object is validated and run like a file with the same keys, including the overrides of the environment', async () => {
    const bank = defineHandler('a', {}, ({ context }) => context.stepConfig);
    const options = { worker: true, handlers: [bank], environment: 'test' };
    const { another } = await shared.setup({ a: [] }, { worker: false });
    const tasker = await another({ ...options, templates: [plain('inline_a'), template({ a: [] })] });
    const request = { namespace: 'inline_a', name: 'plain', version: '1.0.0' };
    expect(await resultOf(tasker, request)).toEqual({ bank: 'fake' });
    await tasker.registerTemplates([plain('inline_b')]);
    expect(await resultOf(tasker, { ...request, namespace: 'inline_b' })).toEqual({ bank: 'fake' });
  });

  const step = { name: 'a', handler: 'a' };
  it.each([
    [
      { name: 'plain', steps: [{ name: 'a' }] },
      'templates (plain): steps[0].handler: error: `handler` of step `a` is missing',
    ],
    [
      [template({ a: [] }), { name: 'plain', step: [step] }],
      'templates[1] (plain): step: error: unknown key `step` in the template; did you mean `steps`?',
    ],
    [{ name: 'x', steps: [step, { ...step, depends_on: ['b'] }] }, 'steps[1].depends_on[0]: error: unknown step `b`'],
    [{ name: 'x', steps: [step, step] }, 'steps[1].name: error: step `a` is declared twice; rename one of them'],
    [
      { name: 'x', steps: [{ name: 'a', handler: () => 1 }] },
      'templates (x): handler is a function; a template must contain',
    ],
    [{ name: 'x', steps: [{ ...step, timeout_seconds: Number.NaN }] }, 'templates (x): timeout_seconds is NaN; a temp'],
    [
      { ...template({ a: [] }), steps: [step] },
      'templates (demo) has keys of a parsed template, but is incomplete; write',
    ],
    [[[step]], 'templates[0] must be a path, a parsed template or an object with the keys of a template file, got an'],
    [
      [undefined],
      'templates[0] must be a path, a parsed template or an object with the keys of a template file, got und',
    ],
    [7, 'templates must be a path, a parsed template or an object with the keys of a template file, got a number'],
  ])('an invalid object is rejected with the path of the problem: %j', async (templates, message) => {
    await expect(createTasker({ databaseUrl: shared.url, templates: templates as never })).rejects.toMatchObject({
      code: 'template_invalid',
      message: expect.stringContaining(message),
    });
  });

  it('an object with a circular reference is rejected', async () => {
    const templates: Record<string, unknown> = { name: 'x', steps: [step] };
    templates.metadata = templates;
    await expect(createTasker({ databaseUrl: shared.url, templates: templates as never })).rejects.toMatchObject({
      code: 'template_invalid',
      message: 'templates (x) cannot be converted to JSON: Converting circular structure to JSON',
    });
  });
});

it('the database is consistent after these tests', () => invariants(shared.sql));

it('a tasker that starts writes no template that is already the newest, and makes older content the newest again', async () => {
  const [first, second] = [template({ a: [] }), template({ a: [], b: ['a'] })];
  const { sql, another, tasker } = await setup({
    templates: [first, template({ a: [] }, { name: 'other' })],
    worker: false,
  });
  const registered = () => sql('select name, digest, registered_at from tasker.template order by id');
  const before = await registered();
  await another();
  expect(await registered()).toEqual(before);
  const steps = async () => (await tasker.createTask(DEMO)).totalSteps;
  await tasker.registerTemplates([second]);
  expect(await steps()).toBe(2);
  const third = await another();
  expect((await third.createTask(DEMO)).totalSteps).toBe(1);
  // The last of two contents under one version is used, even if the first was the newest before.
  const fourth = await another({ templates: [second, first] });
  expect((await fourth.createTask(DEMO)).totalSteps).toBe(1);
});

it('a running worker runs the tasks of a configured namespace whose first template is registered later', async () => {
  const { tasker, another } = await setup({ worker: false });
  await another({ worker: true, namespaces: ['late'], handlers: [named('a', 'late')], pollMs: 200 });
  await tasker.registerTemplates([template({ a: [] }, { namespace: 'late' })]);
  expect(await resultOf(tasker, { ...DEMO, namespace: 'late' })).toEqual({ by: 'late' });
});
