import { expect, it } from 'vitest';
import { silentLogger } from '../../src/logging/logger.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { asking } from '../support/rest/contract.ts';
import { signalStep, waitingBench } from '../support/waits/waiting.ts';

type Json = Record<string, unknown>;
type TaskJson = Json & { steps: Json[] };

async function served() {
  const made = await waitingBench({ pay: signalStep('paid'), ship: ['pay'] });
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  const of = (legacyStatus: boolean) =>
    asking(restApp({ tasker: made.tasker, logger: silentLogger, facts, legacyStatus }));
  return { ...made, plain: of(false), legacy: of(true) };
}

it('with legacyStatus, waiting tasks and steps have states that clients of the original system know', async () => {
  const { tasker, create, work, plain, legacy } = await served();
  const uuid = await create();
  await work();
  await tasker.engine.search.flush();
  const { body } = await plain<TaskJson>('GET', `/v1/tasks/${uuid}`);
  expect([body.status, body.steps[0]!.current_state, body.waiting_steps]).toEqual(['waiting', 'waiting', 1]);
  const task = (await legacy<TaskJson>('GET', `/v1/tasks/${uuid}`)).body;
  expect(task).toMatchObject({
    ...{ status: 'steps_in_process', in_progress_steps: 1, waiting_steps: 0, execution_status: 'processing' },
    steps: [
      { name: 'pay', current_state: 'in_progress' },
      { name: 'ship', current_state: 'pending' },
    ],
  });
  const list = (await legacy<{ tasks: TaskJson[] }>('GET', '/v1/tasks')).body.tasks;
  expect(list).toMatchObject([{ task_uuid: uuid, status: 'steps_in_process', in_progress_steps: 1 }]);
  const summary = (await legacy<{ task: Json; steps: Json[] }>('GET', `/v1/tasks/${uuid}/summary`)).body;
  expect([summary.task.status, summary.steps[0]!.current_state]).toEqual(['steps_in_process', 'in_progress']);
  const steps = (await legacy<Json[]>('GET', `/v1/tasks/${uuid}/workflow_steps`)).body;
  const one = (await legacy<Json>('GET', `/v1/tasks/${uuid}/workflow_steps/${steps[0]!.step_uuid}`)).body;
  expect([steps[0]!.current_state, one.current_state]).toEqual(['in_progress', 'in_progress']);
  const cancelled = (await legacy<TaskJson>('DELETE', `/v1/tasks/${uuid}`)).body;
  expect([cancelled.status, cancelled.steps[0]!.current_state]).toEqual(['cancelled', 'cancelled']);
});

it('a task is cancelled with a reason, which the audit keeps, and a misspelt field changes nothing', async () => {
  const { tasker, create, plain } = await served();
  const uuid = await create();
  const wrong = await plain('DELETE', `/v1/tasks/${uuid}`, { raeson: 'the order was withdrawn' });
  expect([wrong.status, (await tasker.getTask(uuid)).status]).toEqual([400, 'pending']);
  const body = { reason: 'the order was withdrawn', by: 'ana' };
  expect((await plain('DELETE', `/v1/tasks/${uuid}`, body)).status).toBe(200);
  const { entries } = await tasker.audit({ action: 'cancel' });
  expect(entries).toMatchObject([{ actor: 'ana', reason: 'the order was withdrawn' }]);
  const other = await create();
  expect((await plain('DELETE', `/v1/tasks/${other}`, undefined, { 'content-type': 'application/json' })).status).toBe(
    200,
  );
});
