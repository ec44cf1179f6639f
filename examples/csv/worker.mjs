// A worker process of the example: runs steps until its parent disconnects, or is gone.
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';

const [embeddedFolder, leaseMs] = process.argv.slice(2);
const tasker = await createTasker({
  namespaces: ['csv_demo'],
  handlers: path.join(import.meta.dirname, 'handlers'),
  embeddedFolder,
  leaseMs: Number(leaseMs),
  logger: silentLogger, // the program that started it says what there is to say
});
// 'disconnect' comes also when the parent was killed.
process.once('disconnect', () => void tasker.stop());
