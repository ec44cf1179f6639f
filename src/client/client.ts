import type { CallOptions, ClientOptions } from './client-options.ts';
import { analyticsVerbs, deadLetterVerbs, healthVerbs, stepVerbs, templateVerbs } from './read-verbs.ts';
import { taskVerbs } from './task-verbs.ts';
import { type Call, Transport } from './transport.ts';

/**
 * Connects to a server. Nothing is sent before the first call.
 *
 * @example
 * const client = createClient({ baseUrl: 'https://tasker.example', apiKey: key });
 * const task = await client.tasks.create({ namespace: 'shop', name: 'order', context: { order_id: 'O-7' } });
 * const { status } = await client.tasks.wait(task.task_uuid, { timeoutMs: 60_000 });
 * @throws InvalidRequestError `INVALID_OPTION`
 */
export function createClient(options: ClientOptions = {}): Client {
  const transport = new Transport(options);
  return {
    baseUrl: transport.baseUrl,
    tasks: taskVerbs(transport),
    steps: stepVerbs(transport),
    templates: templateVerbs(transport),
    deadLetters: deadLetterVerbs(transport),
    analytics: analyticsVerbs(transport),
    health: healthVerbs(transport),
    request: (method, path, more = {}) => transport.json({ ...more, method, path }),
  };
}

/**
 * A connection to a server. Each call sends one request, and repeats it only if that is safe. `createClient` makes one.
 *
 * @example
 * function report(client: Client) { return client.analytics.performance({ hours: 24 }); }
 */
export interface Client {
  /** The address of the server, without a slash at its end. */
  readonly baseUrl: string;
  readonly tasks: ReturnType<typeof taskVerbs>;
  readonly steps: ReturnType<typeof stepVerbs>;
  readonly templates: ReturnType<typeof templateVerbs>;
  readonly deadLetters: ReturnType<typeof deadLetterVerbs>;
  readonly analytics: ReturnType<typeof analyticsVerbs>;
  readonly health: ReturnType<typeof healthVerbs>;
  /**
   * Sends a request to a route that has no method here, and returns its JSON. `path` is encoded, such as `/v1/queues`.
   */
  request<T = unknown>(
    method: Call['method'],
    path: string,
    more?: Pick<Call, 'query' | 'body' | 'headers' | 'repeatable'> & CallOptions,
  ): Promise<T>;
}
