import { expect, it, vi } from 'vitest';
import { getFfiLayer, getTaskerClient, TaskerClient, TaskerClientError } from '../../src/index.ts';
import { json, scripted } from './served.ts';

const UUID = '019b0000-0000-7000-8000-000000000000';

/** A hand-made module, as in the unit tests of users. */
function mock(answer: { success: boolean; data?: unknown; error?: string; recoverable?: boolean }) {
  const call = () => vi.fn((..._given: unknown[]) => answer);
  const module = {
    clientCreateTask: call(),
    clientGetTask: call(),
    clientListTasks: call(),
    clientCancelTask: call(),
    clientListTaskSteps: call(),
    clientGetStep: call(),
    clientGetStepAuditHistory: call(),
    clientHealthCheck: call(),
  };
  return { module, client: new TaskerClient({ getModule: () => module }) };
}

it('a client with a synchronous module returns values, and fills in the defaults of the request', () => {
  const { module, client } = mock({ success: true, data: { task_uuid: UUID } });
  expect(client.createTask({ name: 'order' }).task_uuid).toBe(UUID);
  expect(module.clientCreateTask).toHaveBeenCalledWith({
    name: 'order',
    namespace: 'default',
    version: '1.0.0',
    context: {},
    initiator: 'tasker-core-typescript',
    sourceSystem: 'tasker-core',
    reason: 'Task requested',
    tags: [],
    correlationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
  // The calls to a server leave the version to the server, which knows the active version.
  const current = new TaskerClient({ getModule: () => ({ ...module, knowsActiveVersions: true }) });
  current.createTask({ name: 'order' });
  expect(module.clientCreateTask.mock.lastCall).toEqual([expect.objectContaining({ version: undefined })]);
  client.createTask({ name: 'order', namespace: 'shop', priority: 3, idempotencyKey: 'k', parentCorrelationId: UUID });
  expect(module.clientCreateTask).toHaveBeenLastCalledWith(
    expect.objectContaining({ namespace: 'shop', priority: 3, idempotencyKey: 'k', parentCorrelationId: UUID }),
  );
  client.listTasks();
  expect(module.clientListTasks).toHaveBeenLastCalledWith({ limit: 50, offset: 0 });
  client.listTasks({ limit: 5, offset: 10, namespace: 'shop', status: 'error' });
  expect(module.clientListTasks).toHaveBeenLastCalledWith({ limit: 5, offset: 10, namespace: 'shop', status: 'error' });
  expect(client.cancelTask(UUID)).toBeUndefined();
  expect(client.getTask(UUID)).toEqual({ task_uuid: UUID });
  client.listTaskSteps(UUID);
  client.getStep(UUID, 's');
  client.getStepAuditHistory(UUID, 's');
  expect(module.clientGetStep).toHaveBeenCalledWith(UUID, 's');
  expect(client.healthCheck()).toEqual({ task_uuid: UUID });
});

it('a client throws the error of its module, which states whether a retry may succeed', () => {
  const { client } = mock({ success: false, error: 'connection refused', recoverable: true });
  const failure = (call: () => unknown) => {
    try {
      return call();
    } catch (error) {
      return error;
    }
  };
  const error = failure(() => client.getTask(UUID));
  expect(error).toBeInstanceOf(TaskerClientError);
  expect(error).toMatchObject({ name: 'TaskerClientError', message: 'connection refused', recoverable: true });
  expect(failure(() => mock({ success: false }).client.healthCheck())).toMatchObject({
    message: 'the call failed',
    recoverable: false,
  });
  expect(new TaskerClientError('no').recoverable).toBe(false);
});

it('a client with an asynchronous module returns promises', async () => {
  const later = async () => ({ success: true, data: { healthy: true } });
  const module = { ...mock({ success: true }).module, clientHealthCheck: later };
  const client = new TaskerClient({ getModule: () => module as never });
  const answer = client.healthCheck() as unknown;
  expect(answer).toBeInstanceOf(Promise);
  expect(await answer).toEqual({ healthy: true });
});

it('the client of the process uses the server and the key in the environment', async () => {
  const { baseUrl, received } = await scripted([json({ task_uuid: UUID, status: 'complete' })]);
  vi.stubEnv('TASKER_ORCHESTRATION_URL', baseUrl);
  vi.stubEnv('TASKER_API_KEY', 'key-1');
  try {
    const client = await getTaskerClient();
    expect(await getTaskerClient()).toBe(client);
    expect((await client.getTask(UUID)).status).toBe('complete');
    const layered = new TaskerClient(await getFfiLayer());
    expect(await layered.healthCheck()).toEqual({ healthy: true });
    expect(received.map(({ url, headers }) => [url, headers['x-api-key']])).toEqual([
      [`/v1/tasks/${UUID}`, 'key-1'],
      ['/health', 'key-1'],
    ]);
    vi.stubEnv('TASKER_ORCHESTRATION_URL', 'nowhere');
    await expect(client.getTask(UUID)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  } finally {
    vi.unstubAllEnvs();
  }
});
