import type { CallOptions, ClientOptions } from './client-options.ts';
import { sender } from './send.ts';
import { type Call, Transport } from './transport.ts';
import {
  approvalVerbs,
  bulkActVerbs,
  completionVerbs,
  scheduleVerbs,
  signalVerbs,
  stepActVerbs,
} from './verbs/act-verbs.ts';
import {
  auditVerbs,
  credentialVerbs,
  eventVerbs,
  installationVerbs,
  namespaceVerbs,
  templateMoreVerbs,
  workerVerbs,
} from './verbs/operate-verbs.ts';
import { analyticsVerbs, deadLetterVerbs, healthVerbs, stepVerbs, templateVerbs } from './verbs/read-verbs.ts';
import { taskActVerbs, taskDetailVerbs } from './verbs/task-more-verbs.ts';
import { taskVerbs } from './verbs/task-verbs.ts';
import { type Change, type ChangesOptions, type ChangesQuery, watchChanges } from './watch-changes.ts';

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
    ...groupsOf(transport),
    changes: (query = {}, more = {}) => watchChanges(transport, query, more),
    request: (method, path, more = {}) => transport.json({ ...more, method, path }),
  };
}

function groupsOf(transport: Transport) {
  const send = sender(transport);
  return {
    tasks: { ...taskVerbs(transport), ...taskDetailVerbs(send), ...taskActVerbs(send) },
    steps: { ...stepVerbs(transport), ...stepActVerbs(send) },
    templates: { ...templateVerbs(transport), ...templateMoreVerbs(send) },
    namespaces: namespaceVerbs(send),
    signals: signalVerbs(send),
    approvals: approvalVerbs(send),
    completions: completionVerbs(send),
    schedules: scheduleVerbs(send),
    deadLetters: deadLetterVerbs(transport),
    events: eventVerbs(send),
    bulkActs: bulkActVerbs(send),
    workers: workerVerbs(send),
    installation: installationVerbs(send),
    audit: auditVerbs(send),
    credentials: credentialVerbs(send),
    analytics: analyticsVerbs(transport),
    health: healthVerbs(transport),
  };
}

/**
 * A connection to a server. Each call sends one request, and repeats it only if that is safe. `createClient` makes one.
 *
 * @example
 * function report(client: Client) { return client.analytics.performance({ hours: 24 }); }
 */
export interface Client extends Readonly<ReturnType<typeof groupsOf>> {
  /** The address of the server, without a slash at its end. */
  readonly baseUrl: string;
  /**
   * Returns the changes of all tasks that the credential may see, as they happen. Intermediate states may be omitted.
   * After a lost connection, the iteration continues after the last change, or yields `reset`.
   */
  changes(query?: ChangesQuery, options?: ChangesOptions): AsyncGenerator<Change>;
  /**
   * Sends a request to a route that has no method here, and returns its JSON. `path` is encoded, such as `/v1/queues`.
   */
  request<T = unknown>(
    method: Call['method'],
    path: string,
    more?: Pick<Call, 'query' | 'body' | 'headers' | 'repeatable'> & CallOptions,
  ): Promise<T>;
}
