import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { installation, type Project } from './installation.ts';
import type { RunningProcess } from './running.ts';

const TEMPLATE = `name: slow
namespace: demo
version: "1.0.0"
identity_strategy: always_unique
steps:
  - name: slow
    handler: slow
    retry: { max_attempts: 2, backoff: none }
`;

/** A handler that waits until a file `go` exists, and fails its first attempt if the task requests it. */
const handler = (version: string) => `import { existsSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { defineHandler } from 'tasker-core';
import { version } from './_version.ts';

export const slow = defineHandler('slow', { inputs: { fails: 'fails' } }, async ({ fails, context, signal }) => {
  console.log('${version} begins');
  while (!existsSync('go')) await wait(20, undefined, { signal });
  console.log('${version} ends');
  if (fails && context.retryCount === 0) throw new Error('of ${version}');
  return { version: '${version}', shared: version };
});
`;

let place: Awaited<ReturnType<typeof installation>>;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let project: Project;
let dev: RunningProcess;

const inProject = (file: string) => path.join(project.folder, file);

/** Runs an action, and waits until the command prints the text once more. */
async function waitForOutput(text: string, act: () => Promise<void>): Promise<void> {
  const before = dev.output.split(text).length - 1;
  await act();
  await dev.until(text, before + 1);
}

/** Saves like an editor that replaces the file instead of writing to it. */
async function saveByRename(file: string, text: string): Promise<void> {
  const beside = path.join(path.dirname(file), `.${path.basename(file)}.part`);
  await project.write(beside, text);
  await rename(inProject(beside), inProject(file));
}

const save = (version: string) => () => saveByRename('handlers/slow.ts', handler(version));

async function resultOf(input = '{}'): Promise<unknown> {
  const id = await project.create('demo/slow@1.0.0', '-i', input, '--wait');
  const { results } = await project.json<{ results: { result: unknown } }>(['step', 'get', id, 'slow']);
  return results.result;
}

beforeAll(async () => {
  [place, database] = await Promise.all([installation(), freshDatabase()]);
  project = await place.project('shop', { DATABASE_URL: database.url });
  await project.write('package.json', '{}');
  await project.write('templates/slow.yaml', TEMPLATE);
  await project.write('handlers/slow.ts', handler('one'));
  await project.write('handlers/_version.ts', "export const version = 'a';\n");
  dev = project.start(['dev']);
  await dev.until('Press Ctrl-C to stop');
});

afterAll(async () => {
  await place?.remove();
  await database?.drop();
});

beforeEach(() => project.write('go', ''));

it('a running step finishes with its old code, and the next attempt uses the new code', async () => {
  await rm(inProject('go'));
  const created = project.start(['task', 'create', 'demo/slow@1.0.0', '-i', '{"fails":true}', '--wait']);
  await dev.until('one begins');
  await waitForOutput('reloaded 1 handler', save('two'));
  await project.write('go', '');
  expect((await created.ended).code).toBe(0);
  expect(dev.output.match(/\w+ (?:begins|ends)/g)).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
});

it('a change of a file that a handler imports reloads the handler', async () => {
  await waitForOutput('reloaded 1 handler', () =>
    saveByRename('handlers/_version.ts', "export const version = 'b';\n"),
  );
  expect(await resultOf()).toEqual({ version: 'two', shared: 'b' });
});

it('a file that does not compile is reported with its location, and its old handlers stay in use', async () => {
  await waitForOutput('the earlier handlers stay in use', () =>
    project.write('handlers/slow.ts', 'export const slow = (;\n'),
  );
  expect(dev.output).toMatch(/error: .*handlers\/slow\.ts:1:\d+:/);
  expect(await resultOf()).toMatchObject({ version: 'two' });
});

it('a file that throws on import is reported, and its old handlers stay in use', async () => {
  const throws = `${handler('three')}throw new Error('no such setting');\n`;
  await waitForOutput('the earlier handlers stay in use', () => project.write('handlers/slow.ts', throws));
  expect(dev.output).toMatch(/error: .*handlers\/slow\.ts:\d+:\d+: could not be imported: no such setting/);
  // In a process of its own, because this one does not map the lines of bundles.
  const checked = await project.start(['template', 'validate', '--handlers', 'handlers']).ended;
  expect([checked.code, checked.stderr + checked.stdout]).toEqual([
    1,
    expect.stringMatching(/handlers\/slow\.ts:\d+:\d+: could not be imported: no such setting/),
  ]);
  expect(await resultOf()).toMatchObject({ version: 'two' });
  await waitForOutput('reloaded 1 handler', save('three'));
  expect(await resultOf()).toMatchObject({ version: 'three' });
});

it('a removed handler is reported as missing until its file is back, which may be in another folder', async () => {
  await waitForOutput('no handler yet for slow', () => rm(inProject('handlers/slow.ts')));
  await mkdir(inProject('handlers/deep'));
  const moved = handler('four').replace('./_version.ts', '../_version.ts');
  await waitForOutput('every step has a handler', () => saveByRename('handlers/deep/slow.ts', moved));
  expect(await resultOf()).toMatchObject({ version: 'four' });
});

it('new tasks use a template as soon as it is saved, unless the template is invalid', async () => {
  const two = TEMPLATE.replace('handler: slow', 'handler: slow\n  - name: again\n    handler: slow');
  await waitForOutput('reloaded demo/slow@1.0.0', () => saveByRename('templates/slow.yaml', two));
  const steps = async () => {
    const id = await project.create('demo/slow@1.0.0', '--wait');
    return (await project.json<{ name: string }[]>(['step', 'list', id])).map(({ name }) => name);
  };
  expect(await steps()).toEqual(['slow', 'again']);
  await waitForOutput('stays in use', () => saveByRename('templates/slow.yaml', `${two}    dependencies: [nobody]\n`));
  expect(dev.output).toMatch(/templates\/slow\.yaml:\d+:\d+: error: .*nobody/);
  expect(await steps()).toEqual(['slow', 'again']);
  await waitForOutput('the templates are valid again', () => rm(inProject('templates/slow.yaml')));
  expect(await steps()).toEqual(['slow', 'again']); // registered templates remain
});

it('a folder that is replaced as a whole, for example by a checkout, is reloaded and watched', async () => {
  await project.write('next/slow.ts', handler('five'));
  await project.write('next/_version.ts', "export const version = 'c';\n");
  await waitForOutput('reloaded 1 handler', async () => {
    await rename(inProject('handlers'), inProject('before'));
    await rename(inProject('next'), inProject('handlers'));
  });
  expect(await resultOf()).toEqual({ version: 'five', shared: 'c' });
  await waitForOutput('reloaded 1 handler', save('six'));
  expect(await resultOf()).toEqual({ version: 'six', shared: 'c' });
});

it('a file that changes while dev starts is reloaded', async () => {
  const late = await place.project('late', { DATABASE_URL: database.url });
  await late.write('package.json', '{}');
  await late.write('go', '');
  await late.write('templates/late.yaml', TEMPLATE.replace('namespace: demo', 'namespace: late'));
  await late.write('handlers/_version.ts', "export const version = 'a';\n");
  await late.write('handlers/slow.ts', `${handler('one')}console.log('one is imported');\n`);
  const starting = late.start(['dev']);
  await starting.until('one is imported');
  await late.write('handlers/slow.ts', handler('two'));
  await starting.until('reloaded 1 handler');
  const id = await late.create('late/slow@1.0.0', '--wait');
  expect(await late.json(['step', 'get', id, 'slow'])).toMatchObject({ results: { result: { version: 'two' } } });
});

it('a handler that names a missing step is reported at startup and when a reload changes the name', async () => {
  const named = await place.project('named', { DATABASE_URL: database.url });
  const depends = (step: string) => `import { defineHandler } from 'tasker-core';
export const slow = defineHandler('slow', { depends: { before: '${step}' } }, () => ({}));
`;
  await named.write('templates/named.yaml', TEMPLATE.replace('namespace: demo', 'namespace: named'));
  await named.write('handlers/slow.js', depends('slw'));
  const running = named.start(['dev']);
  await running.until('Press Ctrl-C to stop');
  const line = (step: string) => `handler slow: depends on step ${step}, which template named/slow@1.0.0 does not have`;
  expect(running.output).toContain(`${line('slw')}; did you mean slow?`);
  await named.write('handlers/slow.js', depends('slov'));
  await running.until(line('slov'));
  await named.write('handlers/slow.js', depends('slow'));
  await running.until('every step that a handler names exists');
});
