import { z } from 'zod';
import { CopySchema, named, PauseResultSchema, RerunSchema, time, UndoSchema } from './schemas/action-results.ts';
import { EventSchema } from './schemas/events.ts';
import { GET_EXISTING, KeyHeader, OnDuplicate } from './schemas/idempotency-key.ts';
import { FORMAT, MERMAID } from './schemas/mermaid.ts';
import { NAMES } from './schemas/names.ts';
import { ActBody, OPERATOR } from './schemas/operator.ts';
import { TaskFamilySchema, TaskRunsSchema } from './schemas/operators.ts';
import { TaskPath } from './schemas/paths.ts';
import { pageFields, pageQuery, queryNumber, time as timeOrAge } from './schemas/query.ts';
import { taskState } from './schemas/states.ts';
import { ExplanationSchema, HistoryEntrySchema, WaitSchema } from './schemas/task-details.ts';
import { TaskExportSchema } from './schemas/task-export.ts';
import { filterQuery, RARE_CONDITIONS, TaskListQuery } from './schemas/task-filter.ts';
import { GraphSchema, TimelineSchema } from './schemas/task-graph.ts';
import {
  CreatedTaskSchema,
  TaskListSchema,
  TaskRequestSchema,
  TaskResponseSchema,
  TaskSummarySchema,
} from './schemas/tasks.ts';
import { givenFields, userFields } from './schemas/user-json.ts';
import { verb } from './verb.ts';

/** The path of the route that creates many tasks. Its body has other limits than the bodies of other routes. */
export const CREATE_MANY_PATH = '/v1/tasks/bulk';

/** The content type of a JSON value on each line. */
export const NDJSON = 'application/x-ndjson';

const count = z.int();

const act = { path: TaskPath, optionalBody: ActBody };

const several = (what: string) =>
  z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .optional()
    .meta({ type: 'string', description: `${what} Several are separated by commas.` });
const Resumable = {
  last_event_id: z.string().max(100).optional().meta({
    description: 'The last id that was received, for clients that cannot send the header `Last-Event-ID`.',
  }),
};
const LastEventId = z.object({ 'last-event-id': z.string().max(100).optional() });
const WatchAllQuery = z.object({
  namespace: several('Only tasks of this namespace.'),
  name: several('Only tasks with this name.'),
  state: several('Only tasks in this state. A task that was sent is sent once more when it leaves the state.'),
  tag: several('Only tasks with this tag, or with all tags if there are several.'),
  kind: several('`task` (default) or `step`.'),
  ...Resumable,
});
const WatchQuery = z.object({ kind: several('`task` or `step`. Default: both.'), ...Resumable });

/** The verbs for tasks. */
export const tasks = {
  create: verb({
    tolerant: true,
    method: 'post',
    path: '/v1/tasks',
    on: 'visible',
    operationId: 'createTask',
    permission: 'tasks:create',
    summary: 'Creates a task',
    description:
      'A repeated request with the same `Idempotency-Key` creates nothing, and returns the first task with `"created": false`. If the request differs from the first one, the status is 409. `idempotency_key` in the body also identifies the task, but a repeated request gets a 409. With `on_duplicate=return`, both return the first task. A credential without the permission tasks:read gets only tasks that it created itself.',
    takes: {
      query: z.object({ on_duplicate: OnDuplicate.optional() }),
      headers: KeyHeader,
      body: TaskRequestSchema,
    },
    gives: CreatedTaskSchema,
    status: 201,
    errors: [404, 409],
    mcp: {
      name: 'task_submit',
      does: 'create a task of {namespace}/{name}',
      about: { name: 'The template.', version: 'Default: the active version.' },
      without: [
        'on_duplicate',
        'correlation_id',
        'parent_correlation_id',
        'start_at',
        'start_in',
        'requested_at',
        'options',
      ],
      fixed: { source_system: 'mcp' },
      defaults: { reason: 'Requested by an assistant' },
      operator: 'initiator',
      advice: { [GET_EXISTING]: 'get it with task_inspect' },
      preview: ['/v1/templates/{namespace}/{name}/{version}', '/v1/templates?namespace={namespace}'],
    },
  }),
  watchAll: verb({
    method: 'get',
    path: '/v1/stream',
    on: 'visible',
    permission: 'tasks:read',
    summary: 'Streams the changes of all tasks as server-sent events',
    takes: { query: WatchAllQuery, headers: LastEventId },
    gives: z.string(),
  }),
  watch: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/stream',
    on: 'task',
    permission: 'tasks:read',
    summary: 'Streams the state of a task and its steps as server-sent events',
    takes: { path: TaskPath, query: WatchQuery, headers: LastEventId },
    gives: z.string(),
    errors: [404],
  }),
  list: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/tasks',
    on: 'visible',
    operationId: 'listTasks',
    permission: 'tasks:list',
    summary: 'Lists the tasks that meet the given conditions, newest first',
    description:
      'Reads tables that are written after the commit of a change, so changes of the last second may be missing.',
    takes: { query: TaskListQuery },
    gives: TaskListSchema,
    mcp: {
      name: 'task_list',
      description: 'Finds tasks, newest first.',
      about: {
        template_version: 'A version, or a range such as 1.x.',
        name: 'The template.',
        key: 'The idempotency key.',
        step: 'The conditions below are for this step.',
        state: 'One, or several: a,b.',
        tag: '',
        created_after: 'ISO 8601, or an age: 15m, 2h, 7d.',
        created_before: '',
        ended_after: '',
        error: 'A part of the message.',
        worker: 'The worker that runs it or ran it last.',
      },
      without: [...RARE_CONDITIONS, 'page', 'per_page', 'status', 'sort', 'order'],
    },
  }),
  get: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/tasks/{uuid}',
    on: 'task',
    permission: 'tasks:read',
    summary: 'Returns a task with its steps',
    etag: true,
    takes: { path: TaskPath },
    gives: TaskResponseSchema,
    errors: [404],
    mcp: {
      name: 'task_inspect',
      description: 'Returns a task with its context and the readiness of its steps.',
      rest: 'step_inspect returns one step, and `tasker task get {task_uuid} --json` the whole task',
    },
  }),
  cancel: verb({
    tolerant: true,
    method: 'delete',
    path: '/v1/tasks/{uuid}',
    on: 'task',
    operationId: 'cancelTask',
    permission: 'tasks:cancel',
    summary: 'Cancels a task',
    takes: { path: TaskPath, optionalBody: ActBody },
    gives: TaskResponseSchema,
    errors: [404],
    mcp: { name: 'task_cancel', does: 'cancel task {task_uuid}', destructive: true },
  }),
  summary: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/tasks/{uuid}/summary',
    on: 'task',
    permission: 'tasks:read',
    summary: 'Returns a task, its template and its steps without contents',
    etag: true,
    takes: { path: TaskPath },
    gives: TaskSummarySchema,
    errors: [404],
  }),
  createMany: verb({
    method: 'post',
    path: CREATE_MANY_PATH,
    on: 'visible',
    permission: 'tasks:create',
    summary: 'Creates many tasks: a request on each line, and a result for each line',
    takes: {
      query: z.object({ on_duplicate: OnDuplicate.default('error') }),
      bodyByHand: { [NDJSON]: z.string().meta({ description: 'A TaskRequest as JSON on each line.' }) },
    },
    gives: z.string(),
  }),
  context: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/context',
    on: 'task',
    permission: 'tasks:context_read',
    summary: 'Returns the context of a task',
    takes: { path: TaskPath },
    gives: z.object({ task_uuid: z.uuid(), context: userFields('context') }).register(NAMES, { id: 'TaskContext' }),
    errors: [404],
    etag: true,
  }),
  why: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/why',
    on: 'task',
    permission: 'tasks:read',
    summary: 'Explains why each step of a task is in its state',
    takes: { path: TaskPath },
    gives: ExplanationSchema,
    errors: [404],
    mcp: {
      name: 'task_why',
      description: 'Explains why each step of a task is in its state, and what would change that.',
    },
  }),
  history: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/history',
    on: 'task',
    permission: 'tasks:read',
    summary: 'Lists the attempts and operator actions of a task, oldest first',
    takes: {
      path: TaskPath,
      query: z.object({
        step: z.string().optional().meta({ description: 'The name of a step: only its entries.' }),
        ...pageQuery(1000),
      }),
    },
    gives: z.object({ entries: z.array(HistoryEntrySchema), ...pageFields }).register(NAMES, { id: 'TaskHistory' }),
    errors: [404],
    etag: true,
  }),
  events: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/events',
    on: 'task',
    permission: 'events:read',
    summary: 'Lists the durable events of a task, newest first',
    takes: { path: TaskPath, query: z.object(pageQuery()) },
    gives: z.object({ events: z.array(EventSchema), ...pageFields }).register(NAMES, { id: 'TaskEvents' }),
    errors: [404],
  }),
  export: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/export',
    on: 'task',
    permission: 'tasks:read',
    summary: 'Returns a task with its steps, history, waits, signals, events and audit, for a bug report',
    description:
      'At most 1,000 signals, events and entries of the audit. `omitted` lists what the document does not contain: what the credential may not read, and what exceeds these limits.',
    takes: { path: TaskPath },
    mcp: { name: 'task_export', description: 'Returns all data of a task, for a bug report.' },
    gives: TaskExportSchema,
    errors: [404],
  }),
  logs: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/logs',
    on: 'task',
    permission: 'steps:read',
    summary: "Returns the log lines of the handlers of a task's steps, oldest first",
    description:
      'By default, only lines of failed attempts are kept. The newest 1,000 are returned, of at most 200 attempts.',
    takes: {
      path: TaskPath,
      query: z.object({
        contains: named(1000).optional().meta({
          description: 'Only lines whose message or fields contain this text, in upper or lower case.',
        }),
      }),
    },
    gives: z
      .object({
        lines: z.array(
          z.object({
            step: z.string(),
            attempt: z.int(),
            at: z.string(),
            level: z.string(),
            message: z.string(),
            fields: userFields('public'),
          }),
        ),
        has_earlier: z.boolean().meta({ description: 'Whether there are earlier lines.' }),
      })
      .register(NAMES, { id: 'TaskLogs' }),
    errors: [404],
  }),
  waits: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/waits',
    on: 'task',
    permission: 'tasks:read',
    summary: 'Lists the last wait of each step in a task, including ended waits',
    description:
      'A wait for a time, a signal, votes, a completion from outside, or the next call of a handler. The wait of a task that starts later has no step.',
    takes: { path: TaskPath },
    gives: z.object({ waits: z.array(WaitSchema), ...pageFields }).register(NAMES, { id: 'TaskWaits' }),
    errors: [404],
    etag: true,
  }),
  graph: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/graph',
    on: 'task',
    permission: 'tasks:read',
    summary: 'Returns the steps of a task and their dependencies, with states and times',
    description:
      'As a Mermaid flowchart with `?format=mermaid` or `Accept: text/vnd.mermaid`. In the flowchart, a batch is one node.',
    takes: { path: TaskPath, query: FORMAT },
    gives: GraphSchema,
    otherForms: { [MERMAID]: 'A Mermaid flowchart, colored by state.' },
    errors: [404],
    etag: true,
    mcp: {
      name: 'task_visualize',
      description: 'Returns the graph of a task as a Mermaid flowchart, with the states of its steps.',
      fixed: { format: 'mermaid' },
    },
  }),
  timeline: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/timeline',
    on: 'task',
    permission: 'tasks:read',
    summary: 'Returns the timeline spans of each step in a task, for a Gantt chart',
    description:
      'Spans are `queued` (ready, not yet claimed), `running`, `retry_wait`, `waiting` and `blocked` (failed permanently). The queue keeps no times: the start of `queued` is the latest of the creation of the task, the end of the last parent, the time at which a retry was due, and the last action on the step.',
    takes: { path: TaskPath },
    gives: TimelineSchema,
    errors: [404],
    mcp: { name: 'task_timeline', description: 'Returns when each step was queued, running and waiting.' },
  }),
  histogram: verb({
    method: 'get',
    path: '/v1/task-histogram',
    on: 'visible',
    permission: 'tasks:list',
    summary: 'Counts tasks, or failures, by time',
    description:
      'Counts the tasks that `GET /v1/tasks` finds with the same parameters by the time of their creation, at most the newest 100,000. With `by=failed`, counts the failed steps of open tasks by the time of their failure.',
    takes: {
      query: z.object({
        ...filterQuery,
        by: z.enum(['created', 'failed']).default('created'),
        buckets: queryNumber(60, { min: 2, max: 500 }),
        since: timeOrAge.optional().meta({ description: 'With `by=failed`: only failures since this time.' }),
      }),
    },
    gives: z
      .object({
        from: z.string(),
        to: z.string(),
        bucket_ms: count,
        complete: z
          .boolean()
          .meta({ description: 'False if there are more tasks; only tasks since `from` are counted.' }),
        total: count,
        buckets: z.array(z.object({ at: z.string(), total: count, failed: count, open: count })).meta({
          description: 'Buckets without tasks are omitted. `failed` includes blocked tasks; `open` does not.',
        }),
      })
      .register(NAMES, { id: 'TaskHistogram' }),
  }),
  retry: verb({
    method: 'post',
    path: '/v1/tasks/{uuid}/retry',
    on: 'task',
    permission: 'tasks:update',
    summary: 'Retries the failed steps of a task, and its steps that wait for a retry',
    takes: act,
    gives: z.object({ task_uuid: z.uuid(), steps: z.array(z.string()), status: taskState }),
    errors: [404, 409],
    mcp: { name: 'task_retry', does: 'retry the failed steps of task {task_uuid}' },
  }),
  resolve: verb({
    method: 'post',
    path: '/v1/tasks/{uuid}/resolve',
    on: 'task',
    permission: 'tasks:update',
    summary: 'Ends a task by hand; a repeated request changes nothing',
    takes: act,
    gives: z.object({ task_uuid: z.uuid(), resolved: z.boolean(), status: taskState }),
    errors: [404, 409],
  }),
  rerun: verb({
    method: 'post',
    path: '/v1/tasks/{uuid}/rerun',
    on: 'task',
    permission: 'tasks:update',
    summary: 'Runs a step and everything after it again, or lists what would run',
    takes: {
      path: TaskPath,
      body: z
        .strictObject({ ...OPERATOR, from: named(1000), dry_run: z.boolean().default(false) })
        .register(NAMES, { id: 'RerunRequest' }),
    },
    gives: RerunSchema,
    errors: [404, 409],
    mcp: {
      name: 'task_rerun',
      description: 'Runs a step and everything after it again.',
      about: { from: 'The name of the step.' },
      does: 'run {from} of task {task_uuid} and all steps after it again',
      destructive: true,
    },
  }),
  undo: verb({
    method: 'post',
    path: '/v1/tasks/{uuid}/undo',
    on: 'task',
    permission: 'tasks:update',
    summary: 'Undoes the completed steps of a task in the reverse order, or lists them',
    takes: {
      path: TaskPath,
      body: z.strictObject({ ...OPERATOR, dry_run: z.boolean().default(false) }).register(NAMES, { id: 'UndoRequest' }),
    },
    gives: UndoSchema,
    errors: [404, 409],
  }),
  copy: verb({
    method: 'post',
    path: '/v1/tasks/{uuid}/copy',
    on: 'task',
    permission: 'tasks:create',
    summary: 'Creates a copy of a task, with its context or a new one',
    takes: {
      path: TaskPath,
      headers: KeyHeader,
      optionalBody: z
        .strictObject({
          ...OPERATOR,
          context: givenFields('context').optional(),
          idempotency_key: named(1000).optional(),
        })
        .register(NAMES, { id: 'CopyRequest' }),
    },
    gives: CopySchema,
    status: 201,
    errors: [404, 409],
  }),
  pause: verb({
    method: 'post',
    path: '/v1/tasks/{uuid}/pause',
    on: 'task',
    permission: 'tasks:update',
    summary: 'Pauses a task: running steps finish',
    takes: act,
    gives: PauseResultSchema,
    errors: [404, 409],
    mcp: { name: 'task_pause', does: 'pause task {task_uuid}' },
  }),
  resume: verb({
    method: 'post',
    path: '/v1/tasks/{uuid}/resume',
    on: 'task',
    permission: 'tasks:update',
    summary: 'Ends the pause of a task',
    takes: act,
    gives: PauseResultSchema,
    errors: [404],
    mcp: { name: 'task_resume', does: 'end the pause of task {task_uuid}' },
  }),
  startNow: verb({
    method: 'post',
    path: '/v1/tasks/{uuid}/start-now',
    on: 'task',
    permission: 'tasks:update',
    summary: 'Starts a task now that was created to start later',
    takes: act,
    gives: z.object({ task_uuid: z.uuid(), started: z.literal(true) }),
    errors: [404, 409],
  }),
  reschedule: verb({
    method: 'post',
    path: '/v1/tasks/{uuid}/reschedule',
    on: 'task',
    permission: 'tasks:update',
    summary: 'Changes the start time of a task that was created to start later',
    takes: {
      path: TaskPath,
      body: z
        .strictObject({
          ...OPERATOR,
          at: named(100).optional().meta({ description: 'ISO 8601 with a zone.' }),
          in: named(100).optional().meta({ description: 'A duration from now, such as `2h`.' }),
        })
        .register(NAMES, { id: 'RescheduleRequest' }),
    },
    gives: z.object({ task_uuid: z.uuid(), start_at: time }),
    errors: [404, 409],
  }),
  delete: verb({
    method: 'post',
    path: '/v1/tasks/{uuid}/delete',
    on: 'task',
    permission: 'tasks:delete',
    summary: 'Deletes a task that has ended, with its results and history',
    takes: act,
    gives: z.object({ task_uuid: z.uuid(), deleted: z.literal(true) }),
    errors: [404, 409],
  }),
  runs: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/runs',
    on: 'task',
    permission: 'tasks:read',
    summary: 'Returns the results that reruns replaced, and the copies of a task',
    takes: { path: TaskPath },
    gives: TaskRunsSchema,
    errors: [404],
  }),
  children: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/children',
    on: 'task',
    permission: 'tasks:read',
    summary: 'Returns the parent task and the child tasks of a task',
    takes: { path: TaskPath },
    gives: TaskFamilySchema,
    errors: [404],
  }),
};
