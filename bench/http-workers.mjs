// W10: a server in this process, and one client in another, which runs all steps over HTTP.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createTasker, mustParseTemplate } from '../dist/index.js';
import { restApp } from '../dist/rest/rest-app.js';
import { listen } from '../dist/server/listen.js';
import { templateOf } from './workloads.mjs';

const SILENT = {
  level: 'silent',
  ...Object.fromEntries(['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map((name) => [name, () => {}])),
};
SILENT.child = () => SILENT;

/** Starts the server and the client, and calls `run` with the server's tasker. */
export async function withHttpWorker(url, concurrency, run) {
  const templates = [mustParseTemplate(JSON.stringify(templateOf('W10')))];
  const tasker = await createTasker({ templates, databaseUrl: url, worker: false, logger: SILENT });
  const facts = { version: '1', environment: 'bench', state: () => 'running' };
  const server = await listen(restApp({ tasker, logger: SILENT, facts }), { host: '127.0.0.1', port: 0 });
  const program = fileURLToPath(new URL('http-client.mjs', import.meta.url));
  const client = spawn(process.execPath, [program, server.url, String(concurrency)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(client.stdout, 'data');
  try {
    await run(tasker);
  } finally {
    client.kill('SIGKILL');
    await server.close();
    await tasker.stop();
  }
}
