import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Tasker } from '../app/tasker.ts';
import { TaskerError } from '../errors.ts';
import { isUuid } from '../model/ids.ts';
import { refuseInvalid } from './refuse-invalid.ts';
import { describeRoute, jsonBody } from './route.ts';
import { TaskListQuery as ListQuery } from './schemas/task-queries.ts';
import { summaryJson, taskJson } from './task-json.ts';
import { TaskListSchema, TaskRequestSchema, TaskResponseSchema, TaskSummarySchema } from './task-schemas.ts';

/** Options of {@link taskRoutes}. */
export interface TaskRouteOptions {
  /** Whether a created task is answered with 200 instead of 201. */
  legacyStatus: boolean;
}

/** More pages than this are read with a cursor. */
const MOST_SKIPPED = 10_000;
const LARGEST_PAGE = 1_000;

const Uuid = z.object({ uuid: z.string() });
const KEY = z.object({ 'idempotency-key': z.string().min(1).max(1000).optional() });

const CREATE = describeRoute({
  method: 'post',
  path: '/v1/tasks',
  permission: 'tasks:create',
  summary: 'Creates a task',
  request: { headers: KEY, ...jsonBody(TaskRequestSchema) },
  answer: TaskResponseSchema,
  status: 201,
  errors: [404, 409, 413],
});
const LIST = describeRoute({
  method: 'get',
  path: '/v1/tasks',
  permission: 'tasks:list',
  summary: 'Lists tasks, newest first',
  request: { query: ListQuery },
  answer: TaskListSchema,
});
const GET = describeRoute({
  method: 'get',
  path: '/v1/tasks/{uuid}',
  permission: 'tasks:read',
  summary: 'Returns a task with its steps',
  request: { params: Uuid },
  answer: TaskResponseSchema,
  errors: [404],
});
const CANCEL = describeRoute({
  method: 'delete',
  path: '/v1/tasks/{uuid}',
  permission: 'tasks:cancel',
  summary: 'Cancels a task',
  request: { params: Uuid },
  answer: TaskResponseSchema,
  errors: [404],
});
const SUMMARY = describeRoute({
  method: 'get',
  path: '/v1/tasks/{uuid}/summary',
  permission: 'tasks:read',
  summary: 'Returns a task, its template and its steps without contents',
  request: { params: Uuid },
  answer: TaskSummarySchema,
  errors: [404],
});

/** Routes for tasks. */
export function taskRoutes(tasker: Tasker, { legacyStatus }: TaskRouteOptions): OpenAPIHono {
  const whole = async (uuid: string) => {
    const [task, steps] = await Promise.all([tasker.getTask(uuid), tasker.getSteps(uuid)]);
    return { task, steps };
  };
  const shown = async (uuid: string) => {
    const { task, steps } = await whole(uuid);
    return taskJson(task, steps);
  };
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(CREATE, async (c) => {
      const body = c.req.valid('json');
      const { 'idempotency-key': key } = c.req.valid('header');
      const { taskUuid } = await tasker.createTask(requestOf(body, key));
      return c.json(await shown(taskUuid), (legacyStatus ? 200 : 201) as 201);
    })
    .openapi(LIST, async (c) => c.json(await listTasks(tasker, c.req.valid('query')), 200))
    .openapi(GET, async (c) => c.json(await shown(c.req.valid('param').uuid), 200))
    .openapi(CANCEL, async (c) => {
      const { uuid } = c.req.valid('param');
      if (!(await tasker.cancelTask(uuid))) {
        const { status } = await tasker.getTask(uuid);
        throw new TaskerError('bad_request', `Cannot cancel a completed task: it is in ${status}`);
      }
      return c.json(await shown(uuid), 200);
    })
    .openapi(SUMMARY, async (c) => {
      const { uuid } = c.req.valid('param');
      const snapshot = await whole(uuid);
      const [template, entries] = await Promise.all([
        tasker.engine.snapshotOf(uuid).then(({ template }) => template),
        tasker.deadLetters.list({ task: uuid }, { limit: 1 }),
      ]);
      const [entry] = entries.entries;
      const shownEntry = entry && { dlqReason: entry.dlqReason, status: entry.resolutionStatus };
      return c.json(summaryJson(snapshot, template, shownEntry), 200);
    });
}

function requestOf(body: z.infer<typeof TaskRequestSchema>, key: string | undefined) {
  const chosen = body.idempotency_key ?? key;
  return {
    name: body.name,
    namespace: body.namespace,
    version: body.version,
    context: body.context,
    initiator: body.initiator,
    sourceSystem: body.source_system,
    reason: body.reason,
    ...(body.tags !== undefined && { tags: body.tags }),
    ...(body.priority != null && { priority: body.priority }),
    ...(body.correlation_id != null && { correlationId: body.correlation_id }),
    ...(body.parent_correlation_id != null && { parentCorrelationId: body.parent_correlation_id }),
    ...(chosen !== undefined && { idempotencyKey: chosen }),
  };
}

async function listTasks(tasker: Tasker, query: z.infer<typeof ListQuery>): Promise<z.infer<typeof TaskListSchema>> {
  const { page, per_page: perPage } = query;
  const filter = filterOf(query);
  const cursor = query.cursor ?? (await cursorOf(tasker, filter, (page - 1) * perPage));
  const found = cursor === null ? undefined : await tasker.listTasks(filter, { limit: perPage, cursor });
  const { total, totalIsExact } = found ?? (await tasker.listTasks(filter, { limit: 1 }));
  return {
    tasks: (found?.tasks ?? []).map((task) => taskJson(task, [])),
    pagination: {
      page,
      per_page: perPage,
      total_count: total,
      total_pages: Math.ceil(total / perPage),
      has_next: (found?.nextCursor ?? null) !== null,
      has_previous: query.cursor === undefined ? page > 1 : (found?.previousCursor ?? null) !== null,
      next_cursor: found?.nextCursor ?? null,
      total_is_exact: totalIsExact,
    },
  };
}

/** Returns the cursor behind this many tasks. Undefined: the first page; null: there are not so many. */
async function cursorOf(tasker: Tasker, filter: object, skipped: number): Promise<string | null | undefined> {
  if (skipped > MOST_SKIPPED) {
    throw new TaskerError(
      'bad_request',
      `page: at most ${MOST_SKIPPED} tasks can be skipped; pass cursor instead, the next_cursor of the previous page`,
    );
  }
  let cursor: string | null | undefined;
  for (let left = skipped; left > 0 && cursor !== null; left -= LARGEST_PAGE) {
    const limit = Math.min(left, LARGEST_PAGE);
    cursor = (await tasker.listTasks(filter, { limit, ...(cursor !== undefined && { cursor }) })).nextCursor;
  }
  return cursor;
}

function filterOf(query: z.infer<typeof ListQuery>) {
  const { namespace, name, status, state, initiator, source_system: source, tag, correlation_id } = query;
  if (correlation_id !== undefined && !isUuid(correlation_id)) {
    throw new TaskerError('invalid_uuid', `correlation_id: ${correlation_id} is not a UUID`);
  }
  return {
    namespace,
    name,
    initiator,
    source,
    tag,
    correlationId: correlation_id,
    ...(status === 'completed' && { status: 'complete' }),
    ...(status === 'pending' && { open: true }),
    ...(state !== undefined && { status: state.split(',') }),
  };
}
