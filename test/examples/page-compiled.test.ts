import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { expect, inject, test } from 'vitest';
import { commandsOn, projectOf } from './page-programs.ts';

test('the guide to programs shows a program that compiles, and prints the documented output', () => {
  const { DATABASE_URL: _, TASKER_ENV: __, ...env } = process.env;
  const folder = projectOf('docs/guide/programs.md');
  const commands = commandsOn('docs/guide/programs.md');
  expect(commands).toHaveLength(1);
  const ran = spawnSync('/bin/sh', ['-c', commands[0]!.command], { cwd: folder, env, encoding: 'utf8' });
  expect(ran).toMatchObject({ stdout: commands[0]!.output, status: 0 });
});

test('the guide to programs shows a worker that ends at SIGTERM', async () => {
  const folder = projectOf('docs/guide/programs.md');
  const compiled = spawnSync('node_modules/.bin/tsc', { cwd: folder, encoding: 'utf8' });
  expect(compiled).toMatchObject({ stdout: '', status: 0 });
  const env = { ...process.env, DATABASE_URL: inject('servers')[inject('postgres')]! };
  const worker = spawn(process.execPath, ['dist/worker.js'], { cwd: folder, env });
  worker.stdout.once('data', () => worker.kill('SIGTERM'));
  expect(await once(worker, 'exit')).toEqual([0, null]);
});

test('the guide to programs shows a program that Node runs without a compiler, if it removes types', () => {
  if (!('typescript' in process.features) || process.features.typescript !== 'strip') return;
  const folder = projectOf('docs/guide/programs.md');
  const { DATABASE_URL: _, TASKER_ENV: __, ...env } = process.env;
  const ran = spawnSync(process.execPath, ['src/main.ts'], { cwd: folder, env, encoding: 'utf8' });
  expect(ran).toMatchObject({ stdout: 'Hello Ada\n', status: 0 });
});

test('the guide to tests shows tests of an aggregator that pass', () => {
  const folder = projectOf('docs/guide/testing.md');
  const vitest = path.resolve('node_modules/vitest/vitest.mjs');
  const env = { ...process.env, DATABASE_URL: inject('servers')[inject('postgres')]!, NO_COLOR: '1' };
  const ran = spawnSync(process.execPath, [vitest, 'run', '--root', folder], { cwd: folder, env, encoding: 'utf8' });
  expect(ran, ran.stdout).toMatchObject({ status: 0 });
  expect(ran.stdout).toMatch(/Tests +4 passed/);
});
