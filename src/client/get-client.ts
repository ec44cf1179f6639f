import { createClient } from './client.ts';
import { clientModule } from './client-module.ts';
import type { ClientOptions } from './client-options.ts';
import { TaskerClient } from './tasker-client.ts';

/**
 * Returns a {@link TaskerClient} for a server. In Node, the function of the same name of `tasker-core` reads the
 * address and the key from the environment.
 *
 * @example
 * const client = await getTaskerClient({ baseUrl: 'https://tasker.example', apiKey: key });
 * const { tasks } = await client.listTasks({ status: 'pending' });
 * @throws InvalidRequestError `INVALID_OPTION`
 */
export async function getTaskerClient(options: ClientOptions = {}): Promise<TaskerClient> {
  const client = createClient(options);
  const module = clientModule(async () => client);
  return new TaskerClient({ getModule: () => module });
}
