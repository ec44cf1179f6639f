// The processes of a project with one template: `tasker server` and `tasker worker`, as an installation runs them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const template = (name, namespace) => `name: ${name}
namespace: ${namespace}
version: "1.0.0"
identity_strategy: always_unique
steps:
  - { name: only, handler: work }
`;
const HANDLERS = `import { defineHandler } from 'tasker-core';
export const work = defineHandler('work', {}, async () => ({ ok: true }));
`;

/** The body of a request for a task with one step, in the namespace `bench` (served) or `held` (which no worker serves). */
export const taskOf = (namespace = 'bench') =>
  JSON.stringify({
    name: 'one',
    namespace,
    version: '1.0.0',
    context: {},
    initiator: 'bench',
    source_system: 'bench',
    reason: 'load',
  });

/** Creates a project in a folder. Returns a function that starts a command of the project on the database. */
export async function projectIn(folder, databaseUrl) {
  for (const name of ['templates', 'handlers', 'node_modules'])
    await mkdir(path.join(folder, name), { recursive: true });
  await symlink(root, path.join(folder, 'node_modules', 'tasker-core'));
  await writeFile(path.join(folder, 'package.json'), '{ "name": "load", "type": "module" }');
  await writeFile(path.join(folder, 'templates', 'one.yaml'), template('one', 'bench'));
  await writeFile(path.join(folder, 'templates', 'held.yaml'), template('one', 'held'));
  await writeFile(path.join(folder, 'handlers', 'work.js'), HANDLERS);
  return (args) => started(args, { cwd: folder, env: { ...process.env, DATABASE_URL: databaseUrl } });
}

/** Starts a command, and waits until it is ready. `url` is the address of a server. */
async function started(args, options) {
  const bin = path.join(root, 'bin', 'tasker.js');
  const child = spawn(process.execPath, [bin, ...args, '--json'], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  const lines = [];
  const url = await new Promise((resolve, reject) => {
    const read = (line) => {
      lines.push(line);
      if (/(server|worker) is ready/.test(line)) resolve(/"url":"([^"]+)"/.exec(line)?.[1]);
      if (/"level":"?(error|fatal|50|60)/.test(line)) console.error(line);
    };
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', read);
    ended.then(() => reject(new Error(`tasker ${args.join(' ')} has ended:\n${lines.join('\n')}`)), reject);
  });
  return {
    url,
    pid: child.pid,
    /** Stops the process. */
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await ended;
    },
  };
}
