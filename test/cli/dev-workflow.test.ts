import { rename } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { installation, type Project } from './installation.ts';
import type { RunningProcess } from './running.ts';

const file = (version: string, greeting: string) => `import { workflow } from 'tasker-core';
import { z } from 'zod';

export const greet = workflow('demo/greet@${version}', {
  input: z.object({ name: z.string() }),
  identity_strategy: 'always_unique',
})
  .step('think', { run: () => ({ greeting: '${greeting}' }) })
  .step('say', { after: ['think'], run: ({ input, steps }) => ({ text: \`\${steps.think.greeting} \${input.name}\` }) })
  .output(({ steps }) => ({ text: steps.say.text }));
`;

let place: Awaited<ReturnType<typeof installation>>;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let project: Project;
let dev: RunningProcess;

beforeAll(async () => {
  [place, database] = await Promise.all([installation(), freshDatabase()]);
  project = await place.project('typed', { DATABASE_URL: database.url });
  await project.write('package.json', '{"type":"module"}');
  await project.write('handlers/greet.ts', file('1.0.0', 'Hello'));
  dev = project.start(['dev']);
  await dev.until('Press Ctrl-C to stop');
});

afterAll(async () => {
  await place?.remove();
  await database?.drop();
});

const outputOf = async (template: string) => {
  const id = await project.create(template, '-i', '{"name":"Ada"}', '--wait');
  return (await project.json<{ output: unknown }>(['task', 'get', id])).output;
};

it('tasker dev runs a workflow that a handler file exports, without a folder of templates', async () => {
  expect(dev.output).toContain('demo/greet@1.0.0');
  expect(await outputOf('demo/greet')).toEqual({ text: 'Hello Ada' });
});

it('a changed workflow is registered again, and a mistake keeps the earlier one', async () => {
  const save = async (text: string, says: string) => {
    const before = dev.output.split(says).length - 1;
    await project.write('handlers/.greet.part', text);
    await rename(path.join(project.folder, 'handlers/.greet.part'), path.join(project.folder, 'handlers/greet.ts'));
    await dev.until(says, before + 1);
  };
  await save(file('2.0.0', 'Hi'), 'reloaded demo/greet@2.0.0');
  expect(await outputOf('demo/greet')).toEqual({ text: 'Hi Ada' });
  const wrong = file('2.0.0', 'Hey').replace("after: ['think']", "after: ['thnk' as never]");
  await save(wrong, 'the earlier handlers stay in use');
  expect(dev.output).toContain('unknown step `thnk` in `after` of `say`; did you mean `think`?');
  expect(await outputOf('demo/greet')).toEqual({ text: 'Hi Ada' });
});
