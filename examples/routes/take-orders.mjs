// Takes two orders. One is paid and shipped. The card of the other is declined: its stock is released, and the customer is
// informed. Both are written to the ledger. Usage: node take-orders.mjs [FOLDER]
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';

const here = import.meta.dirname;
const tasker = await createTasker({
  templates: path.join(here, 'templates'),
  handlers: path.join(here, 'handlers'),
  embeddedFolder: path.resolve(process.argv[2] ?? path.join(here, '../../.tasker')),
  logger: silentLogger,
});
const orders = [
  { order: 'O-1', customer: 'Ada', card: 'valid' },
  { order: 'O-2', customer: 'Bob', card: 'declined' },
];
const tasks = await tasker.createTasks(
  orders.map((context) => ({ namespace: 'routes_demo', name: 'take_order', context })),
);
for (const [i, { taskUuid }] of tasks.entries()) {
  const { status, output } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  console.log(`${orders[i].order}: ${status}, in the ledger: ${output.entry}`);
  for (const { name, currentState, results } of await tasker.getSteps(taskUuid)) {
    const letter = name === 'tell' && currentState === 'complete' ? `: ${results.result.letter}` : '';
    console.log(`  ${name} ${currentState}${letter}`);
  }
}
await tasker.stop();
