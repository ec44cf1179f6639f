import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { installation, type Project } from './installation.ts';
import type { RunningProcess } from './running.ts';

let place: Awaited<ReturnType<typeof installation>>;
let project: Project;
let dev: RunningProcess;

const read = (file: string) => readFile(path.join(project.folder, file), 'utf8');
const change = async (file: string, from: string, to: string) => {
  const text = await read(file);
  expect(text).toContain(from);
  await project.write(file, text.replaceAll(from, to));
};

beforeAll(async () => {
  place = await installation();
  project = await place.project('mine');
});

afterAll(() => place?.remove());

it('init writes a first workflow and scripts, and keeps existing files', async () => {
  await project.write('package.json', '{\n\t"name": "mine",\n\t"scripts": { "dev": "vite" }\n}\n');
  await project.write('.gitignore', 'dist/\n');
  const { code, stdout, stderr } = await project.run(['init']);
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/templates\/hello\.yaml.*handlers\/hello\.js.*test\/hello\.test\.mjs/s),
  ]);
  expect(stderr).toMatch(
    /add \.tasker\/, which holds the embedded database, to \.gitignore.*npm install tasker-core.*npx tasker-core dev/s,
  );
  expect(JSON.parse(await read('package.json'))).toMatchObject({ scripts: { dev: 'vite', worker: 'tasker worker' } });
  expect(await read('package.json')).toMatch(/^\{\n\t"name".*\}\n$/s);
  expect(await read('.gitignore')).toBe('dist/\n');

  await change('handlers/hello.js', 'Hello', 'Welcome');
  expect(await project.json(['init'])).toMatchObject({
    written: [],
    kept: expect.arrayContaining(['handlers/hello.js']),
  });
  expect(await read('handlers/hello.js')).toContain('Welcome');
  await change('handlers/hello.js', 'Welcome', 'Hello');
});

it('init writes JavaScript and a vitest test in a JavaScript project with vitest', async () => {
  const plain = await place.project('plain');
  await plain.write('package.json', '{"devDependencies":{"vitest":"*"}}');
  expect(await plain.json(['init'])).toMatchObject({
    written: expect.arrayContaining([
      'handlers/hello.js',
      'test/hello.test.js',
      'package.json (scripts dev, worker, test)',
    ]),
    next: expect.arrayContaining(['npx vitest run test/hello.test.js']),
  });
  expect(await plain.json(['doctor'])).toMatchObject({ healthy: true });
});

it('the test that init wrote passes', async () => {
  const { code, stdout } = await project.node(['--test', 'test/hello.test.mjs']).ended;
  expect([code, stdout]).toEqual([0, expect.stringContaining('pass 1')]);
});

it('dev starts the database and a worker, and prints a command that creates a task', async () => {
  dev = project.start(['dev']);
  await dev.until('Press Ctrl-C to stop');
  expect(dev.output).toContain(`npx tasker task create demo/hello@1.0.0 --input '{"name":"Ada"}'`);
  const { code, stdout } = await project.run([
    'task',
    'create',
    'demo/hello@1.0.0',
    '--input',
    '{"name":"Ada"}',
    '--wait',
    '--json',
  ]);
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { status: 'complete' }]);
  await dev.until('task complete');
});

it('dev reloads a changed handler', async () => {
  await change('handlers/hello.js', "'Hello'", "'Howdy'");
  await dev.until('reloaded 3 handlers');
  const id = (await project.run(['task', 'create', 'hello', '-i', '{"name":"Ada"}', '--wait'])).stdout.trim();
  expect(await project.json(['step', 'get', id, 'report'])).toMatchObject({
    results: { result: { said: ['Howdy, Ada!', 'Howdy, Ada!'] } },
  });
});

it('dev reports the location of an error and keeps the last valid version', async () => {
  await project.write('handlers/more.ts', 'export const more = (');
  await dev.until('the earlier handlers stay in use');
  expect(dev.output).toMatch(/error: .*handlers\/more\.ts:1:\d+:/);
  await rm(path.join(project.folder, 'handlers/more.ts'));
  await dev.until('reloaded 3 handlers', 2);

  await change('templates/hello.yaml', '[look_up]', '[lok_up]');
  await dev.until('stays in use');
  expect(dev.output).toMatch(/templates\/hello\.yaml:\d+:\d+: error: .*did you mean `look_up`/);
  expect(await project.run(['task', 'create', 'hello', '-i', '{"name":"Ada"}', '--wait'])).toMatchObject({ code: 0 });
});

it('dev reloads a changed template together with its new handler', async () => {
  await change('templates/hello.yaml', '[lok_up]', '[look_up]');
  await dev.until('the templates are valid again');
  await project.write(
    'templates/more.yaml',
    'name: more\nnamespace: another\nversion: "1.0.0"\nsteps: [{ name: only, handler: only }]\n',
  );
  await dev.until('reloaded another/more@1.0.0');
  await dev.until('no handler yet for only');
  await project.write(
    'handlers/deep/only.ts',
    "import { defineHandler } from 'tasker-core';\nexport default defineHandler('only', {}, async () => ({}));\n",
  );
  await dev.until('every step has a handler');
  expect((await project.run(['task', 'create', 'more', '--wait'])).code).toBe(0);
});

it('dev stops with its database on Ctrl-C, and exits 0', async () => {
  dev.process.kill('SIGINT');
  expect(await dev.ended).toMatchObject({ code: 0, signal: null });
  expect((await project.run(['db', 'status'])).stdout).toContain('not running');
});

it('dev starts despite invalid files, and reloads them once they are fixed', async () => {
  await project.write('handlers/more.ts', 'export const more = (');
  dev = project.start(['dev']);
  await dev.until('Press Ctrl-C to stop');
  expect(dev.output).toMatch(/error: .*handlers\/more\.ts:1:/);
  await rm(path.join(project.folder, 'handlers/more.ts'));
  await dev.until('reloaded 4 handlers');
  dev.process.kill('SIGTERM');
  expect((await dev.ended).code).toBe(0);
});

it('dev serves the valid templates while other template files are broken or too large', async () => {
  await project.write('templates/broken.yaml', 'name: broken\nnamespace: demo\nversion: "1.0.0"\nsteps: []\n');
  await project.write('templates/huge.yaml', `# ${'x'.repeat(1_048_576)}\n`);
  dev = project.start(['dev']);
  await dev.until('Press Ctrl-C to stop');
  expect(dev.output).toMatch(/templates\/broken\.yaml:4:\d+: error: the template has no steps/);
  expect(dev.output).toMatch(/templates\/huge\.yaml:1:1: error: the file has \d+ bytes/);
  expect(await project.run(['task', 'create', 'hello', '-i', '{"name":"Ada"}', '--wait'])).toMatchObject({ code: 0 });
  dev.process.kill('SIGTERM');
  expect((await dev.ended).code).toBe(0);
});

it('dev on a port in use names its own option, and leaves no worker behind', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await project.start(['dev', '--bind', `127.0.0.1:${port}`]).ended;
  expect([code, stderr]).toEqual([
    3,
    expect.stringContaining(`port ${port} of 127.0.0.1 is in use by another program`),
  ]);
  expect(stderr).toContain('; choose another port with --bind, or omit --bind to use a free one');
  expect(stderr).not.toMatch(/TASKER_WEB_BIND_ADDRESS|--web|left something open/);
  expect(await project.json(['worker', 'list', '--state', 'running'])).toEqual([]);
  expect(await project.run(['dev', '--port', '3000'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('use --bind 127.0.0.1:3000'),
  });
});

it('dev runs tasks of a registered template of another namespace whose file is invalid when dev starts', async () => {
  await project.write(
    'templates/shop.yaml',
    'name: greet\nnamespace: shop\nversion: "1.0.0"\nsteps:\n  - { name: look_up, handler: look_up }\n',
  );
  dev = project.start(['dev']);
  await dev.until('Press Ctrl-C to stop');
  dev.process.kill('SIGTERM');
  await dev.ended;
  await change('templates/shop.yaml', 'handler: look_up', 'handler: look_up, depends_on: [lookup]');
  dev = project.start(['dev']);
  await dev.until('Press Ctrl-C to stop');
  expect(dev.output).toContain('broken templates are skipped');
  const { code, stderr } = await project.run(['task', 'create', 'shop/greet@1.0.0', '-i', '{"name":"Ada"}', '--wait']);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  dev.process.kill('SIGTERM');
  expect((await dev.ended).code).toBe(0);
  await rm(path.join(project.folder, 'templates/shop.yaml'));
});

it('dev reports that no file of the handlers folder exports a handler, when it starts and after a reload', async () => {
  await rm(path.join(project.folder, 'handlers'), { recursive: true });
  await project.write('handlers/hello.js', 'export const hello = () => ({});\n');
  dev = project.start(['dev']);
  await dev.until('Press Ctrl-C to stop');
  const line = 'exports a handler (hello.js: no export is a handler: hello); export what defineHandler returns';
  expect(dev.output).toContain(line);
  await project.write('handlers/hello.js', 'export const greet = () => ({});\n');
  await dev.until('exports a handler (hello.js: no export is a handler: greet)');
  dev.process.kill('SIGTERM');
  expect((await dev.ended).code).toBe(0);
});
