// Takes two orders, each with an invoice as a child task. The invoice of one is refused, so its order is held.
// Usage: node invoice-orders.mjs [FOLDER]
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
  { order: 'O-1', customer: 'Ada', pieces: 2 },
  { order: 'O-2', customer: 'Bob', pieces: 3 },
];
const tasks = await tasker.createTasks(orders.map((context) => ({ namespace: 'child_demo', name: 'order', context })));
for (const [i, { taskUuid }] of tasks.entries()) {
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  const { children } = await tasker.getChildTasks(taskUuid);
  console.log(`${orders[i].order}: ${status}, its invoice: ${children[0].status}`);
  for (const { name, currentState, results } of await tasker.getSteps(taskUuid)) {
    const result = currentState === 'complete' ? ` ${JSON.stringify(results.result)}` : '';
    console.log(`  ${name} ${currentState}${result}`);
  }
}
await tasker.stop();
