// Runs a year of two subscriptions in a moment, with the test kit. Usage: node run-a-year.mjs
import path from 'node:path';
import { testTasker } from 'tasker-core/testing';
import { post } from './letters.mjs';

const kit = await testTasker({
  templates: path.join(import.meta.dirname, 'templates'),
  handlers: path.join(import.meta.dirname, 'handlers'),
});
post.tasker = kit.tasker;
post.now = () => kit.now();
const begun = kit.now();

const [ada] = await kit.tasker.createTasks(
  ['Ada', 'Bob'].map((customer) => ({
    namespace: 'subscription_demo',
    name: 'trial',
    idempotencyKey: customer,
    context: { customer },
  })),
);
await kit.advanceTime('12 days');
await kit.signal(ada.taskUuid, 'payment_received', { cents: 990 }); // after the reminder; Bob never pays
await kit.advanceTime('345 days');
const { correlationId } = await kit.tasker.getTask(ada.taskUuid);
await kit.signal({ correlationId }, 'cancel', { cancelled: true }); // the open month of Ada

const tasks = await kit.tasker.listTasks({ limit: 100 });
for (const { at, customer, text } of post.letters) {
  const day = Math.round((at - begun) / 86_400_000);
  console.log(`day ${String(day).padStart(3)}  ${customer}: ${text}`);
}
console.log(`${tasks.length} tasks, all ${[...new Set(tasks.map(({ status }) => status))].join(', ')}`);
await kit.stop();
