// Packs an order with three lines, and one with a line whose label a person writes after the printer refused it.
// Usage: node pack-orders.mjs [FOLDER]
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';

const here = import.meta.dirname;
const tasker = await createTasker({
  templates: path.join(here, 'templates'),
  handlers: path.join(here, 'handlers'),
  embeddedFolder: path.resolve(process.argv[2] ?? path.join(here, '../../.tasker')),
  logger: silentLogger,
});
const line = (sku, count) => ({ sku, count });
const orders = [
  { order: 'O-1', lines: [line('cup', 6), line('pot', 1), line('tray', 2)] },
  { order: 'O-2', lines: [line('cup', 2), line('vase', 1), line('pot', 1)] },
];
for (const context of orders) {
  const { taskUuid } = await tasker.createTask({ namespace: 'lines_demo', name: 'pack_order', context });
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  console.log(`${context.order}: ${status}`);
  if (status === 'blocked_by_failures') {
    const { steps } = await tasker.why(taskUuid);
    console.log(`  ${steps.find(({ step }) => step === 'each_line').why}`);
    // Only this line continues. The others are packed already.
    const byHand = { actor: 'pack-orders', reason: 'written by hand', result: { code: '2-vase' } };
    await tasker.completeStep(taskUuid, 'label[1]', byHand);
    const end = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
    console.log(`  with a label written by hand: ${end.status}`);
  }
  const { results } = await tasker.getStep(taskUuid, 'ship');
  console.log(`  ${results.result.shipment}`);
}
await tasker.stop();
