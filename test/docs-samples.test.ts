import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { projectOf } from './examples/page-programs.ts';
import { SAMPLE_CLIENT } from './support/orm/sample-client.ts';
import { PAGES } from './support/pages.ts';
import { problemsOf } from './support/type-check.ts';

/** Returns declarations of the names that a block may use without importing or creating them. */
function globals(): string {
  const names = [...readFileSync('src/index.ts', 'utf8').matchAll(/^export \{([^}]+)\}/gm)]
    .flatMap(([, list]) => list!.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
    .map((name) => name.replace(/^\w+ as /, ''));
  const consts = names.map((name) => `const ${name}: typeof import('tasker-core').${name};`);
  return `declare global {
    ${consts.join('\n')}
    const z: typeof import('zod').z;
    const tasker: import('tasker-core').Tasker;
    const taskUuid: string;
    ${SAMPLE_CLIENT}
  }
  export {};`;
}

/** Returns the `ts` blocks of a page, each with the name of a file from which its imports resolve. */
function blocksOf(page: string): [string, string][] {
  const text = readFileSync(page, 'utf8').replaceAll('\r\n', '\n');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length;
    const name = `${page.replaceAll(path.sep, '-')}-line-${line}.ts`;
    // The block keeps its line numbers, so that an error message points to the line in the page.
    return [path.resolve(name), `${'\n'.repeat(line)}${match[1]}\nexport {};\n`];
  });
}

it('the documentation shows only TypeScript that compiles', () => {
  const blocks = new Map(PAGES.flatMap(blocksOf));
  blocks.set(path.resolve('docs-globals.d.ts'), globals());
  expect(problemsOf(blocks)).toEqual([]);
});

it('the handlers on the page "first workflow" compile in strict mode', () => {
  const folder = projectOf('docs/guide/first-workflow.md');
  const strict = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--skipLibCheck'];
  const types = ['--typeRoots', path.resolve('node_modules/@types'), '--types', 'node'];
  const tsc = path.resolve('node_modules/typescript/bin/tsc');
  const ran = spawnSync(process.execPath, [tsc, ...strict, ...types, 'handlers/accounts.ts'], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(ran).toMatchObject({ stdout: '', status: 0 });
});
