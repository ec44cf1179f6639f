import { type ClientModule, type NapiClientResult, TaskerClient } from '../../client/tasker-client.ts';
import { serverFromEnvironment } from '../../config/server-address.ts';

type Calls = ClientModule<Promise<NapiClientResult>>;

let connected: Promise<Calls> | undefined;

/** Imports the client at the first call, because most programs never use it. A failed import is not cached. */
function connect(): Promise<Calls> {
  connected ??= load().catch((error: unknown) => {
    connected = undefined;
    throw error;
  });
  return connected;
}

async function load(): Promise<Calls> {
  const [{ createClient }, { clientModule }] = await Promise.all([
    import('../../client/client.ts'),
    import('../../client/client-module.ts'),
  ]);
  return clientModule(async () => {
    const { url, ...credential } = serverFromEnvironment();
    return createClient({ baseUrl: url, ...credential });
  });
}

/** The calls of a `TaskerClient`, as requests to the server in the environment. */
export const clientCalls: Calls = {
  knowsActiveVersions: true,
  clientCreateTask: async (request) => (await connect()).clientCreateTask(request),
  clientGetTask: async (task) => (await connect()).clientGetTask(task),
  clientListTasks: async (params) => (await connect()).clientListTasks(params),
  clientCancelTask: async (task) => (await connect()).clientCancelTask(task),
  clientListTaskSteps: async (task) => (await connect()).clientListTaskSteps(task),
  clientGetStep: async (task, step) => (await connect()).clientGetStep(task, step),
  clientGetStepAuditHistory: async (task, step) => (await connect()).clientGetStepAuditHistory(task, step),
  clientHealthCheck: async () => (await connect()).clientHealthCheck(),
};

let client: TaskerClient | undefined;

/**
 * Returns the {@link TaskerClient} of this process. It sends requests to `TASKER_ORCHESTRATION_URL`, default
 * `http://127.0.0.1:8080`, with the key in `TASKER_API_KEY` or the token in `TASKER_AUTH_TOKEN`. New programs use `createClient`
 * of `tasker-core/client`.
 *
 * @example
 * const client = await getTaskerClient();
 * const { task_uuid } = await client.createTask({ namespace: 'shop', name: 'order', context: { order_id: 'O-7' } });
 */
export async function getTaskerClient(): Promise<TaskerClient> {
  client ??= new TaskerClient({ getModule: () => clientCalls });
  return client;
}
