// A server, a proxy in front of it, and the worker program under test.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProxy } from './faulty-proxy.mjs';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
/** Short, so that the cases that need a lost lease are short. */
export const LEASE_SECONDS = 3;
const AT_ONCE = { backoff: 'none', max_attempts: 5 };

const step = (handler, more = {}) => ({ name: handler, handler: { callable: `conformance.${handler}` }, ...more });
const template = (name, steps) => ({
  name,
  namespace_name: 'conformance',
  version: '1.0.0',
  identity_strategy: 'always_unique',
  steps,
});
const TEMPLATES = [
  template('pair', [step('echo', { retry: AT_ONCE }), step('sum', { dependencies: ['echo'], retry: AT_ONCE })]),
  template('retry', [step('retry', { retry: AT_ONCE })]),
  template('permanent', [step('permanent', { retry: AT_ONCE })]),
  template('slow', [step('slow', { retry: AT_ONCE })]),
  template('limited', [step('slow', { name: 'limited', retry: { max_attempts: 1 }, timeout_seconds: 1 })]),
  template('resume', [step('resume', { retry: AT_ONCE })]),
];

/** Waits until `look` returns something. */
export async function until(what, look, ms = 60_000) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${ms / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Starts a server and a proxy. Without `databaseUrl`, the server uses an embedded database in a temporary folder. */
export async function startWorld({ command, databaseUrl, verbose }) {
  const folder = mkdtempSync(path.join(tmpdir(), 'tasker-conformance-'));
  for (const one of TEMPLATES) writeFileSync(path.join(folder, `${one.name}.json.yaml`), JSON.stringify(one));
  const port = await freePort();
  const proxy = await startProxy(port);
  const api = `http://127.0.0.1:${port}`;
  const world = { proxy, server: undefined, worker: undefined };
  const show = (name, child) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => verbose && process.stderr.write(`${name}: ${text}`));
  };
  const started = (name, file, args, env) => {
    const child = spawn(file, args, {
      cwd: name === 'server' ? folder : undefined,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.over = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
    show(name, child);
    return child;
  };
  world.startServer = async (leaseSeconds = LEASE_SECONDS) => {
    writeFileSync(path.join(folder, 'tasker.toml'), `[worker]\nlease_seconds = ${leaseSeconds}\n`);
    const args = [path.join(ROOT, 'bin/tasker.js'), 'server', '--templates', folder, '--bind', `127.0.0.1:${port}`];
    const env = {
      TASKER_CONFIG_PATH: path.join(folder, 'tasker.toml'),
      ...(databaseUrl && { DATABASE_URL: databaseUrl }),
    };
    world.server = started('server', process.execPath, args, env);
    await until(
      'the server answers',
      () =>
        fetch(`${api}/health`).then(
          (answer) => answer.ok,
          () => false,
        ),
      120_000,
    );
  };
  world.startWorker = () => {
    const env = { TASKER_URL: proxy.url, TASKER_NAMESPACE: 'conformance', TASKER_SLOTS: '8' };
    world.worker = started('worker', command[0], command.slice(1), env);
  };
  world.killed = async (child) => {
    child.kill('SIGKILL');
    await child.over;
  };
  world.ask = async (method, route, body) => {
    const answer = await fetch(`${api}/v1/${route}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${route}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  world.create = async (name, context = {}) => {
    const request = {
      name,
      namespace: 'conformance',
      version: '1.0.0',
      context,
      initiator: 'c',
      source_system: 'c',
      reason: 'c',
    };
    return (await world.ask('POST', 'tasks', request)).task_uuid;
  };
  world.steps = (uuid) => world.ask('GET', `tasks/${uuid}/workflow_steps`);
  world.step = async (uuid, name) => (await world.steps(uuid)).find((one) => one.name === name);
  world.history = async (uuid) => (await world.ask('GET', `tasks/${uuid}/history`)).entries;
  world.ended = (uuid, state = 'complete') =>
    until(`task ${state}`, async () => {
      const { status } = await world.ask('GET', `tasks/${uuid}`);
      if (status !== state && ['complete', 'error', 'cancelled'].includes(status))
        throw new Error(`the task is ${status}`);
      return status === state;
    });
  world.running = (uuid, name) =>
    until(`step ${name} runs`, async () => (await world.step(uuid, name))?.current_state === 'in_progress');
  world.stop = async () => {
    // Stops the worker first, because it unregisters from the server.
    for (const child of [world.worker, world.server]) {
      if (!child) continue;
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await child.over;
      clearTimeout(late);
    }
    proxy.close();
    rmSync(folder, { recursive: true, force: true });
  };
  await world.startServer();
  return world;
}
