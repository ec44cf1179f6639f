// A process with a subscriber but no worker, for bench/events.mjs. Prints when each event was handled, by the machine-wide
// clock. Exits when its input ends.
import { BaseSubscriber, createTasker } from 'tasker-core';

class Listening extends BaseSubscriber {
  static subscriberName = 'listening';
  handle({ metadata }) {
    process.stdout.write(`${metadata.taskUuid} ${process.hrtime.bigint()}\n`);
  }
}

const tasker = await createTasker({
  databaseUrl: process.env.DATABASE_URL,
  templates: [],
  worker: false,
  subscribers: [Listening],
});
process.stdout.write('ready\n');
process.stdin.resume().once('end', () => void tasker.stop());
