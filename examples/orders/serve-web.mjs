import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

const PROGRAM = path.join(import.meta.dirname, '../../bin/tasker.js');

/**
 * Starts `tasker server` on the database of the demo. Uses a free port if 8080 is in use.
 *
 * @param {{folder: string}} options the folder of the embedded PostgreSQL, if there is no `DATABASE_URL`
 * @returns {Promise<{url: string, stop: () => Promise<void>}>}
 */
export async function serveWeb({ folder }) {
  return (await started(folder, 8080)) ?? (await started(folder, 0)) ?? fail('tasker server did not start');
}

function fail(message) {
  throw new Error(message);
}

async function started(folder, port) {
  const config = path.join(folder, 'orders', 'web.toml');
  writeFileSync(config, `[common.database]\nembedded_folder = ${JSON.stringify(folder)}\n`);
  const args = [PROGRAM, 'server', '--json', '--config', config, '--bind', `127.0.0.1:${port}`];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(server, 'exit');
  const url = await Promise.race([addressOf(server), ended.then(() => undefined)]);
  if (url === undefined) return undefined;
  const stop = async () => {
    server.kill('SIGTERM');
    await ended;
  };
  return { url, stop };
}

/** Returns the address that the server logs when it is ready. */
function addressOf(server) {
  let output = '';
  return new Promise((resolve) => {
    for (const stream of [server.stdout, server.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output = `${output}${text}`.slice(-100_000);
        const found = /"url":"([^"]+)"/.exec(output);
        if (found) resolve(found[1]);
      });
    }
  });
}
