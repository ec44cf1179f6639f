import { expect, it } from 'vitest';
import { callerOf } from '../../src/cli/remote/call.ts';
import { remoteTaskReads } from '../../src/cli/remote/remote-tasks.ts';
import { createClient } from '../../src/client/index.ts';
import { KIND, type Recording } from '../../src/engine/engine.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { asking } from '../support/rest/contract.ts';
import { DEMO, repeat } from '../support/setup.ts';
import { type Steps, signalStep, waitingBench } from '../support/waits/waiting.ts';

const STEPS: Steps = { ask: signalStep('paid'), pay: { retry: { max_attempts: 2 } }, ship: ['ask', 'pay'] };

/** A task, and the functions that read it at each door. */
async function doors() {
  const bench = await waitingBench(STEPS);
  const { tasker } = bench;
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  const app = restApp({ tasker, logger: silentLogger, facts });
  const client = createClient({
    baseUrl: 'http://localhost',
    fetch: async (url, init) => app.request(url as string, init),
  });
  const ask = asking(app);
  const remote = remoteTaskReads(client, callerOf(client));
  /** Returns the status and the recommended action that all doors show. Fails if they differ. */
  const seen = async (taskUuid: string) => {
    const { executionStatus, recommendedAction, healthStatus } = await tasker.getTask(taskUuid);
    const derived = { executionStatus, recommendedAction, healthStatus };
    expect(await remote.getTask!(taskUuid)).toMatchObject(derived);
    const json = {
      execution_status: executionStatus,
      recommended_action: recommendedAction,
      health_status: healthStatus,
    };
    expect(await client.tasks.get(taskUuid)).toMatchObject(json);
    expect((await ask('GET', `/v1/tasks/${taskUuid}`)).body).toMatchObject(json);
    await bench.engine.search.flush();
    const { tasks } = await client.tasks.list();
    expect(tasks.find((task) => task.task_uuid === taskUuid)).toMatchObject(json);
    return [executionStatus, recommendedAction];
  };
  return { ...bench, client, seen };
}

const failed = (step: Recording, kind: Recording['kind']): Recording => ({
  ...step,
  kind,
  delayMs: kind === KIND.retryable ? 3_600_000 : 0,
  result: 'null',
  detail: '{"error":{"message":"broken"}}',
  wait: undefined,
});

it('every door shows the same execution status of a task, in each of its states', async () => {
  const { tasker, create, claim, record, work, seen } = await doors();
  const later = await tasker.createTask({ ...DEMO, startAt: '2050-01-01T00:00:00Z' });
  expect(await seen(later.taskUuid)).toEqual(['waiting_for_dependencies', 'wait_for_dependencies']);
  const id = await create();
  expect(await seen(id)).toEqual(['has_ready_steps', 'execute_ready_steps']);
  const [ask, pay] = await claim();
  expect(await seen(id)).toEqual(['processing', 'wait_for_completion']);
  await record([failed(pay!, KIND.retryable)]);
  await record([ask!]);
  expect((await tasker.getTask(id)).status).toBe('waiting_for_retry');
  expect(await seen(id)).toEqual(['processing', 'wait_for_completion']);
  await tasker.retryStep(id, 'pay');
  await record((await claim()).map((step) => failed(step, KIND.permanent)));
  expect((await tasker.getTask(id)).status).toBe('waiting');
  expect(await seen(id)).toEqual(['blocked_by_failures', 'handle_failures']);
  await tasker.resolveStep(id, 'pay');
  expect(await seen(id)).toEqual(['processing', 'wait_for_completion']);
  await tasker.signal(id, 'paid');
  await work();
  expect(await seen(id)).toEqual(['all_complete', 'finalize_task']);
  const other = await create();
  await record((await claim()).map((step) => failed(step, KIND.permanent)));
  await tasker.cancelTask(other);
  expect(await seen(other)).toEqual(['all_complete', 'none']);
});

it('a task with a failed step is blocked at every door while another step is ready', async () => {
  const { create, claim, record, tasker, seen } = await doors();
  const id = await create();
  await record((await claim()).slice(1).map((step) => failed(step, KIND.permanent)));
  expect((await tasker.getTask(id)).status).toBe('steps_in_process');
  expect(await seen(id)).toEqual(['blocked_by_failures', 'handle_failures']);
});

it('a task that waits for a retry waits for dependencies at every door', async () => {
  const { create, claim, record, seen, tasker } = await doors();
  const id = await create();
  await record((await claim()).map((step) => failed(step, KIND.retryable)));
  expect((await tasker.getTask(id)).status).toBe('waiting_for_retry');
  expect(await seen(id)).toEqual(['waiting_for_dependencies', 'wait_for_dependencies']);
});

it('an event about a step has a time of completion only if the step is complete or resolved', async () => {
  const { create, claim, record, tasker } = await doors();
  const id = await create();
  const [ask, pay] = await claim();
  await record([failed(pay!, KIND.retryable)]);
  await record([ask!]);
  const stop = new AbortController();
  // A stream sends what changes after it has begun.
  const touching = repeat(() => tasker.engine.search.flush().then(() => tasker.engine.search.changed(id)));
  const shown: Record<string, string | null> = {};
  const read = async (state: string) => {
    for await (const change of tasker.watchTasks({ kind: 'step' }, { signal: stop.signal })) {
      if (change.kind !== 'step') continue;
      shown[`${change.step.name} ${change.step.currentState}`] = change.step.completedAt;
      if (`${change.step.name} ${change.step.currentState}` === state) return;
    }
  };
  await read('pay waiting_for_retry');
  await tasker.retryStep(id, 'pay');
  await record(await claim());
  await read('pay complete');
  await touching.stop();
  expect(shown).toMatchObject({ 'ask waiting': null, 'pay waiting_for_retry': null });
  expect(shown['pay complete']).toBe((await tasker.getStep(id, 'pay')).completedAt);
}, 60_000);
