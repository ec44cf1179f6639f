import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readTemplates } from '../../src/app/project/load-templates.ts';

const text = (n: number, more = '') => `name: flow_${n}
namespace: cached
version: "1.0.0"
description: Number ${n}
input_schema: { type: object, properties: { total: { type: number, minimum: ${n} } } }
steps:
  - { name: first, handler: a, timeout_seconds: 5, result_schema: { type: object, required: [id] } }
  - { name: second, handler: b, dependencies: [first], retry: { max_attempts: 7, backoff: linear } }
environments:
  production: { steps: [{ name: first, timeout_seconds: 50 }] }
${more}`;

/** Creates a project with this number of templates. `kept` returns the files of its cache. */
function project(count: number) {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'tasker-templates-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const folder of ['node_modules', 'templates']) mkdirSync(path.join(root, folder));
  const write = (n: number, content: string) => writeFileSync(path.join(root, 'templates', `flow-${n}.yaml`), content);
  for (let n = 0; n < count; n += 1) write(n, text(n));
  const kept = () =>
    readdirSync(path.join(root, 'node_modules'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.json'))
      .map((name) => path.join(root, 'node_modules', name));
  /** Changes the cache, so that it differs from the template files. */
  const mark = () => {
    for (const file of kept()) writeFileSync(file, readFileSync(file, 'utf8').replaceAll('Number', 'Remembered'));
  };
  const read = (environment = 'development') => readTemplates(path.join(root, 'templates'), environment);
  return { write, kept, mark, read };
}

it('the cache returns the same templates as the first read', async () => {
  const { read, mark, write } = project(12);
  write(11, text(3));
  const before = await read();
  const again = await read();
  expect(again).toStrictEqual(before);
  expect(new Set(again.templates).size).toBe(12);
  expect([...again.fileOf.values()]).toEqual(again.files);
  mark();
  expect((await read()).templates[0]).toMatchObject({ name: 'flow_0', description: 'Remembered 0' });
});

it('only a changed file is parsed again', async () => {
  const { read, mark, write } = project(12);
  await read();
  mark();
  write(5, text(50));
  const { templates } = await read();
  expect(templates.find(({ name }) => name === 'flow_50')?.description).toBe('Number 50');
  expect(templates.find(({ name }) => name === 'flow_6')?.description).toBe('Remembered 6');
});

it('errors and warnings are reported each time the templates are read', async () => {
  const { read, write } = project(12);
  write(1, text(1, 'color: red\n'));
  write(2, 'name: broken\n');
  const before = await read();
  expect(before.problems.map(({ severity }) => severity)).toContain('error');
  expect(await read()).toStrictEqual(before);
});

it('the overrides of each environment are cached separately', async () => {
  const { read } = project(12);
  for (let start = 0; start < 2; start += 1) {
    expect((await read('production')).templates[0]?.steps[0]?.timeoutSeconds).toBe(50);
    expect((await read()).templates[0]?.steps[0]?.timeoutSeconds).toBe(5);
  }
});

it('a damaged cache is ignored, and a small number of files is not cached', async () => {
  const { read, kept } = project(12);
  const before = await read();
  for (const file of kept()) writeFileSync(file, '{"half');
  expect(await read()).toStrictEqual(before);
  const few = project(3);
  await few.read();
  expect(few.kept()).toEqual([]);
});
