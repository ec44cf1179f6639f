import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { namesTable, withNames } from '../scripts/docs/names-table.mjs';
import { ERRORS } from '../src/errors.ts';
import { emptyDatabase } from './support/database.ts';
import { problemsOf } from './support/type-check.ts';

const PAGES = [
  ...['README.md', 'CONTRIBUTING.md'].filter((file) => existsSync(file)),
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => path.join('docs', file)),
];

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

/** Returns the `sql` blocks of a page. */
const statementsOf = (page: string): string[] =>
  [...readFileSync(page, 'utf8').matchAll(/^```sql\r?\n([\s\S]*?)^```/gm)].map((match) => match[1]!);

describe('the documentation', () => {
  it('lists exactly the error codes, with their status', () => {
    const rows = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `(\w+)` \| (\d+) \| .+\. \| .+ \|$/gm)];
    expect(rows.map(([, code, status]) => [code, Number(status)])).toEqual(Object.entries(ERRORS));
  });

  it('has no broken links', () => {
    const { stdout } = spawnSync(process.execPath, ['scripts/check-static.mjs', 'links'], { encoding: 'utf8' });
    expect(stdout).toMatch(/static: 1 passed, 0 failed/);
  });

  it('lists every page of the guide in docs/README.md', () => {
    const index = readFileSync('docs/README.md', 'utf8');
    const pages = readdirSync('docs/guide').filter((file) => file.endsWith('.md'));
    expect(pages.filter((file) => !index.includes(`](guide/${file})`))).toEqual([]);
  });

  it('shows where to find each name of the TypeScript package (`npm run reference` writes it)', () => {
    const read = (file: string) => readFileSync(file, 'utf8').replaceAll('\r\n', '\n');
    const page = read('docs/typescript-names.md');
    const names = JSON.parse(read('docs/names.json')) as Parameters<typeof namesTable>[0];
    expect(page).toBe(withNames(page, namesTable(names, read('docs/reference/README.md'))));
    const documented = [...page.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
    expect(names.names.filter((name) => !documented.includes(name))).toEqual([]);
  });

  it('lists each handler shape with the outcome that the tests verify', () => {
    const { stdout } = spawnSync(process.execPath, ['scripts/check-static.mjs', 'handler-shapes'], {
      encoding: 'utf8',
    });
    expect(stdout).toMatch(/static: 1 passed, 0 failed/);
  });

  it('shows only TypeScript that compiles', () => {
    const blocks = new Map(PAGES.flatMap(blocksOf));
    blocks.set(path.resolve('docs-globals.d.ts'), globals());
    expect(problemsOf(blocks)).toEqual([]);
  });

  it('shows only SQL that runs', async () => {
    const { sql, drop } = await emptyDatabase();
    try {
      for (const statement of PAGES.flatMap(statementsOf)) await sql(statement);
    } finally {
      await drop();
    }
  });

  it('names only environment variables that are read', () => {
    const read = ['config-keys', 'database-keys', 'load-config', 'log-filter', 'read-variables', 'server/server-keys']
      .map((file) => readFileSync(`src/config/${file}.ts`, 'utf8'))
      .join('\n');
    const named = /^## Environment variables$(.*?)^## /ms
      .exec(readFileSync('docs/configuration-keys.md', 'utf8'))![1]!
      .matchAll(/`((?:DATABASE|TASKER|LOG)_[A-Z_]+)/g);
    const unknown = [...named].map(([, name]) => name!).filter((name) => !read.includes(`'${name}'`));
    expect(unknown).toEqual([]);
  });
});
