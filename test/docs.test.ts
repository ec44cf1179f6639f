import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { namesTable, withNames } from '../scripts/docs/names-table.mjs';
import { ERRORS } from '../src/errors.ts';
import { emptyDatabase } from './support/database.ts';
import { PAGES } from './support/pages.ts';

/** Returns the `sql` blocks of a page. */
const statementsOf = (page: string): string[] =>
  [...readFileSync(page, 'utf8').matchAll(/^```sql\r?\n([\s\S]*?)^```/gm)].map((match) => match[1]!);

describe('the documentation', () => {
  it('lists exactly the error codes, with their status', () => {
    const rows = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `(\w+)` \| (\d+) \| .+\. \| .+ \|$/gm)];
    expect(rows.map(([, code, status]) => [code, Number(status)])).toEqual(Object.entries(ERRORS));
  });

  it('lists every page of the guide in docs/README.md', () => {
    const index = readFileSync('docs/README.md', 'utf8');
    const pages = readdirSync('docs/guide').filter((file) => file.endsWith('.md'));
    expect(pages.filter((file) => !index.includes(`](guide/${file})`))).toEqual([]);
  });

  it('leads a newcomer through five pages, each of which names the next', () => {
    const start = /^## Start here$(.*?)^## /ms.exec(readFileSync('docs/README.md', 'utf8'))![1]!;
    const road = [...start.matchAll(/^\| \d \| \[.+?\]\(guide\/([\w-]+\.md)\)/gm)].map(([, page]) => page!);
    expect(road).toHaveLength(5);
    const next = road.map(
      (page) => /\[[^\]]+\]\(([^)]+)\)[^\n]*\n$/.exec(readFileSync(`docs/guide/${page}`, 'utf8'))?.[1],
    );
    expect(next).toEqual([...road.slice(1), '../README.md#find-by-task']);
  });

  it('lists every page of details in docs/README.md', () => {
    const index = readFileSync('docs/README.md', 'utf8');
    const pages = readdirSync('docs').filter((file) => file.endsWith('.md') && file !== 'README.md');
    expect(pages.filter((file) => !index.includes(`](${file})`))).toEqual([]);
  });

  it('lists the pages of docs/README.md in llms.txt, which `npm run reference` writes', () => {
    const text = readFileSync('llms.txt', 'utf8');
    expect(text.split('\n').slice(0, 3)).toEqual(['# tasker-core', '', expect.stringMatching(/^> \w/)]);
    const links = [...text.matchAll(/^- \[[^\]]+\]\(([^)#]+)(?:#[^)]+)?\): \S/gm)].map(([, file]) => file!);
    expect(links.filter((file) => !existsSync(file))).toEqual([]);
    const listed = [...readFileSync('docs/README.md', 'utf8').matchAll(/^\|.*\]\(/gm)];
    expect(new Set(links).size).toBeGreaterThan(60);
    expect(links.length).toBeGreaterThanOrEqual(listed.length);
  });

  it('shows where to find each name of the TypeScript package (`npm run reference` writes it)', () => {
    const read = (file: string) => readFileSync(file, 'utf8').replaceAll('\r\n', '\n');
    const page = read('docs/typescript-names.md');
    const names = JSON.parse(read('docs/names.json')) as Parameters<typeof namesTable>[0];
    expect(page).toBe(withNames(page, namesTable(names, read('docs/reference/README.md'))));
    const documented = [...page.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
    expect(names.names.filter((name) => !documented.includes(name))).toEqual([]);
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

  it.each(['README.md', 'docs/guide/first-workflow.md'])('names on %s the command that works everywhere', (page) => {
    const commands = readFileSync(page, 'utf8').match(/npx tasker\S*/g) ?? [];
    expect([...new Set(commands.map((command) => command.replace(/\W+$/, '')))]).toEqual(['npx tasker-core']);
  });

  it('begins the README with the road of a user, and continues with the one of a clone', () => {
    const readme = readFileSync('README.md', 'utf8');
    const blocks = [...readme.matchAll(/```sh\n(.*?)```/gs)].map(([, text]) => text!.match(/^\w.*?(?=\s+#|$)/gm));
    expect(blocks.slice(0, 2)).toEqual([
      [expect.stringMatching(/^npm i .*tasker-core.* zod$/), 'npx tasker-core init', 'npx tasker-core dev'],
      ['npm ci && npm run demo', 'npm ci && npm test'],
    ]);
    const clone = readme.indexOf('npm ci && npm test');
    expect(readme.indexOf('docs/pictures/dev.svg')).toBeLessThan(clone);
    expect(readme.slice(0, clone).split('\n').length).toBeLessThan(25);
  });

  it('starts workers and servers in production without npx, which does not pass SIGTERM on', () => {
    const pages = [
      'deployment',
      'operations',
      'production',
      'scaling',
      'security',
      'server',
      'worker-server',
      'workers',
    ];
    const started = pages.flatMap((page) => {
      const text = readFileSync(`docs/guide/${page}.md`, 'utf8');
      return (text.match(/npx tasker(-core)? (server|worker)(?! \w)/g) ?? []).map((found) => `${page}: ${found}`);
    });
    expect(started).toEqual([]);
  });
});
