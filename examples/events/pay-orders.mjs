// Pays three orders, one of them with a declined card, and prints the published events. Usage: node pay-orders.mjs [FOLDER]
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';
import { AuditLoggingSubscriber } from './audit-logging-subscriber.mjs';
import { MetricsSubscriber } from './metrics-subscriber.mjs';
import { PaymentEventPublisher } from './payment-event-publisher.mjs';

const ORDERS = [
  { order_id: 'O-1', amount: 1250, card: 'visa' },
  { order_id: 'O-2', amount: 990, card: 'declined' },
  { order_id: 'O-3', amount: 4900, card: 'visa' },
];
const here = import.meta.dirname;
const audit = new AuditLoggingSubscriber();
const metrics = new MetricsSubscriber();

const tasker = await createTasker({
  templates: path.join(here, 'templates'),
  handlers: path.join(here, 'handlers'),
  publishers: [PaymentEventPublisher],
  subscribers: [audit, metrics],
  embeddedFolder: path.resolve(process.argv[2] ?? path.join(here, '../../.tasker')),
  logger: silentLogger,
});
const tasks = await tasker.createTasks(
  ORDERS.map((context) => ({ namespace: 'events_demo', name: 'pay_order', context })),
);
for (const [i, { taskUuid }] of tasks.entries()) {
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  // Durable events arrive shortly after the results: two for a paid order, one for an unpaid order.
  const events = await audit.of(taskUuid, status === 'complete' ? 2 : 1);
  console.log(`${ORDERS[i].order_id}: ${status}`);
  for (const { eventName, payload, by } of events) {
    console.log(`  ${eventName} ${JSON.stringify(payload)}${by ? ` (${by})` : ''}`);
  }
}
const { counts } = metrics;
await tasker.stop();
console.log(`in this process: ${[...counts].map(([name, count]) => `${count} ${name}`).join(', ')}`);
