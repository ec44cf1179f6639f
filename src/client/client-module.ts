import type { Client } from './client.ts';
import { InvalidRequestError, TaskerClientError } from './client-errors.ts';
import type {
  ClientModule,
  NapiClientResult,
  NapiListTasksParams,
  NapiTaskRequest,
  TaskListing,
} from './tasker-client.ts';
import type { TaskPagination, TaskResponse } from './types.ts';

const LARGEST_PAGE = 100;
const MOST = 1_000;

/** The calls of a `TaskerClient` as requests to a server. `connect` is called for each call. */
export function clientModule(connect: () => Promise<Client>): ClientModule<Promise<NapiClientResult>> {
  const call = async (send: (client: Client) => Promise<unknown>): Promise<NapiClientResult> => {
    try {
      return { success: true, data: await send(await connect()) };
    } catch (error) {
      if (!(error instanceof TaskerClientError)) throw error;
      return { success: false, error: error.message, recoverable: error.recoverable, cause: error };
    }
  };
  return {
    knowsActiveVersions: true,
    clientCreateTask: (request) => call(({ tasks }) => tasks.create(wireRequest(request))),
    clientGetTask: (task) => call(({ tasks }) => tasks.get(task)),
    clientListTasks: (params) => call((client) => listTasks(client, params)),
    clientCancelTask: (task) => call(({ tasks }) => tasks.cancel(task).then(() => ({ cancelled: true }))),
    clientListTaskSteps: (task) => call(({ steps }) => steps.list(task)),
    clientGetStep: (task, step) => call(({ steps }) => steps.get(task, step)),
    clientGetStepAuditHistory: (task, step) => call(({ steps }) => steps.audit(task, step)),
    clientHealthCheck: () => call(({ health }) => health.check().then(() => ({ healthy: true }))),
  };
}

function wireRequest({ sourceSystem, correlationId, parentCorrelationId, idempotencyKey, ...same }: NapiTaskRequest) {
  return {
    ...same,
    source_system: sourceSystem,
    correlation_id: correlationId,
    parent_correlation_id: parentCorrelationId,
    idempotency_key: idempotencyKey,
  };
}

/** Reads the pages of the server that contain these tasks. */
async function listTasks(
  client: Client,
  { limit = 50, offset = 0, namespace, status }: NapiListTasksParams,
): Promise<TaskListing> {
  for (const [name, value, least] of [
    ['limit', limit, 1],
    ['offset', offset, 0],
  ] as const) {
    if (Number.isInteger(value) && value >= least && (name === 'offset' || value <= MOST)) continue;
    const form = name === 'limit' ? `a whole number from 1 to ${MOST}` : 'a whole number of at least 0';
    throw new InvalidRequestError(`${name}: ${value} must be ${form}`, false, { code: 'BAD_REQUEST' });
  }
  const size = Math.min(limit, LARGEST_PAGE);
  const first = Math.floor(offset / size);
  const skipped = offset - first * size;
  const byState = status === 'completed' || status === 'pending' ? { status } : { state: status };
  const found: TaskResponse[] = [];
  let pagination: TaskPagination | undefined;
  for (let page = first + 1; ; page++) {
    const read = await client.tasks.list({ page, per_page: size, namespace, ...byState });
    found.push(...read.tasks);
    pagination = read.pagination;
    if (!pagination.has_next || found.length >= skipped + limit) break;
  }
  const { total_count: total } = pagination;
  return {
    tasks: found.slice(skipped, skipped + limit),
    pagination: {
      ...pagination,
      total,
      limit,
      offset,
      has_more: pagination.has_next || found.length > skipped + limit,
    },
  };
}
