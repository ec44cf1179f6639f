// A process that delivers domain events, which tests kill. It writes each event that a consumer receives or has handled
// to a file, as a JSON line. It accepts the command `stop MS` on standard input, and exits on its own after it stops.
import { openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Database } from '../../../dist/db/database.js';
import { Engine } from '../../../dist/engine/engine.js';
import { EventDeliverer } from '../../../dist/events/delivery/event-deliverer.js';
import { silentLogger } from '../../../dist/index.js';

const { journal, groups, leaseMs, databaseUrl, retries } = JSON.parse(process.argv[2]);
const file = openSync(journal, 'a');
// The clock that all processes of the machine share.
const note = (entry) =>
  writeSync(file, `${JSON.stringify({ pid: process.pid, at: Number(process.hrtime.bigint()), ...entry })}\n`);

const consumerOf = ({ group, failing = 0 }) => ({
  group,
  patterns: ['order.*'],
  from: 'beginning',
  async deliver({ id, eventId, taskUuid: task, stepName: step, payload }) {
    const about = { group, id, event: eventId, task, step, run: payload.run };
    note({ what: 'start', ...about });
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
    if (Math.random() < failing) throw new Error('failed as configured');
    note({ what: 'handled', ...about });
  },
});

async function connect() {
  for (let tries = 0; ; tries++) {
    try {
      return await Database.connect({ url: databaseUrl, poolSize: 5, logger: silentLogger });
    } catch (error) {
      if (error.code !== 'database_unreachable' || tries >= retries) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const database = await connect();
const delivery = new EventDeliverer({
  log: new Engine(database, silentLogger).events,
  logger: silentLogger,
  listenTo: database,
  options: { leaseMs },
});
await delivery.run(groups.map(consumerOf)).started;
await delivery.start();
process.stdout.write('ready\n');

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const [word, argument] = line.split(' ');
  if (word !== 'stop') return;
  await delivery.stop({ drainTimeoutMs: Number(argument) });
  await database.close();
  lines.close();
  process.stdin.destroy();
});
