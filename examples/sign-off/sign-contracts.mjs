// Two people approve one contract, and one of them rejects another. Usage: node sign-contracts.mjs [FOLDER]
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTasker, silentLogger } from 'tasker-core';

const here = import.meta.dirname;
const tasker = await createTasker({
  templates: path.join(here, 'templates'),
  handlers: path.join(here, 'handlers'),
  embeddedFolder: path.resolve(process.argv[2] ?? path.join(here, '../../.tasker')),
  logger: silentLogger,
});
const [good, bad] = await tasker.createTasks(
  ['Acme', 'Hooli'].map((customer) => ({
    namespace: 'sign_off_demo',
    name: 'publish_contract',
    context: { customer },
  })),
);
for (const { taskUuid } of [good, bad]) await asked(taskUuid);

// A real program must authenticate the voters and check their roles.
// On the command line: npx tasker approval approve TASK sign_off --by ann
const ann = { by: 'ann', roles: ['legal'] };
const bob = { by: 'bob', roles: ['finance'] };
await tasker.approvals.vote(good.taskUuid, 'sign_off', { decision: 'approve', ...ann });
await tasker.approvals.vote(good.taskUuid, 'sign_off', { decision: 'approve', ...bob });
await tasker.approvals.vote(bad.taskUuid, 'sign_off', { decision: 'reject', ...bob, comment: 'they never pay' });

for (const { taskUuid } of [good, bad]) {
  const task = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  const steps = await tasker.getSteps(taskUuid);
  const { name, results } = steps.at(-1);
  console.log(`${task.context.customer}: ${name} ${JSON.stringify(results.result)}`);
}
await tasker.stop();

/** Waits until the step waits for votes. */
async function asked(taskUuid) {
  while ((await tasker.getStep(taskUuid, 'sign_off')).currentState !== 'waiting') await sleep(20);
}
