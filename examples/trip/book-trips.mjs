// Books two trips. For the second, no car is left: the task is blocked, and what was booked is undone in the reverse order.
// Usage: node book-trips.mjs [FOLDER]
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';

const here = import.meta.dirname;
const tasker = await createTasker({
  templates: path.join(here, 'templates'),
  handlers: path.join(here, 'handlers'),
  embeddedFolder: path.resolve(process.argv[2] ?? path.join(here, '../../.tasker')),
  logger: silentLogger,
});
const trips = [
  { trip: 'T-1', cars: 3 },
  { trip: 'T-2', cars: 0 },
];
for (const context of trips) {
  const { taskUuid } = await tasker.createTask({ namespace: 'trip_demo', name: 'book_trip', context });
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  console.log(`${context.trip}: ${status}`);
  if (status !== 'blocked_by_failures') continue;
  const { steps } = await tasker.undoTask(taskUuid, { actor: 'book-trips', reason: 'no car is left' });
  const undone = steps.filter((step) => step.undone).map((step) => step.step);
  console.log(`  undoing ${undone.join(', ')}`);
  const end = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  console.log(`  ${end.status}`);
  for (const { name, results } of await tasker.getSteps(taskUuid)) {
    if (name.startsWith('undo:')) console.log(`  ${name}: ${results.result.cancelled}`);
  }
}
await tasker.stop();
