import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseTemplate } from '../../src/index.ts';
import { commandsOn, filesOn, projectOf } from './page-programs.ts';

const PAGES = ['README.md', 'docs/guide/first-workflow.md', 'docs/guide/several-apps.md'];

test.each(PAGES)('%s shows programs that print the documented output', (page) => {
  const { DATABASE_URL: _, TASKER_ENV: __, ...env } = process.env;
  const commands = commandsOn(page);
  expect(commands.length).toBeGreaterThan(0);
  const folder = projectOf(page);
  for (const { command, output } of commands) {
    const ran = spawnSync('/bin/sh', ['-c', command], { cwd: folder, env, encoding: 'utf8' });
    expect(ran, command).toMatchObject({ stdout: output, status: 0 });
    expect(ran.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{"level":40'))).toEqual([]);
  }
});

test('the README shows examples/quickstart unchanged', () => {
  for (const [name, text] of filesOn('README.md')) {
    expect(text, name).toBe(readFileSync(path.join('examples/quickstart', name), 'utf8'));
  }
});

test('the README shows the graph that the demo runs', () => {
  const file = 'examples/orders/templates/fulfil-order.yaml';
  const { template, problems } = parseTemplate(readFileSync(file, 'utf8'), { file });
  expect(problems).toEqual([]);
  const arrows = (text: string) => text.match(/\w+ --> \w+/g)?.sort();
  const [, drawn] = /```mermaid\n(.*?)```/s.exec(readFileSync('README.md', 'utf8'))!;
  const edges = template!.steps.flatMap(({ name, dependencies }) => dependencies.map((on) => `${on} --> ${name}`));
  expect(arrows(drawn!)).toEqual(edges.sort());
});

test('every npm script that the README names is in package.json', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  const named = [...readFileSync('README.md', 'utf8').matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name!);
  expect(named.filter((name) => !scripts[name])).toEqual([]);
});

test('the guide to templates shows problems as `template validate` prints them', () => {
  const folder = projectOf('docs/guide/templates.md');
  const file = (dependency: string, timeout: string) =>
    ['name: orders', 'namespace: shop', 'version: "1.0.0"', 'steps:', '  - name: validate', '    handler: validate', '']
      .concat('  - name: charge', '    handler: chrge', '    depends_on: [validate]', '')
      .concat(
        '  - name: ship',
        '    depends_on:',
        `      - ${dependency}`,
        '    handler: ship',
        `    ${timeout}: 30`,
        '',
      )
      .join('\n');
  const handlers = `import { defineHandler } from 'tasker-core';
export const all = ['validate', 'charge', 'ship'].map((name) => defineHandler(name, {}, async () => ({})));`;
  mkdirSync(path.join(folder, 'handlers'));
  writeFileSync(path.join(folder, 'handlers/all.js'), handlers);
  const problems = (text: string) => {
    writeFileSync(path.join(folder, 'orders.yaml'), text);
    const args = [path.resolve('bin/tasker.js'), 'template', 'validate', 'orders.yaml', '--handlers', 'handlers'];
    return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }).stdout;
  };
  const shown = [...readFileSync('docs/guide/templates.md', 'utf8').matchAll(/^```text\n(orders\.yaml:.*?)^```$/gms)];
  expect(shown.map(([, text]) => text)).toEqual([
    problems(file('valdate', 'timout_seconds')),
    problems(file('validate', 'timeout_seconds')),
  ]);
});
