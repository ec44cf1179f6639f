// A worker process that has only some handlers: HANDLERS lists their names. Each handler first writes its start to a file,
// as a JSON line. The process accepts the command `stop MS` on standard input.
import { openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createTasker, defineHandler } from '../../../dist/bundle/index.js';

const { journal, ...options } = JSON.parse(process.argv[2]);
const file = openSync(journal, 'a');
let runs = 0;

const handlers = process.env.HANDLERS.split(',').map((name) =>
  defineHandler(name, {}, async ({ context }) => {
    const run = `${process.pid}:${++runs}`;
    const { taskUuid: task, attempt, rerun } = context;
    writeSync(
      file,
      `${JSON.stringify({ pid: process.pid, what: 'start', task, step: name, attempt, rerun, run, seen: {} })}\n`,
    );
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { run };
  }),
);
const silent = () => {};
const logger = { trace: silent, debug: silent, info: silent, warn: silent, error: silent, child: () => logger };
const tasker = await createTasker({ namespaces: ['test'], handlers, logger, ...options });
process.stdout.write('ready\n');

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const [word, drainTimeoutMs] = line.split(' ');
  if (word !== 'stop') return;
  await tasker.stop({ drainTimeoutMs: Number(drainTimeoutMs) });
  lines.close();
  process.stdin.destroy();
});
