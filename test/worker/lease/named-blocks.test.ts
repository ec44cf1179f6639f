import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();

it('an event loop that blocks some time after the start is reported', async () => {
  const { demo } = await shared.setup({ a: [] }, { worker: false });
  const program = `
    const { createTasker, defineHandler } = await import(process.env.PACKAGE);
    await createTasker({ namespaces: ['${demo.namespace}'], handlers: [defineHandler('a', {}, () => ({}))] });
    // Longer than the interval at which the thread checks.
    setTimeout(() => { for (;;); }, 1_200);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env: {
      PATH: process.env.PATH ?? '',
      PACKAGE: pathToFileURL('dist/bundle/index.js').href,
      DATABASE_URL: shared.url,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stderr.on('data', (data: Buffer) => {
    output += data.toString();
  });
  await expect.poll(() => output).toMatch(/"msg":"the event loop has been blocked for \d+ ms/);
});
