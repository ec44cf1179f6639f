// A process that uses the embedded server. It prints the details of the server, and then obeys `stop` from standard input.
import { createInterface } from 'node:readline';
import { startEmbedded } from '../../../src/db/embedded/start-embedded.ts';

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

try {
  const server = await startEmbedded(JSON.parse(process.argv[2]));
  const { url, version, started, postmasterPid } = server;
  say({ url, version, started, postmasterPid });

  const lines = createInterface({ input: process.stdin });
  lines.on('line', async (word) => {
    if (word !== 'stop') return;
    lines.close();
    process.stdin.unref(); // from here on, only resources left by the server could keep this process alive
    await server.stop();
    say({ stopped: true });
  });
} catch (error) {
  say({ error: { code: error.code, message: error.message } });
}
