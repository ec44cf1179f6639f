// A worker process of the example. Runs steps until its parent disconnects or dies.
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';

const [embeddedFolder, leaseMs] = process.argv.slice(2);
const tasker = await createTasker({
  namespaces: ['csv_demo'],
  handlers: path.join(import.meta.dirname, 'handlers'),
  embeddedFolder,
  leaseMs: Number(leaseMs),
  logger: silentLogger, // the parent process prints the output
});
// 'disconnect' is also emitted if the parent was killed.
process.once('disconnect', () => void tasker.stop());
