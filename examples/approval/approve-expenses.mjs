// Approves expenses by a rule, by a manager, or by two people, depending on the amount. Usage: node
// approve-expenses.mjs [FOLDER]
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';

const AMOUNTS = [999, 1000, 4999, 5000];
const here = import.meta.dirname;

const tasker = await createTasker({
  templates: path.join(here, 'templates'),
  handlers: path.join(here, 'handlers'),
  embeddedFolder: path.resolve(process.argv[2] ?? path.join(here, '../../.tasker')),
  logger: silentLogger,
});
const tasks = await tasker.createTasks(
  AMOUNTS.map((amount) => ({ namespace: 'approval_demo', name: 'approve_expense', context: { amount } })),
);
for (const [i, { taskUuid }] of tasks.entries()) {
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  const steps = await tasker.getSteps(taskUuid);
  const { result } = steps.find(({ name }) => name === 'finalize_approval').results;
  const created = steps.map(({ name }) => name).slice(2, -1);
  console.log(`${AMOUNTS[i]}: ${status}, approved by ${result.approved_by.join(' and ')} (${created.join(', ')})`);
}
await tasker.stop();
