import { createTasker, defineHandler } from 'tasker-core';

const greet = defineHandler('greet', { inputs: { name: 'name' } }, ({ name }) => ({ greeting: `Hello ${name}` }));

const tasker = await createTasker({ templates: './templates', handlers: [greet] });
const task = await tasker.createTask({ namespace: 'demo', name: 'hello', context: { name: 'Ada' } });
await tasker.waitForTask(task.taskUuid, { timeoutMs: 10_000 });
const { results } = await tasker.getStep(task.taskUuid, 'greet');
console.log(results.result); // { greeting: 'Hello Ada' }
await tasker.stop();
