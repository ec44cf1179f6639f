// Reads three files in parallel, transforms one, and combines them. Usage: node report-sales.mjs [FOLDER]
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';

const here = import.meta.dirname;
const tasker = await createTasker({
  templates: path.join(here, 'templates'),
  handlers: path.join(here, 'handlers'),
  embeddedFolder: path.resolve(process.argv[2] ?? path.join(here, '../../.tasker')),
  logger: silentLogger,
});
const task = await tasker.createTask({
  namespace: 'pipeline_demo',
  name: 'sales_report',
  context: { folder: path.join(here, 'data') },
});
await tasker.waitForTask(task.taskUuid, { timeoutMs: 30_000 });
const { results } = await tasker.getStep(task.taskUuid, 'aggregate');
for (const { name, total, reached } of results.result.report) {
  console.log(`${name.padEnd(14)}${String(total).padStart(4)}  ${reached ? 'goal reached' : 'goal missed'}`);
}
await tasker.stop();
