import type { CallOptions, ClientOptions } from './client-options.ts';
import { derivedVerbs } from './derived-verbs.ts';
import { type RunnableWorkflow, type RunWorkflowOptions, runWorkflow } from './run-workflow.ts';
import { sender } from './send.ts';
import { type Call, Transport } from './transport.ts';
import {
  bulkActVerbs,
  configVerbs,
  deadLetterVerbs,
  healthVerbs,
  sessionVerbs,
  stepVerbs,
} from './verbs/other-verbs.ts';
import { taskVerbs } from './verbs/task-verbs.ts';
import { templateVerbs } from './verbs/template-verbs.ts';
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
  const groups = groupsOf(transport);
  return {
    baseUrl: transport.baseUrl,
    ...groups,
    run: (workflow, input, more = {}) => runWorkflow(groups.tasks, workflow, { ...more, input }),
    changes: (query = {}, more = {}) => watchChanges(transport, query, more),
    request: (method, path, more = {}) => transport.json({ ...more, method, path }),
  };
}

function groupsOf(transport: Transport) {
  const send = sender(transport);
  const derived = derivedVerbs(send);
  const { update: _, ...steps } = derived.steps;
  const { pauseVersion: _p, resumeVersion: _r, ...templates } = derived.templates;
  return {
    ...derived,
    tasks: replaced(derived.tasks, taskVerbs(transport, derived.tasks)),
    steps: replaced(steps, stepVerbs(derived.steps)),
    templates: replaced(templates, templateVerbs(send)),
    deadLetters: replaced(derived.deadLetters, deadLetterVerbs(derived.deadLetters)),
    bulkActs: replaced(derived.bulkActs, bulkActVerbs(send, derived.bulkActs)),
    installation: replaced(derived.installation, configVerbs(send)),
    credentials: replaced(derived.credentials, sessionVerbs(send)),
    health: healthVerbs(send),
  };
}

/** Returns the derived verbs of a noun, with the verbs that are written by hand in place of those of the same names. */
function replaced<Derived extends object, ByHand extends object>(
  derived: Derived,
  byHand: ByHand,
): Omit<Derived, keyof ByHand> & ByHand {
  return { ...derived, ...byHand };
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
   * Creates a task of a workflow in TypeScript, waits until it is complete, and returns its output with its type. Undefined
   * if the workflow has no output. The task continues if the caller stops waiting.
   *
   * @example
   * const { tracking } = await client.run(fulfil, { id: 'A-1', total: 12 }, { timeoutMs: 60_000 });
   * @throws TaskerClientError `TASK_FAILED` if the task did not complete or its output cannot be computed
   * @throws RequestTimeoutError after `timeoutMs`; the errors of `tasks.create`
   */
  run<Input, Output>(
    workflow: RunnableWorkflow<Input, Output>,
    input: Input,
    options?: RunWorkflowOptions,
  ): Promise<Output>;
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
