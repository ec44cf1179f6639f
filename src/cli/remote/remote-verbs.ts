import type { Step, Task } from '../../app/json/views.ts';
import type { Tasker, TaskHandle, TaskSnapshot } from '../../app/tasker.ts';
import type { DeadLetter } from '../../app/tasker-dead-letters.ts';
import type { TaskFilter, TaskPage, TaskPageOptions } from '../../app/tasker-operations.ts';
import type { Explanation } from '../../app/why.ts';
import { type Client, createClient, TaskerClientError, type TaskResponse } from '../../client/index.ts';
import { type ErrorCode, TaskerError } from '../../errors.ts';
import type { TemplateName } from '../template/find.ts';
import { camelKeys, queryOf, statusOf, summaryOf } from './camel-keys.ts';
import type { ChosenServer } from './choose-server.ts';

/** The verbs that commands use, of a database or of a server. */
export type Verbs = Pick<
  Tasker,
  'getTask' | 'getSteps' | 'cancelTask' | 'why' | 'summarizeTasks' | 'status' | 'watchTask'
> & {
  createTask(request: NewTask, options: { onDuplicate: 'return' | 'error' }): Promise<TaskHandle>;
  listTasks(filter: TaskFilter, page: TaskPageOptions): Promise<TaskPage>;
  /** The pending dead letter of a task, if there is one. */
  deadLetterOf(uuid: string): Promise<Pick<DeadLetter, 'dlqReason' | 'dlqTimestamp' | 'assignee'> | undefined>;
};

/** The verbs of a database. */
export type LocalVerbs = Verbs & { tasker: Tasker };

type NewTask = Parameters<Tasker['createTask']>[0];

/** The verbs of a server. What its answers lack is undefined. */
export interface RemoteVerbs extends Verbs {
  readonly server: string;
  listTemplates(): Promise<TemplateName[]>;
  /** The parents of each step, by the names of the template. */
  parentsOf(taskUuid: string): Promise<ReadonlyMap<string, readonly string[]>>;
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'bad_request',
  401: 'forbidden',
  403: 'forbidden',
  404: 'not_found',
  408: 'timeout',
  409: 'conflict',
  413: 'bad_request',
};

/** Returns an error of the client as one of the command line. */
function known(error: unknown, server: string): unknown {
  if (!(error instanceof TaskerClientError)) return error;
  const { status, message, details, code } = error;
  if (code === 'INVALID_UUID') return new TaskerError('invalid_uuid', message, { cause: error, details });
  if (code === 'INVALID_OPTION') {
    return new TaskerError('bad_request', message.replace(/^baseUrl: /, 'the server: '), { cause: error });
  }
  if (status === undefined || status >= 500) {
    const text = status === undefined ? message : `${server} answered ${status}: ${message}`;
    return new TaskerError('server_unreachable', text, { cause: error, details });
  }
  return new TaskerError(CODES[status] ?? 'bad_request', message, { cause: error, details });
}

/** Returns the verbs of a server, whose answers have the form that they have of a database. */
export function remoteVerbs({ url, apiKey, token }: ChosenServer): RemoteVerbs {
  const server = url;
  const ask = async <T>(use: (client: Client) => Promise<T>): Promise<T> => {
    try {
      return await use(createClient({ baseUrl: url, apiKey, token }));
    } catch (error) {
      throw known(error, server);
    }
  };
  const get = <T>(path: string, query?: ReturnType<typeof queryOf>) =>
    ask((client) => client.request<T>('GET', path, { query }));
  const getSteps = async (uuid: string) => (await ask(({ steps }) => steps.list(uuid))).map(stepOf);
  return {
    server,
    getTask: async (uuid) => taskOf(await ask(({ tasks }) => tasks.get(uuid))),
    getSteps,
    deadLetterOf: (uuid) => ask((client) => deadLetterOf(client, uuid)),
    createTask: (request, options) => ask((client) => create(client, request, options)),
    listTasks: (filter, page) => ask((client) => list(client, filter, page)),
    cancelTask: (uuid) => ask((client) => cancel(client, uuid)),
    why: async (uuid) => {
      const found = await get<{ task: object; summary: string; steps: object[] }>(
        `/v1/tasks/${encodeURIComponent(uuid)}/why`,
      );
      return {
        task: camelKeys(found.task),
        summary: found.summary,
        steps: found.steps.map(camelKeys),
      } as never as Explanation;
    },
    summarizeTasks: async (filter = {}, options = {}) =>
      summaryOf(await get('/v1/summary', { ...queryOf(filter), limit: options.groups })),
    status: async () => statusOf(await get('/v1/status')),
    watchTask: (uuid, { signal } = {}) => watch(uuid, { signal, ask, getSteps }),
    listTemplates: async () => (await ask(({ templates }) => templates.list())).templates,
    parentsOf: async (uuid) => {
      const { template } = await ask(({ tasks }) => tasks.summary(uuid));
      return new Map(template.steps.map(({ name, dependencies }) => [name, dependencies]));
    },
  };
}

function taskOf({ steps: _, ...task }: TaskResponse): Task {
  return camelKeys(task) as never as Task;
}

function stepOf(step: object): Step {
  const { name, ...rest } = camelKeys(step) as { name: string };
  return { templateStepName: name, eventProblems: [], wait: null, name, ...rest } as never as Step;
}

async function create(client: Client, request: NewTask, options: { onDuplicate: string }): Promise<TaskHandle> {
  const { name, namespace, version, context, priority, correlationId, idempotencyKey, reason, tags } = request;
  if (request.startAt !== undefined || request.delayMs !== undefined) {
    throw new TaskerError('bad_request', '--at and --in need a database; run the command without a server');
  }
  const { initiator, sourceSystem } = request;
  const wire = {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(version !== undefined && { version }),
    ...(context !== undefined && { context }),
    ...(priority !== undefined && { priority }),
    ...(correlationId !== undefined && { correlation_id: correlationId }),
    ...(idempotencyKey !== undefined && { idempotency_key: idempotencyKey }),
    ...(reason !== undefined && { reason }),
    ...(tags !== undefined && { tags }),
    ...(initiator !== undefined && { initiator }),
    ...(sourceSystem !== undefined && { source_system: sourceSystem }),
  };
  let existed = false;
  const task = await client.tasks.create(wire).catch((error: unknown) => {
    const existing =
      error instanceof TaskerClientError && error.code === 'CONFLICT' ? error.details.task_uuid : undefined;
    if (options.onDuplicate !== 'return' || typeof existing !== 'string') throw error;
    existed = true;
    return client.tasks.get(existing);
  });
  return {
    taskUuid: task.task_uuid,
    name: task.name,
    namespace: task.namespace,
    version: task.version,
    priority: task.priority,
    totalSteps: task.total_steps,
    created: !existed,
  };
}

const LARGEST_PAGE = 100;

async function list(client: Client, filter: TaskFilter, page: TaskPageOptions): Promise<TaskPage> {
  const { limit = 20, cursor, sort = 'created', order } = page;
  if (page.before !== undefined || limit > LARGEST_PAGE) {
    throw new TaskerError(
      'bad_request',
      `over a server, --limit is at most ${LARGEST_PAGE}, and --cursor takes the place of --before`,
    );
  }
  const query = {
    ...queryOf(filter),
    per_page: limit,
    cursor,
    ...(sort !== 'created' && { sort }),
    ...(order && { order }),
  };
  const { tasks, pagination } = await client.request<Awaited<ReturnType<Client['tasks']['list']>>>('GET', '/v1/tasks', {
    query,
  });
  return {
    tasks: tasks.map(taskOf),
    total: pagination.total_count,
    totalIsExact: pagination.total_is_exact,
    nextCursor: pagination.next_cursor,
    previousCursor: null,
    lagMs: 0,
    timedOut: false,
  } as never;
}

async function cancel(client: Client, uuid: string): Promise<boolean> {
  try {
    await client.tasks.cancel(uuid);
    return true;
  } catch (error) {
    if (!(error instanceof TaskerClientError) || error.status !== 400 || error.code === 'INVALID_UUID') throw error;
    // The server refuses to cancel a task that has ended. A database does not report that as an error.
    return false;
  }
}

async function deadLetterOf(client: Client, uuid: string) {
  const entry = await client.deadLetters.ofTask(uuid).catch((error: unknown) => {
    if (error instanceof TaskerClientError && error.status === 404) return undefined;
    throw error;
  });
  if (entry?.resolution_status !== 'Pending') return undefined;
  const dlqReason = entry.dlq_reason.replace(/(?!^)[A-Z]/g, (sign) => `_${sign}`).toLowerCase();
  return { dlqReason, dlqTimestamp: `${entry.dlq_timestamp}Z`, assignee: null } as Awaited<
    ReturnType<Verbs['deadLetterOf']>
  >;
}

interface Watching {
  signal: AbortSignal | undefined;
  ask<T>(use: (client: Client) => Promise<T>): Promise<T>;
  getSteps(uuid: string): Promise<Step[]>;
}

async function* watch(uuid: string, { signal, ask, getSteps }: Watching): AsyncGenerator<TaskSnapshot> {
  const changes = await ask(async ({ tasks }) => tasks.watch(uuid, { signal }));
  for (;;) {
    const next = await ask(() => changes.next());
    if (next.done) return;
    yield { task: taskOf(next.value), steps: await getSteps(uuid) };
  }
}
