import { OpenAPIHono, type z } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import type { TaskFilter, TaskPageOptions } from '../../app/operator-types.ts';
import { durationMs } from '../../app/schedules/duration.ts';
import type { SharedCreations } from '../../app/server/shared-creations.ts';
import type { Tasker } from '../../app/tasker.ts';
import { KEY_HEADER, type KeyHeader } from '../../contract/schemas/idempotency-key.ts';
import type { TaskListQuery as ListQuery } from '../../contract/schemas/task-filter.ts';
import { CreatedTaskSchema, type TaskListSchema, type TaskRequestSchema } from '../../contract/schemas/tasks.ts';
import { tasks } from '../../contract/tasks.ts';
import { TaskerError } from '../../errors.ts';
import { requestedTemplate } from '../../template/template-name.ts';

import { actorOf, type Caller, callerOf } from '../caller.ts';
import { keyOf } from '../idempotency-key.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkNamespace } from '../scope.ts';
import { filterOf } from '../task-filter.ts';
import { mayGetExisting, notShown, shownConflict } from './creation-conflict.ts';
import { type Step, type Task, withoutWaiting } from './legacy-states.ts';
import { summaryJson, taskJson } from './task-json.ts';

/** Options of {@link taskRoutes}. */
export interface TaskRouteOptions {
  /** Whether a created task has the status 200 instead of 201, and waiting tasks and steps are shown in progress. */
  legacyStatus: boolean;
  /** Creates a task, and returns it with its steps, as the caller may see them. */
  create: SharedCreations['create'];
}

/** Tasks with larger requests are created in separate transactions. */
const LARGE_BODY = 16_384;
/** Maximum number of pages that can be read without a cursor. */
const MOST_SKIPPED = 10_000;
const LARGEST_PAGE = 1_000;

const CREATE = describeRoute(tasks.create);
Object.assign(CREATE.responses, {
  200: { description: 'The first task', content: { 'application/json': { schema: CreatedTaskSchema } } },
});
const LIST = describeRoute(tasks.list);
const GET = describeRoute(tasks.get);
const CANCEL = describeRoute(tasks.cancel);
const SUMMARY = describeRoute(tasks.summary);

/** Routes for tasks. */
export function taskRoutes(tasker: Tasker, { legacyStatus, create: createTask }: TaskRouteOptions): OpenAPIHono {
  // Clients of the original system do not know the state `waiting`.
  const known = legacyStatus ? withoutWaiting : (task: Task, steps: readonly Step[]) => ({ task, steps: [...steps] });
  const json = (task: Task, all: readonly Step[]) => {
    const { task: shown, steps } = known(task, all);
    return taskJson(shown, steps);
  };
  const shown = async (uuid: string) => {
    const { task, steps } = await tasker.getTaskWithSteps(uuid);
    return json(task, steps);
  };
  const create = legacyStatus ? (describeRoute({ ...tasks.create, status: 200 }) as unknown as typeof CREATE) : CREATE;
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(create, async (c) => {
      const body = c.req.valid('json');
      const header = c.req.valid('header');
      const { on_duplicate: onDuplicate = header[KEY_HEADER] === undefined ? 'error' : 'return' } =
        c.req.valid('query');
      const caller = callerOf(c);
      checkNamespace(caller, body.namespace, `template ${requestedTemplate(body)}`);
      const large = Number(c.req.header('content-length') ?? LARGE_BODY) >= LARGE_BODY;
      const request = requestOf(body, header, caller);
      const conflict = (error: Error) => shownConflict(error, caller, { canReturn: true });
      const { task, steps, created, outcome, rule, replacedTaskUuid } = await createTask(request, {
        large,
        onDuplicate,
      }).catch((error: Error) => {
        throw conflict(error);
      });
      if (!created && !mayGetExisting(caller, task)) {
        throw conflict(notShown(request, { taskUuid: task.taskUuid, rule }));
      }
      const status = legacyStatus || !created ? 200 : 201;
      const replaced = caller.allows('tasks:read') ? replacedTaskUuid : null;
      return c.json({ ...json(task, steps), created, outcome, rule, replaced_task_uuid: replaced }, status as 201);
    })
    .openapi(LIST, async (c) =>
      c.json(await listTasks(tasker, c.req.valid('query'), { caller: callerOf(c), json }), 200),
    )
    .openapi(GET, async (c) => c.json(await shown(c.req.valid('param').uuid), 200))
    .openapi(CANCEL, async (c) => {
      const { uuid } = c.req.valid('param');
      if (!(await tasker.cancelTask(uuid, actorOf(callerOf(c), c.req.valid('json'))))) {
        const { status } = await tasker.getTask(uuid);
        throw new TaskerError('bad_request', `Cannot cancel a completed task: it is in ${status}`);
      }
      return c.json(await shown(uuid), 200);
    })
    .openapi(SUMMARY, async (c) => {
      const { uuid } = c.req.valid('param');
      const { task, steps } = await tasker.getTaskWithSteps(uuid);
      const [template, entries] = await Promise.all([
        tasker.engine.snapshotOf(uuid).then(({ template }) => template),
        tasker.deadLetters.list({ task: uuid }, { limit: 1 }),
      ]);
      const [entry] = entries.entries;
      const shownEntry = entry && { dlqReason: entry.dlqReason, status: entry.resolutionStatus };
      return c.json(summaryJson(known(task, steps), template, shownEntry), 200);
    });
}

/** Returns a request in the form of the library. */
export function requestOf(
  body: z.infer<typeof TaskRequestSchema>,
  header: z.infer<typeof KeyHeader>,
  { subject }: Pick<Caller, 'subject'>,
) {
  const key = keyOf(header, body);
  return {
    name: body.name,
    namespace: body.namespace,
    ...(body.version !== undefined && { version: body.version }),
    context: body.context,
    initiator: body.initiator,
    sourceSystem: body.source_system,
    reason: body.reason,
    ...(body.tags !== undefined && { tags: body.tags }),
    ...(body.priority != null && { priority: body.priority }),
    ...(body.correlation_id != null && { correlationId: body.correlation_id }),
    ...(body.parent_correlation_id != null && { parentCorrelationId: body.parent_correlation_id }),
    ...(key !== undefined && { idempotencyKey: key }),
    ...(header[KEY_HEADER] !== undefined && { keyInHeader: true }),
    ...(subject !== undefined && { createdWith: subject }),
    ...(body.start_at != null && { startAt: body.start_at }),
    ...(body.start_in != null && { delayMs: durationMs(body.start_in)! }),
  };
}

async function listTasks(
  tasker: Tasker,
  {
    page,
    per_page,
    limit: perPage = per_page,
    cursor: given,
    status,
    sort,
    order,
    ...query
  }: z.infer<typeof ListQuery>,
  { caller, json }: { caller: Caller; json: typeof taskJson },
): Promise<z.infer<typeof TaskListSchema>> {
  const filter = { ...statusFilter(status), ...filterOf(query, caller) };
  const how = { sort, order };
  const cursor = given ?? (await cursorOf(tasker, { filter, how }, (page - 1) * perPage));
  const found = cursor === null ? undefined : await tasker.listTasks(filter, { ...how, limit: perPage, cursor });
  const facts = found ?? (await tasker.listTasks(filter, { ...how, limit: 1 }));
  const { total, totalIsExact, timedOut, lagMs } = facts;
  const hasNext = (found?.nextCursor ?? null) !== null;
  // Counting is bounded, and a count that was not finished is a lower bound. So is the place of this page.
  const before = given === undefined ? (page - 1) * perPage : 0;
  const least = found && found.tasks.length > 0 ? before + found.tasks.length + (hasNext ? 1 : 0) : 0;
  const totalCount = Math.max(total, least);
  return {
    tasks: (found?.tasks ?? []).map((task) => ({
      ...json(task, []),
      first_error: task.firstError && snakeKeys(task.firstError),
    })),
    pagination: {
      page,
      per_page: perPage,
      total_count: totalCount,
      total_pages: Math.max(Math.ceil(totalCount / perPage), hasNext ? page + 1 : 0),
      has_next: hasNext,
      has_previous: given === undefined ? page > 1 : (found?.previousCursor ?? null) !== null,
      next_cursor: found?.nextCursor ?? null,
      previous_cursor: found?.previousCursor ?? null,
      total_is_exact: totalIsExact && total >= least,
      timed_out: timedOut,
      lag_ms: Math.round(lagMs),
    },
  };
}

/** Returns the cursor after this many tasks. Undefined means the first page. Null if there are fewer tasks. */
async function cursorOf(
  tasker: Tasker,
  { filter, how }: { filter: TaskFilter; how: Pick<TaskPageOptions, 'sort' | 'order'> },
  skipped: number,
): Promise<string | null | undefined> {
  if (skipped > MOST_SKIPPED) {
    throw new TaskerError(
      'bad_request',
      `page: at most ${MOST_SKIPPED} tasks can be skipped; pass cursor instead, the next_cursor of the previous page`,
    );
  }
  let cursor: string | null | undefined;
  for (let left = skipped; left > 0 && cursor !== null; left -= LARGEST_PAGE) {
    const limit = Math.min(left, LARGEST_PAGE);
    cursor = (await tasker.listTasks(filter, { ...how, limit, ...(cursor !== undefined && { cursor }) })).nextCursor;
  }
  return cursor;
}

/** Returns the conditions of `status`, which distinguishes only two kinds of tasks. */
function statusFilter(status: string | undefined): TaskFilter {
  if (status === 'completed') return { status: 'complete' };
  return status === 'pending' ? { open: true } : {};
}
