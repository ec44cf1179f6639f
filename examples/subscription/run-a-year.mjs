// Simulates a year of two subscriptions with the test kit, which takes a moment. Usage: node run-a-year.mjs
import path from 'node:path';
import { testTasker } from 'tasker-core/testing';
import * as handlers from './handlers/subscription.mjs';
import { post } from './letters.mjs';

const kit = await testTasker({
  templates: path.join(import.meta.dirname, 'templates'),
  handlers: Object.values(handlers),
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
await kit.signal({ correlationId }, 'cancel', { cancelled: true }); // Ada's open month

const tasks = await kit.tasker.listTasks({ limit: 100 });
const lines = post.letters.map(({ at, customer, text }) => {
  const day = Math.round((at - begun) / 86_400_000);
  return `day ${String(day).padStart(3)}  ${customer}: ${text}`;
});
for (const line of lines.toSorted()) console.log(line); // letters of one day may be sent in any order
console.log(`${tasks.length} tasks, all ${[...new Set(tasks.map(({ status }) => status))].join(', ')}`);
await kit.stop();
