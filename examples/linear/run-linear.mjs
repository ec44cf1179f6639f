// Four steps, one after the other. Usage: node run-linear.mjs [FOLDER]
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';

const here = import.meta.dirname;
const tasker = await createTasker({
  templates: path.join(here, 'templates'),
  handlers: path.join(here, 'handlers'),
  embeddedFolder: path.resolve(process.argv[2] ?? path.join(here, '../../.tasker')),
  logger: silentLogger,
});
const task = await tasker.createTask({ namespace: 'linear_demo', name: 'linear_workflow', context: { value: 6 } });
await tasker.waitForTask(task.taskUuid, { timeoutMs: 30_000 });
for (const { name, currentState, results } of await tasker.getSteps(task.taskUuid)) {
  const { input_received, value } = results.result;
  console.log(`${name}: ${currentState} ${JSON.stringify(input_received ?? { value })}`);
}
await tasker.stop();
