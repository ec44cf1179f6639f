import { readFile } from 'node:fs/promises';
import { transform } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installation, type Project } from '../cli/installation.ts';
import { freshDatabase } from '../support/database.ts';

let place: Awaited<ReturnType<typeof installation>>;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let project: Project;

beforeAll(async () => {
  [place, database] = await Promise.all([installation(), freshDatabase()]);
  project = await place.project('shop', {
    DATABASE_URL: database.url,
    TASKER_TEMPLATE_PATH: 'templates',
    TASKER_HANDLER_PATH: 'handlers',
  });
  const { code } = await transform(await readFile('examples/server.ts', 'utf8'), { loader: 'ts', format: 'esm' });
  await project.write('server.mjs', code);
  await project.write(
    'templates/greet.yaml',
    'name: greet\nnamespace: shop\nversion: "1.0.0"\nidentity_strategy: always_unique\nsteps: [{ name: greet, handler: greet }]\n',
  );
  await project.write(
    'handlers/greet.ts',
    `import { defineHandler } from 'tasker-core';
export const greet = defineHandler('greet', { inputs: { name: 'name' } }, async ({ name }) => ({ greeting: \`Hello \${name}\` }));
`,
  );
});

afterAll(async () => {
  await place?.remove();
  await database?.drop();
});

it('the server runs a task, and exits with 0 on SIGTERM', async () => {
  const server = project.node(['server.mjs']);
  await server.until('runs\n');
  const { stdout, code } = await project.run(['task', 'create', 'greet', '-i', '{"name":"Ada"}', '--wait', '--json']);
  expect([code, stdout]).toEqual([0, expect.stringContaining('"complete"')]);
  server.process.kill('SIGTERM');
  await server.until('SIGTERM: running handlers may finish');
  expect(await server.ended).toMatchObject({ code: 0, signal: null });
});

it('the server reports why it cannot start, and exits with 3', async () => {
  const server = project.node(['server.mjs'], { env: { DATABASE_URL: 'postgres://ada:secret@127.0.0.1:1/shop' } });
  const { code, stderr } = await server.ended;
  expect([code, stderr]).toEqual([3, expect.stringContaining('no server is listening there')]);
  expect(stderr).not.toContain('secret');
});
