// Pays three invoices through a service that calls back. One payment is declined. One is retried, because its callback
// is lost.
// Usage: node pay-invoices.mjs [FOLDER]
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';
import { startPayments, startShop } from './services.mjs';

const here = import.meta.dirname;
const tasker = await createTasker({
  templates: path.join(here, 'templates'),
  handlers: path.join(here, 'handlers'),
  embeddedFolder: path.resolve(process.argv[2] ?? path.join(here, '../../.tasker')),
  logger: silentLogger,
});
const payments = await startPayments();
const shop = await startShop(tasker);
process.env.PAYMENTS_URL = payments.url; // both are read by the handler
process.env.SHOP_URL = shop.url;

const invoices = ['I-1', 'I-2', 'I-3'];
const tasks = await tasker.createTasks(
  invoices.map((invoice) => ({ namespace: 'callback_demo', name: 'pay_invoice', context: { invoice } })),
);
for (const [i, { taskUuid }] of tasks.entries()) {
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  const { attempts, results } = await tasker.getStep(taskUuid, 'pay');
  const outcome = results.success ? results.result.receipt : results.error.message;
  console.log(`${invoices[i]}: ${status}, ${outcome}, attempts: ${attempts}`);
}
await tasker.stop();
shop.close();
payments.close();
