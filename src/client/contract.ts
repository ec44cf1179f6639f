// Written by scripts/write-verbs.mjs from src/contract. Do not edit it; run `npm run reference`.
import type { CallOptions } from './client-options.ts';
import type { Call } from './transport.ts';

/** The route of a method. */
export interface Route {
  method: Call['method'];
  path: string;
  /** Whether the method takes a query or a body. */
  takes?: true;
  /** The name of the list in a page. */
  items?: string;
}

/** The routes of the methods, by noun and verb. */
export const ROUTES = {
  tasks: {
    create: { method: 'POST', path: '/v1/tasks', takes: true },
    list: { method: 'GET', path: '/v1/tasks', takes: true },
    get: { method: 'GET', path: '/v1/tasks/{uuid}' },
    cancel: { method: 'DELETE', path: '/v1/tasks/{uuid}', takes: true },
    summary: { method: 'GET', path: '/v1/tasks/{uuid}/summary' },
    context: { method: 'GET', path: '/v1/tasks/{uuid}/context' },
    why: { method: 'GET', path: '/v1/tasks/{uuid}/why' },
    history: { method: 'GET', path: '/v1/tasks/{uuid}/history', takes: true, items: 'entries' },
    events: { method: 'GET', path: '/v1/tasks/{uuid}/events', takes: true, items: 'events' },
    export: { method: 'GET', path: '/v1/tasks/{uuid}/export' },
    logs: { method: 'GET', path: '/v1/tasks/{uuid}/logs', takes: true },
    waits: { method: 'GET', path: '/v1/tasks/{uuid}/waits' },
    graph: { method: 'GET', path: '/v1/tasks/{uuid}/graph' },
    timeline: { method: 'GET', path: '/v1/tasks/{uuid}/timeline' },
    histogram: { method: 'GET', path: '/v1/task-histogram', takes: true },
    retry: { method: 'POST', path: '/v1/tasks/{uuid}/retry', takes: true },
    resolve: { method: 'POST', path: '/v1/tasks/{uuid}/resolve', takes: true },
    rerun: { method: 'POST', path: '/v1/tasks/{uuid}/rerun', takes: true },
    undo: { method: 'POST', path: '/v1/tasks/{uuid}/undo', takes: true },
    copy: { method: 'POST', path: '/v1/tasks/{uuid}/copy', takes: true },
    pause: { method: 'POST', path: '/v1/tasks/{uuid}/pause', takes: true },
    resume: { method: 'POST', path: '/v1/tasks/{uuid}/resume', takes: true },
    startNow: { method: 'POST', path: '/v1/tasks/{uuid}/start-now', takes: true },
    reschedule: { method: 'POST', path: '/v1/tasks/{uuid}/reschedule', takes: true },
    delete: { method: 'POST', path: '/v1/tasks/{uuid}/delete', takes: true },
    runs: { method: 'GET', path: '/v1/tasks/{uuid}/runs' },
    children: { method: 'GET', path: '/v1/tasks/{uuid}/children' },
  },
  steps: {
    list: { method: 'GET', path: '/v1/tasks/{uuid}/workflow_steps' },
    get: { method: 'GET', path: '/v1/tasks/{uuid}/workflow_steps/{step_uuid}' },
    update: { method: 'PATCH', path: '/v1/tasks/{uuid}/workflow_steps/{step_uuid}', takes: true },
    audit: { method: 'GET', path: '/v1/tasks/{uuid}/workflow_steps/{step_uuid}/audit' },
    search: { method: 'GET', path: '/v1/steps', takes: true, items: 'steps' },
    logs: { method: 'GET', path: '/v1/tasks/{uuid}/workflow_steps/{step}/logs', takes: true },
    retry: { method: 'POST', path: '/v1/tasks/{uuid}/workflow_steps/{step}/retry', takes: true },
    fire: { method: 'POST', path: '/v1/tasks/{uuid}/workflow_steps/{step}/fire', takes: true },
    move: { method: 'POST', path: '/v1/tasks/{uuid}/workflow_steps/{step}/move', takes: true },
  },
  bulkActs: {
    start: { method: 'POST', path: '/v1/bulk-acts', takes: true },
    stop: { method: 'POST', path: '/v1/bulk-acts/{id}/stop', takes: true },
    resume: { method: 'POST', path: '/v1/bulk-acts/{id}/resume', takes: true },
    list: { method: 'GET', path: '/v1/bulk-acts', takes: true, items: 'bulk_acts' },
    get: { method: 'GET', path: '/v1/bulk-acts/{id}' },
  },
  signals: {
    send: { method: 'POST', path: '/v1/tasks/{uuid}/signals', takes: true },
    sendTo: { method: 'POST', path: '/v1/signals', takes: true },
    list: { method: 'GET', path: '/v1/tasks/{uuid}/signals', takes: true, items: 'signals' },
    get: { method: 'GET', path: '/v1/signals/{signal_id}' },
  },
  approvals: {
    list: { method: 'GET', path: '/v1/approvals', takes: true, items: 'approvals' },
    get: { method: 'GET', path: '/v1/approvals/{task_uuid}/{step}' },
    vote: { method: 'POST', path: '/v1/approvals/{task_uuid}/{step}/vote', takes: true },
    reassign: { method: 'POST', path: '/v1/approvals/{task_uuid}/{step}/reassign', takes: true },
  },
  completions: {
    complete: { method: 'POST', path: '/v1/completions/complete', takes: true },
    fail: { method: 'POST', path: '/v1/completions/fail', takes: true },
    extend: { method: 'POST', path: '/v1/completions/extend', takes: true },
  },
  schedules: {
    list: { method: 'GET', path: '/v1/schedules', takes: true, items: 'schedules' },
    create: { method: 'POST', path: '/v1/schedules', takes: true },
    get: { method: 'GET', path: '/v1/schedules/{name}', takes: true },
    update: { method: 'PATCH', path: '/v1/schedules/{name}', takes: true },
    delete: { method: 'DELETE', path: '/v1/schedules/{name}', takes: true },
    pause: { method: 'POST', path: '/v1/schedules/{name}/pause', takes: true },
    resume: { method: 'POST', path: '/v1/schedules/{name}/resume', takes: true },
    trigger: { method: 'POST', path: '/v1/schedules/{name}/trigger', takes: true },
    backfill: { method: 'POST', path: '/v1/schedules/{name}/backfill', takes: true },
  },
  templates: {
    list: { method: 'GET', path: '/v1/templates', takes: true },
    get: { method: 'GET', path: '/v1/templates/{namespace}/{name}/{version}' },
    source: { method: 'GET', path: '/v1/templates/{namespace}/{name}/{version}/source' },
    graph: { method: 'GET', path: '/v1/templates/{namespace}/{name}/{version}/graph' },
    diff: { method: 'GET', path: '/v1/templates/{namespace}/{name}/{version}/diff', takes: true },
    activate: { method: 'POST', path: '/v1/templates/{namespace}/{name}/{version}/activate', takes: true },
    pause: { method: 'POST', path: '/v1/templates/{namespace}/{name}/pause', takes: true },
    resume: { method: 'POST', path: '/v1/templates/{namespace}/{name}/resume', takes: true },
    pauseVersion: { method: 'POST', path: '/v1/templates/{namespace}/{name}/{version}/pause', takes: true },
    resumeVersion: { method: 'POST', path: '/v1/templates/{namespace}/{name}/{version}/resume', takes: true },
  },
  namespaces: {
    pause: { method: 'POST', path: '/v1/namespaces/{namespace}/pause', takes: true },
    resume: { method: 'POST', path: '/v1/namespaces/{namespace}/resume', takes: true },
    list: { method: 'GET', path: '/v1/namespaces' },
  },
  deadLetters: {
    list: { method: 'GET', path: '/v1/dlq', takes: true },
    ofTask: { method: 'GET', path: '/v1/dlq/task/{task_uuid}' },
    update: { method: 'PATCH', path: '/v1/dlq/entry/{dlq_entry_uuid}', takes: true },
    stats: { method: 'GET', path: '/v1/dlq/stats', takes: true },
    queue: { method: 'GET', path: '/v1/dlq/investigation-queue', takes: true },
    staleness: { method: 'GET', path: '/v1/dlq/staleness', takes: true },
    search: { method: 'GET', path: '/v1/dlq/entries', takes: true, items: 'entries' },
    get: { method: 'GET', path: '/v1/dlq/entry/{dlq_entry_uuid}' },
    add: { method: 'POST', path: '/v1/dlq', takes: true },
    assign: { method: 'POST', path: '/v1/dlq/entry/{dlq_entry_uuid}/assign', takes: true },
    note: { method: 'POST', path: '/v1/dlq/entry/{dlq_entry_uuid}/note', takes: true },
    resolve: { method: 'POST', path: '/v1/dlq/entry/{dlq_entry_uuid}/resolve', takes: true },
    redrive: { method: 'POST', path: '/v1/dlq/entry/{dlq_entry_uuid}/redrive', takes: true },
  },
  events: {
    list: { method: 'GET', path: '/v1/events', takes: true, items: 'events' },
    groups: { method: 'GET', path: '/v1/events/groups' },
    dead: { method: 'GET', path: '/v1/events/dead', takes: true, items: 'dead' },
    get: { method: 'GET', path: '/v1/events/{event_id}' },
    replay: { method: 'POST', path: '/v1/events/replay', takes: true },
    redeliver: { method: 'POST', path: '/v1/events/dead/redeliver', takes: true },
    discard: { method: 'POST', path: '/v1/events/dead/discard', takes: true },
    removeGroup: { method: 'DELETE', path: '/v1/events/groups/{group}', takes: true },
  },
  workers: {
    list: { method: 'GET', path: '/v1/workers', takes: true, items: 'workers' },
    get: { method: 'GET', path: '/v1/workers/{name}' },
    queues: { method: 'GET', path: '/v1/queues', takes: true },
    handlers: { method: 'GET', path: '/v1/handlers', takes: true, items: 'handlers' },
    drain: { method: 'POST', path: '/v1/workers/{name}/drain', takes: true },
    resume: { method: 'POST', path: '/v1/workers/{name}/resume', takes: true },
  },
  installation: {
    pauses: { method: 'GET', path: '/v1/pauses', takes: true, items: 'pauses' },
    status: { method: 'GET', path: '/v1/status' },
    summary: { method: 'GET', path: '/v1/summary', takes: true },
    stats: { method: 'GET', path: '/v1/stats', takes: true },
    retention: { method: 'GET', path: '/v1/retention' },
  },
  audit: {
    list: { method: 'GET', path: '/v1/audit', takes: true, items: 'entries' },
  },
  analytics: {
    performance: { method: 'GET', path: '/v1/analytics/performance', takes: true },
    bottlenecks: { method: 'GET', path: '/v1/analytics/bottlenecks', takes: true },
  },
  credentials: {
    keys: { method: 'GET', path: '/v1/auth/keys', takes: true },
    createKey: { method: 'POST', path: '/v1/auth/keys', takes: true },
    rotateKey: { method: 'POST', path: '/v1/auth/keys/{key}/rotate', takes: true },
    revokeKey: { method: 'POST', path: '/v1/auth/keys/{key}/revoke', takes: true },
    sessions: { method: 'GET', path: '/v1/auth/sessions', takes: true },
    endSessions: { method: 'DELETE', path: '/v1/auth/sessions/{session}', takes: true },
    me: { method: 'GET', path: '/v1/me' },
  },
} as const satisfies Record<string, Record<string, Route>>;

/** The conditions of a search for tasks or steps. */
export interface TaskConditions {
  namespace?: string | undefined;
  /** The name of the template. */
  name?: string | undefined;
  /** A version, or a range. */
  template_version?: string | undefined;
  /** One state or several, separated by commas. */
  state?: string | readonly string[] | undefined;
  /** Only tasks that have not ended. */
  open?: boolean | undefined;
  /** Only tasks that have ended. */
  ended?: boolean | undefined;
  /** Only tasks that exceed a limit of their lifecycle. */
  stale?: boolean | undefined;
  /** May be repeated. A task must have all given tags. */
  tag?: string | readonly string[] | undefined;
  initiator?: string | undefined;
  source?: string | undefined;
  /** The same as `source`. */
  source_system?: string | undefined;
  reason?: string | undefined;
  correlation_id?: string | undefined;
  parent_correlation_id?: string | undefined;
  parent_task?: string | undefined;
  root_task?: string | undefined;
  /** The idempotency key that the task was created with. */
  key?: string | undefined;
  /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
  created_after?: string | undefined;
  /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
  created_before?: string | undefined;
  /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
  ended_after?: string | undefined;
  /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
  ended_before?: string | undefined;
  /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
  updated_after?: string | undefined;
  /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
  updated_before?: string | undefined;
  /** JSON that the context contains. May be slow. */
  context?: string | undefined;
  /** The name of a step. The conditions below then apply to that step. */
  step?: string | undefined;
  step_state?: string | undefined;
  handler?: string | undefined;
  error_type?: string | undefined;
  /** A part of the first line of the error. May be slow. */
  error?: string | undefined;
  /**
   * The worker that runs the step, or that last ran it before it failed. Steps that the worker completed are not
   * found.
   */
  worker?: string | undefined;
}

/** The verbs of `tasks` that need no code of their own. */
export interface TasksVerbs {
  /**
   * Creates a task.
   * A repeated request with the same `Idempotency-Key` creates nothing, and returns the first task with `"created":
   * false`. If the request differs from the first one, the status is 409. `idempotency_key` in the body also
   * identifies the task, but a repeated request gets a 409. With `on_duplicate=return`, both return the first task. A
   * credential without the permission tasks:read gets only tasks that it created itself.
   * @throws NotFoundError, ConflictError
   */
  create(given: TaskRequest, options?: CallOptions): Promise<CreatedTask>;

  /**
   * Lists the tasks that meet the given conditions, newest first.
   * Reads tables that are written after the commit of a change, so changes of the last second may be missing.
   */
  list(
    query?: TaskConditions & {
      /** Default 1. */
      page?: number | undefined;
      /** Default 25. */
      per_page?: number | undefined;
      /** Replaces `per_page`. */
      limit?: number | undefined;
      /** `next_cursor` or `previous_cursor` of another page. Replaces `page`. */
      cursor?: string | undefined;
      /** `completed` or `pending`; other values are ignored. See `state`. */
      status?: string | undefined;
      /** Default `created`. */
      sort?: 'created' | 'ended' | 'updated' | undefined;
      /** Default `desc`: the newest first. */
      order?: 'asc' | 'desc' | undefined;
    },
    options?: CallOptions,
  ): Promise<TaskListResponse>;

  /**
   * Returns a task with its steps.
   * @throws NotFoundError
   */
  get(task: string, options?: CallOptions): Promise<TaskResponse>;

  /**
   * Cancels a task.
   * @throws NotFoundError
   */
  cancel(task: string, given?: Act, options?: CallOptions): Promise<TaskResponse>;

  /**
   * Returns a task, its template and its steps without contents.
   * @throws NotFoundError
   */
  summary(task: string, options?: CallOptions): Promise<TaskSummaryResponse>;

  /**
   * Returns the context of a task.
   * @throws NotFoundError
   */
  context(task: string, options?: CallOptions): Promise<TaskContext>;

  /**
   * Explains why each step of a task is in its state.
   * @throws NotFoundError
   */
  why(task: string, options?: CallOptions): Promise<TaskExplanation>;

  /**
   * Lists the attempts and operator actions of a task, oldest first.
   * @throws NotFoundError
   */
  history(
    task: string,
    query?: {
      /** The name of a step: only its entries. */
      step?: string | undefined;
      /** Maximum number of items. Default 1000. */
      limit?: number | undefined;
      /** `next_cursor` or `previous_cursor` of another page of the same list. */
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<TaskHistory>;

  /**
   * Reads all pages of {@link history}, one after another, as the loop needs them.
   * @throws NotFoundError
   */
  historyAll(
    task: string,
    query?: {
      /** The name of a step: only its entries. */
      step?: string | undefined;
      /** Maximum number of items. Default 1000. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<HistoryEntry>;

  /**
   * Lists the durable events of a task, newest first.
   * @throws NotFoundError
   */
  events(
    task: string,
    query?: {
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
      /** `next_cursor` or `previous_cursor` of another page of the same list. */
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<TaskEvents>;

  /**
   * Reads all pages of {@link events}, one after another, as the loop needs them.
   * @throws NotFoundError
   */
  eventsAll(
    task: string,
    query?: {
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<DomainEvent>;

  /**
   * Returns a task with its steps, history, waits, signals, events and audit, for a bug report.
   * At most 1,000 signals, events and entries of the audit. `omitted` lists what the document does not contain: what
   * the credential may not read, and what exceeds these limits.
   * @throws NotFoundError
   */
  export(task: string, options?: CallOptions): Promise<TaskExport>;

  /**
   * Returns the log lines of the handlers of a task's steps, oldest first.
   * By default, only lines of failed attempts are kept. The newest 1,000 are returned, of at most 200 attempts.
   * @throws NotFoundError
   */
  logs(
    task: string,
    query?: {
      /** Only lines whose message or fields contain this text, in upper or lower case. */
      contains?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<TaskLogs>;

  /**
   * Lists the last wait of each step in a task, including ended waits.
   * A wait for a time, a signal, votes, a completion from outside, or the next call of a handler. The wait of a task
   * that starts later has no step.
   * @throws NotFoundError
   */
  waits(task: string, options?: CallOptions): Promise<TaskWaits>;

  /**
   * Returns the steps of a task and their dependencies, with states and times.
   * As a Mermaid flowchart with `?format=mermaid` or `Accept: text/vnd.mermaid`. In the flowchart, a batch is one
   * node.
   * @throws NotFoundError
   */
  graph(task: string, options?: CallOptions): Promise<TaskGraph>;

  /**
   * Returns the timeline spans of each step in a task, for a Gantt chart.
   * Spans are `queued` (ready, not yet claimed), `running`, `retry_wait`, `waiting` and `blocked` (failed
   * permanently). The queue keeps no times: the start of `queued` is the latest of the creation of the task, the end
   * of the last parent, the time at which a retry was due, and the last action on the step.
   * @throws NotFoundError
   */
  timeline(task: string, options?: CallOptions): Promise<TaskTimeline>;

  /**
   * Counts tasks, or failures, by time.
   * Counts the tasks that `GET /v1/tasks` finds with the same parameters by the time of their creation, at most the
   * newest 100,000. With `by=failed`, counts the failed steps of open tasks by the time of their failure.
   */
  histogram(
    query?: TaskConditions & {
      /** Default "created". */
      by?: 'created' | 'failed' | undefined;
      /** Default 60. */
      buckets?: number | undefined;
      /** With `by=failed`: only failures since this time. */
      since?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<TaskHistogram>;

  /**
   * Retries the failed steps of a task, and its steps that wait for a retry.
   * @throws NotFoundError, ConflictError
   */
  retry(
    task: string,
    given?: Act,
    options?: CallOptions,
  ): Promise<{
    task_uuid: string;
    steps: string[];
    status:
      | 'pending'
      | 'initializing'
      | 'enqueuing_steps'
      | 'steps_in_process'
      | 'evaluating_results'
      | 'waiting_for_dependencies'
      | 'waiting_for_retry'
      | 'waiting'
      | 'blocked_by_failures'
      | 'complete'
      | 'error'
      | 'cancelled'
      | 'resolved_manually'
      | 'undoing'
      | 'undone'
      | (string & {});
  }>;

  /**
   * Ends a task by hand; a repeated request changes nothing.
   * @throws NotFoundError, ConflictError
   */
  resolve(
    task: string,
    given?: Act,
    options?: CallOptions,
  ): Promise<{
    task_uuid: string;
    resolved: boolean;
    status:
      | 'pending'
      | 'initializing'
      | 'enqueuing_steps'
      | 'steps_in_process'
      | 'evaluating_results'
      | 'waiting_for_dependencies'
      | 'waiting_for_retry'
      | 'waiting'
      | 'blocked_by_failures'
      | 'complete'
      | 'error'
      | 'cancelled'
      | 'resolved_manually'
      | 'undoing'
      | 'undone'
      | (string & {});
  }>;

  /**
   * Runs a step and everything after it again, or lists what would run.
   * @throws NotFoundError, ConflictError
   */
  rerun(task: string, given: RerunRequest, options?: CallOptions): Promise<Rerun>;

  /**
   * Undoes the completed steps of a task in the reverse order, or lists them.
   * @throws NotFoundError, ConflictError
   */
  undo(task: string, given: UndoRequest, options?: CallOptions): Promise<Undo>;

  /**
   * Creates a copy of a task, with its context or a new one.
   * @throws NotFoundError, ConflictError
   */
  copy(task: string, given?: CopyRequest, options?: CallOptions): Promise<TaskCopy>;

  /**
   * Pauses a task: running steps finish.
   * @throws NotFoundError, ConflictError
   */
  pause(task: string, given?: Act, options?: CallOptions): Promise<PauseResult>;

  /**
   * Ends the pause of a task.
   * @throws NotFoundError
   */
  resume(task: string, given?: Act, options?: CallOptions): Promise<PauseResult>;

  /**
   * Starts a task now that was created to start later.
   * @throws NotFoundError, ConflictError
   */
  startNow(
    task: string,
    given?: Act,
    options?: CallOptions,
  ): Promise<{
    task_uuid: string;
    started: true;
  }>;

  /**
   * Changes the start time of a task that was created to start later.
   * @throws NotFoundError, ConflictError
   */
  reschedule(
    task: string,
    given: RescheduleRequest,
    options?: CallOptions,
  ): Promise<{
    task_uuid: string;
    /** ISO 8601. */
    start_at: string;
  }>;

  /**
   * Deletes a task that has ended, with its results and history.
   * @throws NotFoundError, ConflictError
   */
  delete(
    task: string,
    given?: Act,
    options?: CallOptions,
  ): Promise<{
    task_uuid: string;
    deleted: true;
  }>;

  /**
   * Returns the results that reruns replaced, and the copies of a task.
   * @throws NotFoundError
   */
  runs(task: string, options?: CallOptions): Promise<TaskRuns>;

  /**
   * Returns the parent task and the child tasks of a task.
   * @throws NotFoundError
   */
  children(task: string, options?: CallOptions): Promise<TaskFamily>;
}

/** The verbs of `steps` that need no code of their own. */
export interface StepsVerbs {
  /**
   * Returns the steps of a task.
   * @throws NotFoundError
   */
  list(task: string, options?: CallOptions): Promise<StepResponse[]>;

  /**
   * Returns a step.
   * @throws NotFoundError
   */
  get(task: string, step: string, options?: CallOptions): Promise<StepResponse>;

  /**
   * Resets, resolves or completes a step by hand.
   * @throws NotFoundError
   */
  update(task: string, step: string, given: StepManualAction, options?: CallOptions): Promise<StepResponse>;

  /**
   * Returns the outcomes of a step's attempts, newest first.
   * @throws NotFoundError
   */
  audit(task: string, step: string, options?: CallOptions): Promise<StepAuditResponse[]>;

  /** Finds steps in all tasks that are ready, running, waiting, failed or resolved by hand. */
  search(
    query?: TaskConditions & {
      order?: 'asc' | 'desc' | undefined;
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
      /** `next_cursor` or `previous_cursor` of another page of the same list. */
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<StepList>;

  /** Reads all pages of {@link search}, one after another, as the loop needs them. */
  searchAll(
    query?: TaskConditions & {
      order?: 'asc' | 'desc' | undefined;
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<FoundStep>;

  /**
   * Returns the log lines of a step's handler, by attempt.
   * By default, only the last 200 lines of failed attempts are kept.
   * @throws NotFoundError
   */
  logs(
    task: string,
    step: string,
    query?: {
      attempt?: number | undefined;
    },
    options?: CallOptions,
  ): Promise<StepLogs>;

  /**
   * Retries a step that failed or waits for a retry.
   * @throws NotFoundError, ConflictError
   */
  retry(task: string, step: string, given?: Act, options?: CallOptions): Promise<ActedStep>;

  /**
   * Completes a timer step now.
   * @throws NotFoundError, ConflictError
   */
  fire(task: string, step: string, given?: Act, options?: CallOptions): Promise<ActedStep>;

  /**
   * Changes the time of a timer step.
   * @throws NotFoundError, ConflictError
   */
  move(
    task: string,
    step: string,
    given: MoveTimerRequest,
    options?: CallOptions,
  ): Promise<{
    task_uuid: string;
    step: string;
    /** ISO 8601. */
    until: string;
  }>;
}

/** The verbs of `bulkActs` that need no code of their own. */
export interface BulkActsVerbs {
  /**
   * Acts on many tasks or steps; GET /v1/bulk-acts/{id} shows the progress.
   * A repeated request with the same `Idempotency-Key` starts nothing, and returns the action that the first request
   * started.
   * @throws NotFoundError, ConflictError
   */
  start(given: BulkActRequest, options?: CallOptions): Promise<StartedBulkAct>;

  /**
   * Stops a bulk action after the transaction in progress.
   * @throws NotFoundError
   */
  stop(
    id: number,
    given?: Act,
    options?: CallOptions,
  ): Promise<{
    id: number;
    stopped: boolean;
  }>;

  /**
   * Continues a bulk action that was stopped or whose process died; finished items are not repeated.
   * @throws NotFoundError, ConflictError
   */
  resume(id: number, given?: Act, options?: CallOptions): Promise<StartedBulkAct>;

  /** Lists bulk actions, newest first. */
  list(
    query?: {
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
      /** `next_cursor` or `previous_cursor` of another page of the same list. */
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<BulkActList>;

  /** Reads all pages of {@link list}, one after another, as the loop needs them. */
  listAll(
    query?: {
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<BulkAct>;

  /**
   * Returns a bulk action with its progress, and the items that were skipped or failed.
   * @throws NotFoundError
   */
  get(id: number, options?: CallOptions): Promise<BulkReport>;
}

/** The verbs of `signals` that need no code of their own. */
export interface SignalsVerbs {
  /**
   * Sends a signal to a task.
   * @throws NotFoundError, ConflictError
   */
  send(task: string, given: SignalRequest, options?: CallOptions): Promise<SentSignal>;

  /**
   * Sends a signal to the tasks with a correlation id, or to the task with an idempotency key.
   * @throws NotFoundError, ConflictError
   */
  sendTo(given: TargetedSignalRequest, options?: CallOptions): Promise<SentSignal>;

  /**
   * Lists the signals of a task in order of arrival.
   * @throws NotFoundError
   */
  list(
    task: string,
    query?: {
      name?: string | undefined;
      /** Only signals that no step has used. */
      kept?: boolean | undefined;
      /** Default 50. */
      limit?: number | undefined;
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<TaskSignals>;

  /**
   * Reads all pages of {@link list}, one after another, as the loop needs them.
   * @throws NotFoundError
   */
  listAll(
    task: string,
    query?: {
      name?: string | undefined;
      /** Only signals that no step has used. */
      kept?: boolean | undefined;
      /** Default 50. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<{
    signal_id: string;
    name: string;
    idempotency_key: string | null;
    by: string | null;
    /** ISO 8601. */
    arrived_at: string;
    status: 'used' | 'held' | 'kept';
    step: string | null;
    used_at: string | null;
    /** Null without the permission tasks:context_read. */
    payload: unknown;
  }>;

  /**
   * Returns a signal with its outcome.
   * @throws NotFoundError
   */
  get(signal: string, options?: CallOptions): Promise<Signal>;
}

/** The verbs of `approvals` that need no code of their own. */
export interface ApprovalsVerbs {
  /**
   * Lists the open approvals, oldest first; with `task`, also the ended approvals of that task.
   * @throws NotFoundError
   */
  list(
    query?: {
      assignee?: string | undefined;
      namespace?: string | undefined;
      name?: string | undefined;
      task?: string | undefined;
      /** Default 50. */
      limit?: number | undefined;
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<{
    approvals: Approval[];
    next_cursor: string | null;
    /** Approvals that match, on all pages, at most 10,000. */
    total: number;
    total_is_exact: boolean;
  }>;

  /**
   * Reads all pages of {@link list}, one after another, as the loop needs them.
   * @throws NotFoundError
   */
  listAll(
    query?: {
      assignee?: string | undefined;
      namespace?: string | undefined;
      name?: string | undefined;
      task?: string | undefined;
      /** Default 50. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<Approval>;

  /**
   * Returns an approval with its votes.
   * @throws NotFoundError, ConflictError
   */
  get(task: string, step: string, options?: CallOptions): Promise<Approval>;

  /**
   * Votes on an approval, as the subject of the credential.
   * @throws NotFoundError, ConflictError
   */
  vote(task: string, step: string, given: VoteRequest, options?: CallOptions): Promise<Approval>;

  /**
   * Changes the assignees; votes of people who are no longer assignees are dropped.
   * @throws NotFoundError, ConflictError
   */
  reassign(task: string, step: string, given: ReassignRequest, options?: CallOptions): Promise<Approval>;
}

/** The verbs of `completions` that need no code of their own. */
export interface CompletionsVerbs {
  /**
   * Completes a step from outside with its token.
   * @throws ConflictError
   */
  complete(given: CompleteRequest, options?: CallOptions): Promise<TokenUse>;

  /**
   * Fails the attempt of a token.
   * @throws ConflictError
   */
  fail(given: FailRequest, options?: CallOptions): Promise<TokenUse>;

  /**
   * Extends the wait for a completion.
   * @throws ConflictError
   */
  extend(given: ExtendRequest, options?: CallOptions): Promise<Extended>;
}

/** The verbs of `schedules` that need no code of their own. */
export interface SchedulesVerbs {
  /** Lists schedules by name, with their next due times and last outcomes. */
  list(
    query?: {
      state?: 'active' | 'paused' | 'over' | undefined;
      source?: string | undefined;
      /** Default 50. */
      limit?: number | undefined;
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<{
    schedules: Schedule[];
    next_cursor: string | null;
  }>;

  /** Reads all pages of {@link list}, one after another, as the loop needs them. */
  listAll(
    query?: {
      state?: 'active' | 'paused' | 'over' | undefined;
      source?: string | undefined;
      /** Default 50. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<Schedule>;

  /**
   * Creates a schedule.
   * @throws NotFoundError, ConflictError
   */
  create(given: ScheduleRequest, options?: CallOptions): Promise<Schedule>;

  /**
   * Returns a schedule with the outcomes of its due times, newest first.
   * @throws NotFoundError
   */
  get(
    name: string,
    query?: {
      /** Default 20. */
      limit?: number | undefined;
      before?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<Schedule>;

  /**
   * Changes a schedule; null removes a setting.
   * @throws NotFoundError
   */
  update(name: string, given: ScheduleChange, options?: CallOptions): Promise<Schedule>;

  /**
   * Deletes a schedule, but not its tasks.
   * @throws NotFoundError
   */
  delete(
    name: string,
    given?: Act,
    options?: CallOptions,
  ): Promise<{
    deleted: string;
  }>;

  /**
   * Pauses a schedule; its open tasks continue.
   * @throws NotFoundError
   */
  pause(name: string, given?: Act, options?: CallOptions): Promise<ChangedSchedule>;

  /**
   * Resumes a schedule; due times during the pause get no task.
   * @throws NotFoundError
   */
  resume(name: string, given?: Act, options?: CallOptions): Promise<ChangedSchedule>;

  /**
   * Creates a task of a schedule now.
   * @throws NotFoundError
   */
  trigger(
    name: string,
    given?: TriggerRequest,
    options?: CallOptions,
  ): Promise<{
    task_uuid: string;
  }>;

  /**
   * Creates the tasks of past due times, or lists them.
   * @throws NotFoundError
   */
  backfill(name: string, given: BackfillRequest, options?: CallOptions): Promise<BackfilledDue[]>;
}

/** The verbs of `templates` that need no code of their own. */
export interface TemplatesVerbs {
  /** Lists the registered templates. */
  list(
    query?: {
      namespace?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<TemplateListResponse>;

  /**
   * Returns the template that new tasks of this version use.
   * @throws NotFoundError
   */
  get(namespace: string, name: string, version: string, options?: CallOptions): Promise<TemplateDetailResponse>;

  /**
   * Returns a template as YAML.
   * As it was registered, with the overrides of the environment applied. Comments and the order of keys are not
   * stored. As JSON with `?format=json` or `Accept: application/json`.
   * @throws NotFoundError
   */
  source(namespace: string, name: string, version: string, options?: CallOptions): Promise<TemplateSource>;

  /**
   * Returns the steps of a template and their dependencies.
   * As a Mermaid flowchart with `?format=mermaid` or `Accept: text/vnd.mermaid`.
   * @throws NotFoundError
   */
  graph(namespace: string, name: string, version: string, options?: CallOptions): Promise<TemplateGraph>;

  /**
   * Returns the changes from an earlier version of a template.
   * @throws NotFoundError
   */
  diff(
    namespace: string,
    name: string,
    version: string,
    query?: {
      /** The earlier version. */
      with: string;
    },
    options?: CallOptions,
  ): Promise<TemplateDiff>;

  /**
   * Makes a version of a template the active version, which tasks without a version are created from.
   * The version is pinned: the registration of a higher version does not replace it. The version `latest` makes the
   * highest registered version active, and ends the pin. Running tasks keep their template.
   * @throws NotFoundError
   */
  activate(namespace: string, name: string, version: string, given?: Act, options?: CallOptions): Promise<Activation>;

  /**
   * Pauses all versions of a template: running steps finish, and no other step starts until the pause ends.
   * @throws NotFoundError
   */
  pause(namespace: string, name: string, given?: Act, options?: CallOptions): Promise<PauseResult>;

  /**
   * Ends the pause of a template.
   * @throws NotFoundError
   */
  resume(namespace: string, name: string, given?: Act, options?: CallOptions): Promise<PauseResult>;

  /**
   * Pauses a template version: running steps finish, and no other step starts until the pause ends.
   * @throws NotFoundError
   */
  pauseVersion(
    namespace: string,
    name: string,
    version: string,
    given?: Act,
    options?: CallOptions,
  ): Promise<PauseResult>;

  /**
   * Ends the pause of a template version.
   * @throws NotFoundError
   */
  resumeVersion(
    namespace: string,
    name: string,
    version: string,
    given?: Act,
    options?: CallOptions,
  ): Promise<PauseResult>;
}

/** The verbs of `namespaces` that need no code of their own. */
export interface NamespacesVerbs {
  /**
   * Pauses a namespace: running steps finish, and no other step starts until the pause ends.
   * @throws NotFoundError
   */
  pause(namespace: string, given?: Act, options?: CallOptions): Promise<PauseResult>;

  /**
   * Ends the pause of a namespace.
   * @throws NotFoundError
   */
  resume(namespace: string, given?: Act, options?: CallOptions): Promise<PauseResult>;

  /** Lists the namespaces, with their ready steps and their pause. */
  list(options?: CallOptions): Promise<NamespaceList>;
}

/** The verbs of `deadLetters` that need no code of their own. */
export interface DeadLettersVerbs {
  /** Lists dead letters, newest first. */
  list(
    query?: {
      resolution_status?: string | undefined;
      /** Default 50. */
      limit?: number | undefined;
      /** Default 0. */
      offset?: number | undefined;
    },
    options?: CallOptions,
  ): Promise<DlqEntry[]>;

  /**
   * Returns the newest dead letter of a task.
   * @throws NotFoundError
   */
  ofTask(task: string, options?: CallOptions): Promise<DlqEntry>;

  /**
   * Changes a dead letter.
   * @throws NotFoundError, ConflictError
   */
  update(entry: string, given: DlqInvestigationUpdate, options?: CallOptions): Promise<UpdateInvestigationResponse>;

  /** Counts dead letters by reason. */
  stats(
    query?: {
      namespace?: string | undefined;
      name?: string | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      added_after?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<DlqStats[]>;

  /** Lists open dead letters by priority. */
  queue(
    query?: {
      /** Default 100. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): Promise<DlqInvestigationQueueEntry[]>;

  /** Lists open tasks with lifecycle limits, closest to a limit first. */
  staleness(
    query?: {
      /** Default 100. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): Promise<StalenessMonitoring[]>;

  /** Finds the dead letters that meet the given conditions; by default, the open entries, highest priority first. */
  search(
    query?: {
      status?: 'pending' | 'manually_resolved' | 'permanently_failed' | 'cancelled' | 'all' | undefined;
      namespace?: string | undefined;
      /** The name of the template. */
      name?: string | undefined;
      template_version?: string | undefined;
      /** The id of a task. */
      task?: string | undefined;
      dlq_reason?:
        | 'staleness_timeout'
        | 'max_retries_exceeded'
        | 'dependency_cycle_detected'
        | 'worker_unavailable'
        | 'manual_dlq'
        | undefined;
      assignee?: string | undefined;
      unassigned?: boolean | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      added_after?: string | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      added_before?: string | undefined;
      sort?: 'priority' | 'added' | undefined;
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
      /** `next_cursor` or `previous_cursor` of another page of the same list. */
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<DeadLetterPage>;

  /** Reads all pages of {@link search}, one after another, as the loop needs them. */
  searchAll(
    query?: {
      status?: 'pending' | 'manually_resolved' | 'permanently_failed' | 'cancelled' | 'all' | undefined;
      namespace?: string | undefined;
      /** The name of the template. */
      name?: string | undefined;
      template_version?: string | undefined;
      /** The id of a task. */
      task?: string | undefined;
      dlq_reason?:
        | 'staleness_timeout'
        | 'max_retries_exceeded'
        | 'dependency_cycle_detected'
        | 'worker_unavailable'
        | 'manual_dlq'
        | undefined;
      assignee?: string | undefined;
      unassigned?: boolean | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      added_after?: string | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      added_before?: string | undefined;
      sort?: 'priority' | 'added' | undefined;
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<DeadLetterRow>;

  /**
   * Returns a dead letter, by its id or the id of its task, with its notes and the snapshot of the task.
   * @throws NotFoundError
   */
  get(entry: string, options?: CallOptions): Promise<DeadLetterDetails>;

  /**
   * Adds a task to the dead letters.
   * @throws NotFoundError, ConflictError
   */
  add(given: DeadLetterRequest, options?: CallOptions): Promise<DeadLetterDetails>;

  /**
   * Assigns a dead letter to a person or a team; null removes the assignee.
   * @throws NotFoundError, ConflictError
   */
  assign(entry: string, given: AssignRequest, options?: CallOptions): Promise<ChangedDeadLetters>;

  /**
   * Adds a remark to a dead letter.
   * @throws NotFoundError
   */
  note(entry: string, given: NoteRequest, options?: CallOptions): Promise<ChangedDeadLetters>;

  /**
   * Closes a dead letter; its task does not change.
   * @throws NotFoundError, ConflictError
   */
  resolve(entry: string, given?: ResolveDeadLetterRequest, options?: CallOptions): Promise<ChangedDeadLetters>;

  /**
   * Runs the task of a dead letter again, and closes the entry.
   * @throws NotFoundError, ConflictError
   */
  redrive(entry: string, given?: Act, options?: CallOptions): Promise<Redrive>;
}

/** The verbs of `events` that need no code of their own. */
export interface EventsVerbs {
  /** Lists durable events, newest first. */
  list(
    query?: {
      /** A name or a pattern. */
      name?: string | undefined;
      /** The id of a task. */
      task?: string | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      after?: string | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      before?: string | undefined;
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
      /** `next_cursor` or `previous_cursor` of another page of the same list. */
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<EventList>;

  /** Reads all pages of {@link list}, one after another, as the loop needs them. */
  listAll(
    query?: {
      /** A name or a pattern. */
      name?: string | undefined;
      /** The id of a task. */
      task?: string | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      after?: string | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      before?: string | undefined;
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<DomainEvent>;

  /** Lists the groups that receive events, with the lag of each. */
  groups(options?: CallOptions): Promise<EventGroupList>;

  /**
   * Lists dead deliveries, newest first.
   * @throws NotFoundError
   */
  dead(
    query?: {
      group?: string | undefined;
      /** The id of an event. */
      event?: string | undefined;
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
      /** `next_cursor` or `previous_cursor` of another page of the same list. */
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<DeadDeliveryList>;

  /**
   * Reads all pages of {@link dead}, one after another, as the loop needs them.
   * @throws NotFoundError
   */
  deadAll(
    query?: {
      group?: string | undefined;
      /** The id of an event. */
      event?: string | undefined;
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<DeadDelivery>;

  /**
   * Returns a durable event, and its envelope as sinks send it.
   * @throws NotFoundError
   */
  get(event: string, options?: CallOptions): Promise<DomainEventWithEnvelope>;

  /**
   * Delivers past events to a group again, or counts them.
   * @throws NotFoundError
   */
  replay(given: ReplayRequest, options?: CallOptions): Promise<Replay>;

  /**
   * Delivers the dead deliveries of a group again.
   * @throws NotFoundError
   */
  redeliver(
    given: DeadDeliveriesRequest,
    options?: CallOptions,
  ): Promise<{
    group: string;
    redelivered: number;
  }>;

  /**
   * Deletes the dead deliveries of a group.
   * @throws NotFoundError
   */
  discard(
    given: DeadDeliveriesRequest,
    options?: CallOptions,
  ): Promise<{
    group: string;
    discarded: number;
  }>;

  /**
   * Removes a group with its waiting events and dead deliveries.
   * @throws NotFoundError
   */
  removeGroup(
    group: string,
    given?: Act,
    options?: CallOptions,
  ): Promise<{
    group: string;
    removed: true;
  }>;
}

/** The verbs of `workers` that need no code of their own. */
export interface WorkersVerbs {
  /** Lists the live workers of all processes, and recently ended workers. */
  list(
    query?: {
      /** Only workers that serve one of these namespaces. */
      namespace?: string | readonly string[] | undefined;
      state?: string | readonly string[] | undefined;
      /** Includes workers that ended in the last day. Default: in the last hour. */
      all?: boolean | undefined;
      /** Maximum number of items. Default 1000. */
      limit?: number | undefined;
      /** `next_cursor` or `previous_cursor` of another page of the same list. */
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<WorkerList>;

  /** Reads all pages of {@link list}, one after another, as the loop needs them. */
  listAll(
    query?: {
      /** Only workers that serve one of these namespaces. */
      namespace?: string | readonly string[] | undefined;
      state?: string | readonly string[] | undefined;
      /** Includes workers that ended in the last day. Default: in the last hour. */
      all?: boolean | undefined;
      /** Maximum number of items. Default 1000. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<Worker>;

  /**
   * Returns a worker, by its name or id, with its running steps.
   * @throws NotFoundError
   */
  get(name: string, options?: CallOptions): Promise<WorkerDetails>;

  /** Returns the queue of every namespace. */
  queues(
    query?: {
      namespace?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<QueueList>;

  /** Lists the handlers that templates name, with the live workers that have each. */
  handlers(
    query?: {
      namespace?: string | undefined;
      /** Maximum number of items. Default 1000. */
      limit?: number | undefined;
      /** `next_cursor` or `previous_cursor` of another page of the same list. */
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<HandlerList>;

  /** Reads all pages of {@link handlers}, one after another, as the loop needs them. */
  handlersAll(
    query?: {
      namespace?: string | undefined;
      /** Maximum number of items. Default 1000. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<{
    namespace: string;
    handler: string;
    resolver: string | null;
    steps: {
      template: string;
      version: string;
      step: string;
    }[];
    /** Empty if no live worker can run these steps. */
    workers: string[];
  }>;

  /**
   * Asks a worker to stop taking steps; GET /v1/workers/{name} shows the progress.
   * @throws NotFoundError, ConflictError
   */
  drain(name: string, given?: Act, options?: CallOptions): Promise<DrainedWorker>;

  /**
   * Lets a drained worker take steps again.
   * @throws NotFoundError, ConflictError
   */
  resume(name: string, given?: Act, options?: CallOptions): Promise<ChangedWorker>;
}

/** The verbs of `installation` that need no code of their own. */
export interface InstallationVerbs {
  /** Lists the pauses in force. A credential for some namespaces sees only pauses within these namespaces. */
  pauses(
    query?: {
      /** Maximum number of items. Default 1000. */
      limit?: number | undefined;
      /** `next_cursor` or `previous_cursor` of another page of the same list. */
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<PauseList>;

  /** Reads all pages of {@link pauses}, one after another, as the loop needs them. */
  pausesAll(
    query?: {
      /** Maximum number of items. Default 1000. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<Pause>;

  /** Returns the state of the installation: workers, queues, open tasks, counts of problems, and rates. */
  status(options?: CallOptions): Promise<Status>;

  /**
   * Counts tasks by template and state, and groups the causes that block them.
   * Without a condition on a time, ended tasks are counted if they ended in the last 24 hours; `ended_since` changes
   * that. `filter` of a group has the parameters of `GET /v1/tasks`, with `status` for `state`.
   */
  summary(
    query?: TaskConditions & {
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      ended_since?: string | undefined;
      /** Maximum number of items. Default 100. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): Promise<Summary>;

  /**
   * Returns statistics of tasks and steps: rates, durations and queueing times.
   * @throws NotFoundError
   */
  stats(
    query?: {
      namespace?: string | undefined;
      /** The name of a template. */
      name?: string | undefined;
      template_version?: string | undefined;
      step?: string | undefined;
      /** Default: one hour ago. */
      since?: string | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      until?: string | undefined;
      sort?: 'time' | 'duration' | 'queueing' | 'failures' | 'count' | undefined;
      /** Maximum number of items. Default 100. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): Promise<Statistics>;

  /**
   * Returns the policy for pruning tasks, and the last prune.
   * The policy in the configuration of the server. Workers prune by their own configuration.
   */
  retention(options?: CallOptions): Promise<Retention>;
}

/** The verbs of `audit` that need no code of their own. */
export interface AuditVerbs {
  /** Lists actions of operators and of lifecycles, newest first. */
  list(
    query?: {
      actor?: string | undefined;
      action?: string | undefined;
      door?: 'library' | 'cli' | 'rest' | 'lifecycle' | 'policy' | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      after?: string | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      before?: string | undefined;
      /** The id of a task. */
      task?: string | undefined;
      /** The id of a bulk action. */
      bulk?: number | undefined;
      target?: string | undefined;
      /**
       * Returns one entry for each bulk action, with the number of its actions in `entries`. Has no effect for a
       * credential that is limited to namespaces.
       */
      fold?: boolean | undefined;
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
      /** `next_cursor` or `previous_cursor` of another page of the same list. */
      cursor?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<AuditList>;

  /** Reads all pages of {@link list}, one after another, as the loop needs them. */
  listAll(
    query?: {
      actor?: string | undefined;
      action?: string | undefined;
      door?: 'library' | 'cli' | 'rest' | 'lifecycle' | 'policy' | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      after?: string | undefined;
      /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
      before?: string | undefined;
      /** The id of a task. */
      task?: string | undefined;
      /** The id of a bulk action. */
      bulk?: number | undefined;
      target?: string | undefined;
      /**
       * Returns one entry for each bulk action, with the number of its actions in `entries`. Has no effect for a
       * credential that is limited to namespaces.
       */
      fold?: boolean | undefined;
      /** Maximum number of items. Default 50. */
      limit?: number | undefined;
    },
    options?: CallOptions,
  ): AsyncGenerator<AuditEntry>;
}

/** The verbs of `analytics` that need no code of their own. */
export interface AnalyticsVerbs {
  /** Returns counts, rates and durations of the last hours. */
  performance(
    query?: {
      /** Default 24. */
      hours?: number | undefined;
    },
    options?: CallOptions,
  ): Promise<PerformanceMetrics>;

  /** Returns the slowest steps and templates of the last day. */
  bottlenecks(
    query?: {
      /** Default 10. */
      limit?: number | undefined;
      /** Default 5. */
      min_executions?: number | undefined;
    },
    options?: CallOptions,
  ): Promise<BottleneckAnalysis>;
}

/** The verbs of `credentials` that need no code of their own. */
export interface CredentialsVerbs {
  /** Lists API keys by name. */
  keys(
    query?: {
      /** Default "false". */
      all?: boolean | undefined;
    },
    options?: CallOptions,
  ): Promise<ApiKeyList>;

  /**
   * Creates an API key.
   * @throws ConflictError
   */
  createKey(given: ApiKeyRequest, options?: CallOptions): Promise<CreatedApiKey>;

  /**
   * Replaces an API key with a new one that has the same rights.
   * @throws NotFoundError, ConflictError
   */
  rotateKey(key: string, given: ApiKeyRotation, options?: CallOptions): Promise<CreatedApiKey>;

  /**
   * Revokes the API keys with this name, prefix or id.
   * @throws NotFoundError
   */
  revokeKey(key: string, given: ApiKeyAct, options?: CallOptions): Promise<ApiKeyList>;

  /** Lists the browser sessions that have not ended, newest first. */
  sessions(
    query?: {
      subject?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<BrowserSessionList>;

  /**
   * Ends the session with this id, or all sessions of this subject.
   * Servers may accept a session for two more seconds.
   * @throws NotFoundError
   */
  endSessions(session: string, given?: Act, options?: CallOptions): Promise<BrowserSessionList>;

  /** Returns the caller of the request, and its rights. */
  me(options?: CallOptions): Promise<Me>;
}

export interface Act {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
}

export interface ActedStep {
  step_uuid: string;
  task_uuid: string;
  name: string;
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  /** Null without the permission tasks:context_read. */
  results: StepResults | null;
  current_state:
    | 'pending'
    | 'enqueued'
    | 'in_progress'
    | 'enqueued_for_orchestration'
    | 'enqueued_as_error_for_orchestration'
    | 'waiting_for_retry'
    | 'waiting'
    | 'complete'
    | 'skipped'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | (string & {});
  dependencies_satisfied: boolean;
  retry_eligible: boolean;
  ready_for_execution: boolean;
  total_parents: number;
  completed_parents: number;
  attempts: number;
  max_attempts: number;
  last_failure_at: string | null;
  next_retry_at: string | null;
  last_attempted_at: string | null;
  /** Differs from `name` for batch workers. */
  template_step_name: string;
  /** The worker that runs the step, or ran it last. */
  worker: string | null;
  /** Null unless the step is in `waiting`. */
  wait: StepWait | null;
  /** The progress of its list. Null unless it is a step of the type for_each whose list has begun. */
  elements: ListProgress | null;
  /** The element that it runs for. Null unless it is a step inside a for_each. */
  element: StepElement | null;
  /** The number of the rerun that the current run of the step belongs to. 0 is the first run. */
  rerun: number;
  event_problems: {
    event: string;
    kind: string;
    message: string;
    path: string | null;
  }[];
  /** The handler that the template names. */
  callable: string;
}

export interface Activation {
  namespace: string;
  name: string;
  /** The active version, which tasks without a version are created from. */
  version: string;
  /** The version that was active before. */
  previous_version: string;
  /** Whether the version stays active when a higher version is registered. */
  pinned: boolean;
  /** False if nothing had to be changed. */
  changed: boolean;
}

export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  state: 'active' | 'replaced' | 'expired' | 'revoked';
  roles: string[];
  permissions: string[];
  /** Null means all. */
  namespaces: string[] | null;
  created_at: string;
  created_by: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  revoked_by: string | null;
}

export interface ApiKeyAct {
  reason?: string | null | undefined;
  by?: string | null | undefined;
}

export interface ApiKeyList {
  keys: ApiKey[];
}

export interface ApiKeyRequest {
  name: string;
  roles?: readonly string[] | undefined;
  permissions?: readonly string[] | undefined;
  /** Missing or null: all. */
  namespaces?: readonly string[] | null | undefined;
  expires_in_seconds?: number | null | undefined;
  reason?: string | null | undefined;
  by?: string | null | undefined;
}

export interface ApiKeyRotation {
  /** Default 86400. */
  overlap_seconds?: number | undefined;
  expires_in_seconds?: number | null | undefined;
  reason?: string | null | undefined;
  by?: string | null | undefined;
}

export interface Approval {
  task_uuid: string;
  step: string;
  step_uuid: string;
  namespace: string;
  name: string;
  version: string;
  title: string;
  status: 'open' | 'approved' | 'rejected' | 'timed_out' | 'ended';
  assignees: string[];
  form: Record<string, unknown> | null;
  quorum: number;
  reject_quorum: number;
  approvals: number;
  rejections: number;
  votes: {
    by: string;
    decision: 'approve' | 'reject';
    /** ISO 8601. */
    at: string;
    comment: string | null;
    form: unknown;
    as: string | null;
    changes: number;
  }[];
  /** ISO 8601. */
  since: string;
  until: string | null;
  reminded_at: string | null;
  escalated_at: string | null;
  paused: boolean;
  ended_at: string | null;
  ended_by: string | null;
}

export interface AssignRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  to?: string | null | undefined;
  priority?: number | undefined;
}

export interface AuditEntry {
  id: number;
  at: string;
  actor: string;
  door: string | null;
  action: string;
  task_uuid: string | null;
  template: string | null;
  step: string | null;
  target: string | null;
  from_state: string | null;
  to_state: string | null;
  reason: string | null;
  bulk_id: number | null;
  details: Record<string, unknown> | null;
  /** Number of actions that the entry represents, at most 10,000. More than 1 only with `fold`. */
  entries: number;
}

export interface AuditList {
  entries: AuditEntry[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface BackfillRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  from: string;
  to: string;
  /** Default false. */
  dry_run?: boolean | undefined;
}

export interface BackfilledDue {
  /** ISO 8601. */
  due_at: string;
  outcome: 'created' | 'exists' | 'planned' | 'failed';
  task_uuid: string | null;
  reason: string | null;
}

export interface BottleneckAnalysis {
  slow_steps: {
    namespace_name: string;
    task_name: string;
    version: string;
    average_duration_seconds: number;
    max_duration_seconds: number;
    execution_count: number;
    error_count: number;
    error_rate: number;
    last_executed_at: string | null;
    step_name: string;
  }[];
  slow_tasks: {
    namespace_name: string;
    task_name: string;
    version: string;
    average_duration_seconds: number;
    max_duration_seconds: number;
    execution_count: number;
    error_count: number;
    error_rate: number;
    last_executed_at: string | null;
    average_step_count: number;
  }[];
  resource_utilization: {
    database_pool_utilization: number;
    system_health: Record<string, number>;
  };
  recommendations: string[];
}

export interface BrowserSessionInfo {
  /** The id of the session. It is not the secret in the cookie. */
  id: string;
  subject: string;
  roles: string[];
  permissions: string[];
  /** Null means all. */
  namespaces: string[] | null;
  /** Prefix of the API key that started the session. Null means a token, a key of the configuration, or a login. */
  key_prefix: string | null;
  created_at: string;
  expires_at: string;
}

export interface BrowserSessionList {
  sessions: BrowserSessionInfo[];
}

export interface BulkAct {
  id: number;
  action: string;
  state: 'selected' | 'running' | 'stopped' | 'done';
  /** Null if the items were listed by id. */
  filter: Record<string, unknown> | null;
  actor: string;
  reason: string | null;
  door: string;
  matched: number;
  done: number;
  skipped_count: number;
  failed_count: number;
  created_at: string;
  started_at: string | null;
  seen_at: string;
  ended_at: string | null;
}

export interface BulkActList {
  bulk_acts: BulkAct[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface BulkActPreview {
  action: string;
  matched: number;
  /** Ids that do not exist. */
  skipped: number;
  /** Steps that would run again. */
  steps: number;
  not_retryable: number;
  /** Tasks whose steps do not start until a pause ends, at most 100,000. */
  paused: number;
  dry_run: true;
  /** The first ten tasks. */
  sample: {
    task_uuid: string;
    template: string;
    status: string;
    steps: {
      name: string;
      state: string;
      attempts: number;
      /** False if the template does not allow the step to run twice. The step may already have had its effect. */
      retryable: boolean;
      error_type: string | null;
      error: string | null;
    }[];
  }[];
}

export interface BulkActRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  action:
    | 'task_retry'
    | 'task_cancel'
    | 'task_resolve'
    | 'task_delete'
    | 'task_redrive'
    | 'task_undo'
    | 'step_retry'
    | 'step_reset'
    | 'step_resolve';
  /** The conditions of GET /v1/tasks, such as `{"error_type": "timeout"}`. */
  filter?: Record<string, unknown> | undefined;
  /** Ids of tasks, or of steps. */
  ids?: readonly string[] | undefined;
  steps?:
    | readonly {
        task_uuid: string;
        step: string;
      }[]
    | undefined;
  /** For step_resolve. */
  result?: unknown;
  /** Default false. */
  dry_run?: boolean | undefined;
}

export interface BulkReport {
  id: number;
  action: string;
  state: 'selected' | 'running' | 'stopped' | 'done';
  /** Null if the items were listed by id. */
  filter: Record<string, unknown> | null;
  actor: string;
  reason: string | null;
  door: string;
  matched: number;
  done: number;
  skipped_count: number;
  failed_count: number;
  created_at: string;
  started_at: string | null;
  seen_at: string;
  ended_at: string | null;
  /** Tasks that were acted on and do not continue until a pause ends, at most 100,000. 0 until the act has ended. */
  paused: number;
  skipped: {
    task_uuid: string;
    step: string | null;
    why: string;
  }[];
  failed: {
    task_uuid: string;
    step: string | null;
    why: string;
  }[];
}

export interface ChangedDeadLetters {
  changed: number;
}

export interface ChangedSchedule {
  id: string;
  name: string;
  description: string | null;
  template: string;
  context: Record<string, unknown>;
  tags: string[];
  priority: number | null;
  cron: string | null;
  every_ms: number | null;
  timezone: string;
  jitter_ms: number;
  start: string | null;
  end: string | null;
  catch_up: 'none' | 'last' | 'all';
  catch_up_window_ms: number | null;
  overlap: 'allow' | 'skip' | 'queue_one' | 'cancel_running';
  on_failure: 'continue' | 'pause';
  words: string;
  state: 'active' | 'paused' | 'over';
  /** ISO 8601. */
  next: string[];
  next_firing_at: string | null;
  queued: string | null;
  last_due_at: string | null;
  last: ScheduleFiring[];
  source: string | null;
  paused_at: string | null;
  paused_by: string | null;
  pause_reason: string | null;
  /** ISO 8601. */
  created_at: string;
  /** ISO 8601. */
  updated_at: string;
  changed: boolean;
}

export interface ChangedWorker {
  id: number;
  name: string;
  host: string;
  pid: number;
  version: string | null;
  state: 'running' | 'draining' | 'drained' | 'lost' | 'stopped';
  drain: {
    requested_at: string;
    by: string;
    reason: string | null;
  } | null;
  namespaces: string[];
  handlers: string[];
  resolvers: string[];
  missing_handlers: {
    namespace: string;
    template: string;
    version: string;
    step: string;
    handler: string;
  }[];
  concurrency: number;
  running: number;
  hung: number | null;
  oldest_step_at: string | null;
  oldest_step_ms: number | null;
  started_at: string;
  seen_at: string | null;
  silent_ms: number | null;
  ended_at: string | null;
  completed: number | null;
  failed: number | null;
  completed_per_second: number | null;
  failed_per_second: number | null;
  loop_lag_ms: number | null;
  steps: {
    task_uuid: string;
    step: string;
    namespace: string;
    template: string;
    version: string;
    handler: string;
    attempt: number;
    started_at: string;
    age_ms: number;
  }[];
  changed: boolean;
}

export interface CompleteRequest {
  /** The return value of `context.completionToken()`. It is the credential of the request. */
  token: string;
  result?: unknown;
}

export interface CopyRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  context?: Record<string, unknown> | undefined;
  idempotency_key?: string | undefined;
}

export interface CreatedApiKey {
  id: string;
  name: string;
  prefix: string;
  state: 'active' | 'replaced' | 'expired' | 'revoked';
  roles: string[];
  permissions: string[];
  /** Null means all. */
  namespaces: string[] | null;
  created_at: string;
  created_by: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  revoked_by: string | null;
  /** The key itself. It cannot be shown again. */
  key: string;
}

export interface CreatedTask {
  task_uuid: string;
  name: string;
  namespace: string;
  version: string;
  status:
    | 'pending'
    | 'initializing'
    | 'enqueuing_steps'
    | 'steps_in_process'
    | 'evaluating_results'
    | 'waiting_for_dependencies'
    | 'waiting_for_retry'
    | 'waiting'
    | 'blocked_by_failures'
    | 'complete'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | 'undoing'
    | 'undone'
    | (string & {});
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  context: Record<string, unknown>;
  /** The values of `output` in the template. Only a complete task has it, and tasks in lists do not. */
  output?: Record<string, unknown> | undefined;
  /** Why a complete task has no output. */
  output_error?: string | undefined;
  initiator: string;
  source_system: string;
  reason: string;
  priority: number;
  tags: string[];
  correlation_id: string;
  parent_correlation_id: string | null;
  total_steps: number;
  pending_steps: number;
  in_progress_steps: number;
  completed_steps: number;
  failed_steps: number;
  ready_steps: number;
  execution_status:
    | 'blocked_by_failures'
    | 'has_ready_steps'
    | 'processing'
    | 'all_complete'
    | 'waiting_for_dependencies';
  recommended_action: string;
  completion_percentage: number;
  health_status: 'healthy' | 'blocked';
  steps: StepReadiness[];
  waiting_steps: number;
  skipped_steps: number;
  handled_failures: number;
  /** The start time of the task. Null if the task is not waiting for its start. */
  starts_at: string | null;
  reruns: number;
  rerun_at: string | null;
  copy_of: string | null;
  /** The credential that created the task over HTTP. Null if a program created the task in the database. */
  created_with: string | null;
  /** The limit of its lifecycle that the task exceeds. */
  stale: StaleNote | null;
  /** The pauses that apply to the task. */
  paused: Pause[] | null;
  /** False if the task existed. */
  created: boolean;
  /** replaced: it is a new task, for which the open task of its key was cancelled. returned: it existed. */
  outcome: 'created' | 'returned' | 'replaced';
  /** The rule that returned or replaced a task. Null if neither did. */
  rule: 'identity' | 'unique' | null;
  /** The task that was cancelled for this one. */
  replaced_task_uuid: string | null;
}

export interface DeadDeliveriesRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  group: string;
  /** The id of one event. Default: all dead deliveries of the group. */
  event?: string | undefined;
}

export interface DeadDelivery {
  group: string;
  attempts: number;
  error: string;
  died_at: string;
  event: DomainEvent;
}

export interface DeadDeliveryList {
  dead: DeadDelivery[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface DeadLetterDetails {
  dlq_entry_uuid: string;
  task_uuid: string;
  original_state: string;
  dlq_reason:
    | 'staleness_timeout'
    | 'max_retries_exceeded'
    | 'dependency_cycle_detected'
    | 'worker_unavailable'
    | 'manual_dlq';
  dlq_timestamp: string;
  resolution_status: 'pending' | 'manually_resolved' | 'permanently_failed' | 'cancelled';
  resolution_timestamp: string | null;
  resolution_notes: string | null;
  resolved_by: string | null;
  cause: string;
  assignee: string | null;
  priority: number;
  namespace_name: string;
  task_name: string;
  task_version: string;
  /** Null if the task was deleted. */
  current_state: string | null;
  time_in_state_minutes: number | null;
  has_moved_on: boolean;
  minutes_in_dlq: number;
  priority_score: number;
  entries_of_task: number;
  metadata: Record<string, unknown> | null;
  created_at: string;
  updated_at: string;
  task_snapshot: DeadLetterSnapshot;
  notes: {
    at: string;
    author: string;
    note: string;
  }[];
}

export interface DeadLetterPage {
  entries: DeadLetterRow[];
  total: number;
  total_is_exact: boolean;
  next_cursor: string | null;
}

export interface DeadLetterRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  task_uuid: string;
  assignee?: string | undefined;
  priority?: number | undefined;
  metadata?: Record<string, unknown> | undefined;
}

export interface DeadLetterRow {
  dlq_entry_uuid: string;
  task_uuid: string;
  original_state: string;
  dlq_reason:
    | 'staleness_timeout'
    | 'max_retries_exceeded'
    | 'dependency_cycle_detected'
    | 'worker_unavailable'
    | 'manual_dlq';
  dlq_timestamp: string;
  resolution_status: 'pending' | 'manually_resolved' | 'permanently_failed' | 'cancelled';
  resolution_timestamp: string | null;
  resolution_notes: string | null;
  resolved_by: string | null;
  cause: string;
  assignee: string | null;
  priority: number;
  namespace_name: string;
  task_name: string;
  task_version: string;
  /** Null if the task was deleted. */
  current_state: string | null;
  time_in_state_minutes: number | null;
  has_moved_on: boolean;
  minutes_in_dlq: number;
  priority_score: number;
  entries_of_task: number;
  metadata: Record<string, unknown> | null;
  created_at: string;
  updated_at: string;
}

export interface DeadLetterSnapshot {
  task_uuid: string;
  namespace: string;
  task_name: string;
  task_version: string;
  current_state: string;
  time_in_state_minutes: number;
  /** The limit that the task exceeded. */
  threshold_minutes: number | null;
  snapshot_timestamp: string;
  task_details: {
    correlation_id: string;
    priority: number;
    requested_at: string;
    created_at: string;
  };
  step_count: number;
  /** At most 50, failed and running steps first. Errors are cut after 300 characters. */
  steps: {
    name: string;
    state: string;
    attempts: number;
    max_attempts: number;
    error_type?: string | undefined;
    error?: string | undefined;
    started_at?: string | undefined;
    next_retry_at?: string | undefined;
  }[];
}

export interface DlqEntry {
  dlq_entry_uuid: string;
  task_uuid: string;
  original_state: string;
  dlq_reason: 'StalenessTimeout' | 'MaxRetriesExceeded' | 'DependencyCycleDetected' | 'WorkerUnavailable' | 'ManualDlq';
  dlq_timestamp: string;
  resolution_status: 'Pending' | 'ManuallyResolved' | 'PermanentlyFailed' | 'Cancelled';
  resolution_timestamp: string | null;
  resolution_notes: string | null;
  resolved_by: string | null;
  task_snapshot: Record<string, unknown>;
  metadata: Record<string, unknown> | null;
  created_at: string;
  updated_at: string;
}

export interface DlqInvestigationQueueEntry {
  dlq_entry_uuid: string;
  task_uuid: string;
  original_state: string;
  dlq_reason: 'StalenessTimeout' | 'MaxRetriesExceeded' | 'DependencyCycleDetected' | 'WorkerUnavailable' | 'ManualDlq';
  dlq_timestamp: string;
  minutes_in_dlq: number;
  namespace_name: string | null;
  task_name: string | null;
  current_state: string | null;
  time_in_state_minutes: number | null;
  priority_score: number;
}

export interface DlqInvestigationUpdate {
  resolution_status?: string | null | undefined;
  resolution_notes?: string | null | undefined;
  resolved_by?: string | null | undefined;
  reason?: string | null | undefined;
  metadata?: Record<string, unknown> | null | undefined;
  /** Null removes the assignee. */
  assignee?: string | null | undefined;
  priority?: number | null | undefined;
}

export interface DlqStats {
  dlq_reason: 'StalenessTimeout' | 'MaxRetriesExceeded' | 'DependencyCycleDetected' | 'WorkerUnavailable' | 'ManualDlq';
  total_entries: number;
  pending: number;
  manually_resolved: number;
  permanent_failures: number;
  cancelled: number;
  oldest_entry: string | null;
  newest_entry: string | null;
  avg_resolution_time_minutes: number | null;
  /** Number of pending entries without an assignee. */
  unassigned: number;
  oldest_pending: string | null;
}

export interface DomainEvent {
  id: number;
  event_id: string;
  name: string;
  version: string;
  task_uuid: string;
  step_uuid: string;
  step_name: string;
  namespace: string;
  correlation_id: string;
  attempt: number;
  publisher: string;
  fired_at: string;
  payload: unknown;
  metadata: Record<string, unknown>;
  execution_result: unknown;
}

export interface DomainEventWithEnvelope {
  id: number;
  event_id: string;
  name: string;
  version: string;
  task_uuid: string;
  step_uuid: string;
  step_name: string;
  namespace: string;
  correlation_id: string;
  attempt: number;
  publisher: string;
  fired_at: string;
  payload: unknown;
  metadata: Record<string, unknown>;
  execution_result: unknown;
  envelope: Record<string, unknown>;
}

export interface DrainedWorker {
  id: number;
  name: string;
  host: string;
  pid: number;
  version: string | null;
  state: 'running' | 'draining' | 'drained' | 'lost' | 'stopped';
  drain: {
    requested_at: string;
    by: string;
    reason: string | null;
  } | null;
  namespaces: string[];
  handlers: string[];
  resolvers: string[];
  missing_handlers: {
    namespace: string;
    template: string;
    version: string;
    step: string;
    handler: string;
  }[];
  concurrency: number;
  running: number;
  hung: number | null;
  oldest_step_at: string | null;
  oldest_step_ms: number | null;
  started_at: string;
  seen_at: string | null;
  silent_ms: number | null;
  ended_at: string | null;
  completed: number | null;
  failed: number | null;
  completed_per_second: number | null;
  failed_per_second: number | null;
  loop_lag_ms: number | null;
  steps: {
    task_uuid: string;
    step: string;
    namespace: string;
    template: string;
    version: string;
    handler: string;
    attempt: number;
    started_at: string;
    age_ms: number;
  }[];
  changed: boolean;
  /** Namespaces from which no other live worker takes steps. */
  left_namespaces: string[];
}

export interface Durations {
  count: number;
  total_ms: number;
  average_ms: number | null;
  min_ms: number | null;
  max_ms: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export interface EventGroup {
  name: string;
  patterns: string[];
  /** Number of events that the group has not received yet. */
  waiting: number;
  seconds_behind: number;
  retrying: number;
  dead: number;
  members: number;
  members_differ: boolean;
  created_at: string;
  seen_at: string;
}

export interface EventGroupList {
  groups: EventGroup[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface EventList {
  events: DomainEvent[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface ExportedStep {
  step_uuid: string;
  task_uuid: string;
  name: string;
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  /** Null also if `omitted` lists `results`. */
  results: StepResults | null;
  current_state:
    | 'pending'
    | 'enqueued'
    | 'in_progress'
    | 'enqueued_for_orchestration'
    | 'enqueued_as_error_for_orchestration'
    | 'waiting_for_retry'
    | 'waiting'
    | 'complete'
    | 'skipped'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | (string & {});
  dependencies_satisfied: boolean;
  retry_eligible: boolean;
  ready_for_execution: boolean;
  total_parents: number;
  completed_parents: number;
  attempts: number;
  max_attempts: number;
  last_failure_at: string | null;
  next_retry_at: string | null;
  last_attempted_at: string | null;
  /** Differs from `name` for batch workers. */
  template_step_name: string;
  /** The worker that runs the step, or ran it last. */
  worker: string | null;
  /** Null unless the step is in `waiting`. */
  wait: StepWait | null;
  /** The progress of its list. Null unless it is a step of the type for_each whose list has begun. */
  elements: ListProgress | null;
  /** The element that it runs for. Null unless it is a step inside a for_each. */
  element: StepElement | null;
  /** The number of the rerun that the current run of the step belongs to. 0 is the first run. */
  rerun: number;
  event_problems: {
    event: string;
    kind: string;
    message: string;
    path: string | null;
  }[];
  /** The handler that the template names. */
  callable: string;
  depends_on: string[];
  /** The reason why the step is in its state, as a sentence. */
  why: string;
}

export interface ExtendRequest {
  /** The return value of `context.completionToken()`. It is the credential of the request. */
  token: string;
  /** A duration from now, such as `15m`. */
  timeout: string;
}

export interface Extended {
  /** ISO 8601. */
  until: string;
}

export interface FailRequest {
  /** The return value of `context.completionToken()`. It is the credential of the request. */
  token: string;
  message: string;
  error_type?: string | undefined;
  /** Default true. */
  retryable?: boolean | undefined;
}

export interface FailureGroup {
  namespace: string;
  name: string;
  version: string;
  step: string;
  handler: string;
  count: number;
  /** Parameters of `GET /v1/tasks` that find the tasks of the group. */
  filter: Record<string, unknown>;
  error_type: string | null;
  pattern: string | null;
  error: string | null;
  task_uuid: string;
  first_at: string;
  last_at: string;
}

export interface FoundStep {
  step_uuid: string;
  task_uuid: string;
  name: string;
  template_step_name: string;
  callable: string;
  namespace: string;
  task_name: string;
  version: string;
  current_state:
    | 'pending'
    | 'enqueued'
    | 'in_progress'
    | 'enqueued_for_orchestration'
    | 'enqueued_as_error_for_orchestration'
    | 'waiting_for_retry'
    | 'waiting'
    | 'complete'
    | 'skipped'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | (string & {});
  since: string;
  task_created_at: string;
  attempts: number;
  worker: string | null;
  error_type: string | null;
  error: string | null;
}

export interface HandlerList {
  handlers: {
    namespace: string;
    handler: string;
    resolver: string | null;
    steps: {
      template: string;
      version: string;
      step: string;
    }[];
    /** Empty if no live worker can run these steps. */
    workers: string[];
  }[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface HistoryEntry {
  step: string | null;
  kind: 'attempt' | 'operator';
  attempt: number | null;
  rerun: number | null;
  what: string;
  to_state: string;
  started_at: string | null;
  at: string;
  duration_ms: number | null;
  who: string;
  why: string | null;
  error: StepError | null;
  error_code: string | null;
  metadata: Record<string, unknown>;
  retry_delay_ms: number | null;
  calls: {
    count: number;
    first: string;
    last: string;
  } | null;
  dropped_result: unknown;
}

export interface ListProgress {
  total: number;
  /** Elements that have started, including the ended ones. */
  started: number;
  /** Elements that have started and not ended. */
  open: number;
  completed: number;
  failed: number;
}

export interface ListedTask {
  task_uuid: string;
  name: string;
  namespace: string;
  version: string;
  status:
    | 'pending'
    | 'initializing'
    | 'enqueuing_steps'
    | 'steps_in_process'
    | 'evaluating_results'
    | 'waiting_for_dependencies'
    | 'waiting_for_retry'
    | 'waiting'
    | 'blocked_by_failures'
    | 'complete'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | 'undoing'
    | 'undone'
    | (string & {});
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  context: Record<string, unknown>;
  /** The values of `output` in the template. Only a complete task has it, and tasks in lists do not. */
  output?: Record<string, unknown> | undefined;
  /** Why a complete task has no output. */
  output_error?: string | undefined;
  initiator: string;
  source_system: string;
  reason: string;
  priority: number;
  tags: string[];
  correlation_id: string;
  parent_correlation_id: string | null;
  total_steps: number;
  pending_steps: number;
  in_progress_steps: number;
  completed_steps: number;
  failed_steps: number;
  ready_steps: number;
  execution_status:
    | 'blocked_by_failures'
    | 'has_ready_steps'
    | 'processing'
    | 'all_complete'
    | 'waiting_for_dependencies';
  recommended_action: string;
  completion_percentage: number;
  health_status: 'healthy' | 'blocked';
  steps: StepReadiness[];
  waiting_steps: number;
  skipped_steps: number;
  handled_failures: number;
  /** The start time of the task. Null if the task is not waiting for its start. */
  starts_at: string | null;
  reruns: number;
  rerun_at: string | null;
  copy_of: string | null;
  /** The credential that created the task over HTTP. Null if a program created the task in the database. */
  created_with: string | null;
  /** The limit of its lifecycle that the task exceeds. */
  stale: StaleNote | null;
  /** The pauses that apply to the task. */
  paused: Pause[] | null;
  /** The error of the first failed step of the task. */
  first_error: {
    step: string;
    error_type: string | null;
    message: string | null;
  } | null;
}

export interface Me {
  /** False if the server needs no credential. */
  authenticated: boolean;
  subject: string | null;
  credential: 'key' | 'token' | 'session' | null;
  roles: string[];
  /** Null means all. */
  permissions: string[] | null;
  /** Null means all. */
  namespaces: string[] | null;
}

export interface MoveTimerRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  /** ISO 8601 with a zone. */
  until?: string | undefined;
  /** A duration from now, such as `2h`. */
  in?: string | undefined;
}

export interface NamespaceList {
  namespaces: {
    name: string;
    templates: number;
    ready_steps: number;
    paused_steps: number;
    pause: Pause | null;
  }[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface NoteRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  note: string;
}

export interface OpenTasks {
  total: number;
  total_is_exact: boolean;
  blocked: number;
  waiting_for_retry: number;
  waiting: number;
}

export interface Pagination {
  page: number;
  per_page: number;
  total_count: number;
  total_pages: number;
  has_next: boolean;
  has_previous: boolean;
  /** Pass it as `cursor` for the next page. */
  next_cursor: string | null;
  previous_cursor: string | null;
  /** False if `total_count` and `total_pages` are lower bounds. At most 10,000 tasks are counted. */
  total_is_exact: boolean;
  /** The search stopped after 2 seconds; the next page continues. */
  timed_out: boolean;
  /** Changes younger than this may be missing. */
  lag_ms: number;
}

export interface Pause {
  scope: 'task' | 'template' | 'namespace';
  target: string;
  paused_at: string;
  paused_by: string;
  reason: string | null;
}

export interface PauseList {
  pauses: Pause[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface PauseResult {
  scope: 'task' | 'template' | 'namespace';
  target: string;
  /** False if the target was already paused, or was not paused. */
  changed: boolean;
  /** Number of ready steps that the pause keeps from starting, or that can start again. */
  steps: number;
  pause: Pause | null;
  others: Pause[];
}

export interface PerformanceMetrics {
  total_tasks: number;
  active_tasks: number;
  completed_tasks: number;
  failed_tasks: number;
  completion_rate: number;
  error_rate: number;
  average_task_duration_seconds: number;
  average_step_duration_seconds: number;
  tasks_per_hour: number;
  steps_per_hour: number;
  system_health_score: number;
  analysis_period_start: string;
  calculated_at: string;
}

export interface Prune {
  id: number;
  by_policy: boolean;
  deleted: number;
  started_at: string;
  ended_at: string | null;
  is_running: boolean;
}

export interface Queue {
  namespace: string;
  ready: number;
  ready_is_exact: boolean;
  paused: number;
  highest_priority: number | null;
  oldest_ready_at: string | null;
  oldest_ready_ms: number | null;
  running: number;
  in_per_minute: number | null;
  out_per_minute: number | null;
  is_growing: boolean | null;
  flow_since: string | null;
  /** Ready steps in each minute of the last hour, the oldest first. Null if no process stored it. */
  ready_by_minute: (number | null)[];
  retries: number;
  next_retry_at: string | null;
  next_retry_ms: number | null;
  workers: string[];
  draining: string[];
  slots: number;
  slots_taken: number;
  hung_slots: number;
  lost: string[];
  approvals: number;
  failing_schedules: number;
  stale: number;
  dead_deliveries: number;
  late_timers: number;
  late_schedules: number;
  unserved: UnservedSteps[];
  unserved_steps: number;
  /** The names of the counts that are lower bounds, because counting stopped at a limit. */
  at_least: string[];
}

export interface QueueList {
  queues: Queue[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface ReassignRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  /** Default []. */
  to?: readonly string[] | undefined;
  /** Default false. */
  everyone?: boolean | undefined;
}

export interface Redrive {
  task_uuid: string;
  dlq_entry_uuid: string;
  how: 'retried' | 'reopened';
  steps: string[];
  status_before: string;
  status:
    | 'pending'
    | 'initializing'
    | 'enqueuing_steps'
    | 'steps_in_process'
    | 'evaluating_results'
    | 'waiting_for_dependencies'
    | 'waiting_for_retry'
    | 'waiting'
    | 'blocked_by_failures'
    | 'complete'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | 'undoing'
    | 'undone'
    | (string & {});
}

export interface RegisteredTemplate {
  namespace: string;
  name: string;
  version: string;
  digest: string;
  /** The digest that new tasks of this version used before. */
  previous_digest: string | null;
  change: 'new' | 'changed' | 'unchanged';
  problems: TemplateProblem[];
}

export interface Replay {
  group: string;
  replayed: number;
  would_replay?: number | undefined;
}

export interface ReplayRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  group: string;
  /** A pattern of event names, such as `payment.*`. */
  name?: string | undefined;
  task?: string | undefined;
  /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
  after?: string | undefined;
  /** A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
  before?: string | undefined;
  /** Default false. */
  dry_run?: boolean | undefined;
}

export interface Rerun {
  task_uuid: string;
  from: string;
  rerun: number;
  dry_run: boolean;
  status_before: string;
  status:
    | 'pending'
    | 'initializing'
    | 'enqueuing_steps'
    | 'steps_in_process'
    | 'evaluating_results'
    | 'waiting_for_dependencies'
    | 'waiting_for_retry'
    | 'waiting'
    | 'blocked_by_failures'
    | 'complete'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | 'undoing'
    | 'undone'
    | (string & {});
  steps: {
    step: string;
    template_step_name: string;
    state:
      | 'pending'
      | 'enqueued'
      | 'in_progress'
      | 'enqueued_for_orchestration'
      | 'enqueued_as_error_for_orchestration'
      | 'waiting_for_retry'
      | 'waiting'
      | 'complete'
      | 'skipped'
      | 'error'
      | 'cancelled'
      | 'resolved_manually'
      | (string & {});
    attempts: number;
    retryable: boolean;
    change: 'again' | 'removed' | 'returned';
  }[];
}

export interface RerunRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  from: string;
  /** Default false. */
  dry_run?: boolean | undefined;
}

export interface RescheduleRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  /** ISO 8601 with a zone. */
  at?: string | undefined;
  /** A duration from now, such as `2h`. */
  in?: string | undefined;
}

export interface ResolveDeadLetterRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  /** Default "manually_resolved". */
  status?: 'manually_resolved' | 'permanently_failed' | 'cancelled' | undefined;
  notes?: string | undefined;
}

export interface Retention {
  /** If null, tasks are kept forever. */
  policy: {
    /** The first rule that matches a task applies. `keep_ms`: time after the end of the task; 0 means forever. */
    rules: RetentionRule[];
    /** The folder for archive files. */
    archive: string | null;
    release_keys: boolean;
    share: number;
  } | null;
  events_retention_ms: number | null;
  audit_retention_ms: number | null;
  last_prune: Prune | null;
}

export interface RetentionRule {
  status?: string | string[] | undefined;
  namespace?: string | undefined;
  name?: string | undefined;
  template_version?: string | undefined;
  keep_ms: number;
}

export interface Schedule {
  id: string;
  name: string;
  description: string | null;
  template: string;
  context: Record<string, unknown>;
  tags: string[];
  priority: number | null;
  cron: string | null;
  every_ms: number | null;
  timezone: string;
  jitter_ms: number;
  start: string | null;
  end: string | null;
  catch_up: 'none' | 'last' | 'all';
  catch_up_window_ms: number | null;
  overlap: 'allow' | 'skip' | 'queue_one' | 'cancel_running';
  on_failure: 'continue' | 'pause';
  words: string;
  state: 'active' | 'paused' | 'over';
  /** ISO 8601. */
  next: string[];
  next_firing_at: string | null;
  queued: string | null;
  last_due_at: string | null;
  last: ScheduleFiring[];
  source: string | null;
  paused_at: string | null;
  paused_by: string | null;
  pause_reason: string | null;
  /** ISO 8601. */
  created_at: string;
  /** ISO 8601. */
  updated_at: string;
}

export interface ScheduleChange {
  template?: string | undefined;
  description?: string | null | undefined;
  context?: Record<string, unknown> | null | undefined;
  tags?: readonly string[] | null | undefined;
  priority?: number | null | undefined;
  cron?: string | null | undefined;
  every?: number | string | null | undefined;
  timezone?: string | null | undefined;
  jitter?: number | string | null | undefined;
  start?: string | null | undefined;
  end?: string | null | undefined;
  catch_up?: string | null | undefined;
  catch_up_window?: number | string | null | undefined;
  overlap?: string | null | undefined;
  on_failure?: string | null | undefined;
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
}

export interface ScheduleFiring {
  /** ISO 8601. */
  due_at: string;
  until: string | null;
  cause: 'due' | 'catch_up' | 'queued' | 'trigger' | 'backfill';
  outcome: 'created' | 'queued' | 'skipped' | 'missed' | 'failed';
  task_uuid: string | null;
  task_state: string | null;
  reason: string | null;
  /** ISO 8601. */
  at: string;
}

export interface ScheduleRequest {
  /** `namespace/name@version`, or `@latest`. */
  template: string;
  description?: string | undefined;
  context?: Record<string, unknown> | undefined;
  tags?: readonly string[] | undefined;
  priority?: number | undefined;
  cron?: string | undefined;
  every?: number | string | undefined;
  timezone?: string | undefined;
  jitter?: number | string | undefined;
  start?: string | undefined;
  end?: string | undefined;
  catch_up?: string | undefined;
  catch_up_window?: number | string | undefined;
  overlap?: string | undefined;
  on_failure?: string | undefined;
  name: string;
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  /** Default false. */
  paused?: boolean | undefined;
  /** Default "error". */
  if_exists?: 'error' | 'keep' | 'update' | undefined;
}

export interface SentSignal {
  signal_id: string;
  status: 'received' | 'pending';
  tasks: {
    task_uuid: string;
    status: 'used' | 'held' | 'kept';
    step: string | null;
    duplicate: boolean;
  }[];
}

export interface ServerDetailedHealth {
  status: 'healthy' | 'degraded';
  timestamp: string;
  checks: Record<string, ServerHealthCheck>;
  info: {
    version: string;
    environment: string;
    /** The schema of the database that contains the tables. */
    schema: string;
    operational_state: string;
    web_database_pool_size: number;
    orchestration_database_pool_size: number;
    circuit_breaker_state: string;
  };
}

export interface ServerHealthCheck {
  status: 'healthy' | 'degraded' | 'unhealthy' | 'unknown';
  message?: string | undefined;
  duration_ms: number;
}

export interface ServerReady {
  status: 'ready';
  timestamp: string;
  checks: Record<string, ServerHealthCheck>;
  info: {
    version: string;
    environment: string;
    /** The schema of the database that contains the tables. */
    schema: string;
    operational_state: string;
    web_database_pool_size: number;
    orchestration_database_pool_size: number;
    circuit_breaker_state: string;
  };
}

export interface Session {
  /** False if the server needs no credential. */
  authenticated: boolean;
  subject: string | null;
  credential: 'key' | 'token' | 'session' | null;
  roles: string[];
  /** Null means all. */
  permissions: string[] | null;
  /** Null means all. */
  namespaces: string[] | null;
  expires_at: string;
}

export interface Signal {
  signal_id: string;
  name: string;
  idempotency_key: string | null;
  by: string | null;
  /** ISO 8601. */
  sent_at: string;
  status: 'received' | 'pending' | 'refused';
  error: {
    code: string;
    message: string;
  } | null;
  /** Null without the permission tasks:context_read. */
  payload: unknown;
  tasks: {
    task_uuid: string;
    status: 'used' | 'held' | 'kept';
    step: string | null;
    duplicate: boolean;
  }[];
}

export interface SignalRequest {
  name: string;
  /** Any JSON of at most 1 MB. Default null. */
  payload?: unknown;
  idempotency_key?: string | undefined;
  by?: string | undefined;
}

export interface StaleNote {
  rule: string;
  minutes: number;
  since: string;
  at: string;
}

export interface StalenessMonitoring {
  task_uuid: string;
  namespace_name: string | null;
  task_name: string | null;
  current_state: string;
  time_in_state_minutes: number;
  task_age_minutes: number;
  staleness_threshold_minutes: number;
  health_status: 'healthy' | 'warning' | 'stale';
  priority: number;
  rule: string;
}

export interface StartedBulkAct {
  id: number;
  action: string;
  state: 'selected' | 'running' | 'stopped' | 'done';
  matched: number;
  done: number;
  skipped_count: number;
  failed_count: number;
}

/** Numbers of tasks by state, without zeros. */
export type StateCounts = Record<string, number>;

export interface Statistics {
  from: string;
  to: string;
  counted_since: string;
  counted_until: string;
  percentile_error: number;
  tasks: TaskNumbers;
  steps: StepNumbers;
  open: OpenTasks | null;
  templates: {
    namespace: string;
    name: string;
    version: string;
    tasks: TaskNumbers;
    steps: StepNumbers;
    average_step_count: number | null;
    open: OpenTasks | null;
  }[];
  more_templates: number;
  slow_steps: {
    namespace: string;
    name: string;
    version: string;
    step: string;
    handler: string;
    share_of_time: number | null;
    attempts: number;
    completed: number;
    failed: number;
    lost: number;
    cancelled: number;
    released: number;
    retried: number;
    gave_up: number;
    success_rate: number | null;
    error_rate: number | null;
    attempts_per_hour: number;
    still_running: number;
    duration: Durations;
    queueing: Durations;
    slowest_task_uuid: string | null;
    last_ended_at: string | null;
  }[];
  more_steps: number;
  timeline: {
    at: string;
    tasks_completed: number;
    tasks_not_completed: number;
    attempts_completed: number;
    attempts_failed: number;
  }[];
  timeline_minutes: number;
  recommendations: string[];
}

export interface Status {
  at: string;
  workers: {
    alive: number;
    lost: number;
    slots: number;
    slots_used: number;
    hung_slots: number;
    /** The names of the counts that are lower bounds, because counting stopped at a limit. */
    at_least: string[];
  };
  queues: {
    namespace: string;
    ready: number;
    oldest_at: string | null;
    running: number;
    workers: number;
    unserved: number;
    /** The names of the counts that are lower bounds, because counting stopped at a limit. */
    at_least: string[];
  }[];
  open: StateCounts;
  /** The states in `open` whose counts are lower bounds. */
  open_at_least: string[];
  waits: {
    kind: string;
    count: number;
    count_is_exact: boolean;
    oldest_since: string;
  }[];
  /** Counts of problems that need a person. */
  attention: {
    blocked: number;
    stale: number;
    unserved: number;
    dead_letters: number;
    dead_deliveries: number;
    late_timers: number;
    late_schedules: number;
    approvals: number;
    failing_schedules: number;
    no_worker: boolean;
    /** The names of the counts that are lower bounds, because counting stopped at a limit. */
    at_least: string[];
  };
  pauses: Pause[];
  unserved: {
    handler: string;
    reason: 'no_worker' | 'no_handler' | 'draining';
    steps: number;
    templates: string[];
    since: string | null;
    namespace: string;
  }[];
  /** Handlers that no live worker of their namespace has, and the steps that wait for them. */
  unserved_handlers: {
    namespace: string;
    handler: string;
    since: string | null;
    steps: number;
  }[];
  per_minute: {
    created: number;
    ended: number;
    attempts: number;
    failures: number;
    estimated: boolean;
  };
  prune: Prune | null;
  lag_ms: number;
}

export interface StepAuditResponse {
  audit_uuid: string;
  workflow_step_uuid: string;
  transition_uuid: string;
  task_uuid: string;
  recorded_at: string;
  worker_uuid?: string | undefined;
  correlation_id?: string | undefined;
  success: boolean;
  execution_time_ms?: number | undefined;
  result?: unknown;
  step_name: string;
  from_state?:
    | 'pending'
    | 'enqueued'
    | 'in_progress'
    | 'enqueued_for_orchestration'
    | 'enqueued_as_error_for_orchestration'
    | 'waiting_for_retry'
    | 'waiting'
    | 'complete'
    | 'skipped'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | (string & {})
    | undefined;
  to_state:
    | 'pending'
    | 'enqueued'
    | 'in_progress'
    | 'enqueued_for_orchestration'
    | 'enqueued_as_error_for_orchestration'
    | 'waiting_for_retry'
    | 'waiting'
    | 'complete'
    | 'skipped'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | (string & {});
}

export interface StepElement {
  /** Its place in the list, from 0. */
  number: number;
  /** Its label. Null if the list has none. */
  key: string | null;
}

export interface StepError {
  message: string;
  error_type: string | null;
  retryable: boolean;
  backtrace: string[];
  status_code: number | null;
  context: Record<string, unknown>;
}

export interface StepList {
  steps: FoundStep[];
  /** At most 10,000 are counted. */
  total: number;
  total_is_exact: boolean;
  /** The search stopped after 2 seconds; the next page continues. */
  timed_out: boolean;
  /** Changes younger than this may be missing. */
  lag_ms: number;
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface StepLogs {
  logs: {
    attempt: number;
    lines: {
      at: string;
      level: string;
      message: string;
      fields: Record<string, unknown>;
    }[];
    /** Number of earlier lines that were dropped. */
    dropped: number;
  }[];
}

export type StepManualAction =
  | {
      action_type: 'reset_for_retry';
      reason?: string | null | undefined;
      reset_by: string;
    }
  | {
      action_type: 'resolve_manually';
      reason?: string | null | undefined;
      resolved_by: string;
      result?: unknown;
    }
  | {
      action_type: 'complete_manually';
      reason?: string | null | undefined;
      completed_by: string;
      completion_data: {
        result: unknown;
        metadata?: Record<string, unknown> | null | undefined;
      };
    };

export interface StepNumbers {
  attempts: number;
  completed: number;
  failed: number;
  lost: number;
  cancelled: number;
  released: number;
  retried: number;
  gave_up: number;
  success_rate: number | null;
  error_rate: number | null;
  attempts_per_hour: number;
  still_running: number;
  duration: Durations;
  queueing: Durations;
  slowest_task_uuid: string | null;
  last_ended_at: string | null;
}

export interface StepReadiness {
  workflow_step_uuid: string;
  task_uuid: string;
  named_step_uuid: string;
  name: string;
  current_state:
    | 'pending'
    | 'enqueued'
    | 'in_progress'
    | 'enqueued_for_orchestration'
    | 'enqueued_as_error_for_orchestration'
    | 'waiting_for_retry'
    | 'waiting'
    | 'complete'
    | 'skipped'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | (string & {});
  dependencies_satisfied: boolean;
  retry_eligible: boolean;
  ready_for_execution: boolean;
  last_failure_at: string | null;
  next_retry_at: string | null;
  total_parents: number;
  completed_parents: number;
  attempts: number;
  max_attempts: number;
  backoff_request_seconds: number | null;
  last_attempted_at: string | null;
}

export interface StepResponse {
  step_uuid: string;
  task_uuid: string;
  name: string;
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  results: StepResults | null;
  current_state:
    | 'pending'
    | 'enqueued'
    | 'in_progress'
    | 'enqueued_for_orchestration'
    | 'enqueued_as_error_for_orchestration'
    | 'waiting_for_retry'
    | 'waiting'
    | 'complete'
    | 'skipped'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | (string & {});
  dependencies_satisfied: boolean;
  retry_eligible: boolean;
  ready_for_execution: boolean;
  total_parents: number;
  completed_parents: number;
  attempts: number;
  max_attempts: number;
  last_failure_at: string | null;
  next_retry_at: string | null;
  last_attempted_at: string | null;
  /** Differs from `name` for batch workers. */
  template_step_name: string;
  handler: string;
  /** The worker that runs the step, or ran it last. */
  worker: string | null;
  /** Null unless the step is in `waiting`. */
  wait: StepWait | null;
  /** The progress of its list. Null unless it is a step of the type for_each whose list has begun. */
  elements: ListProgress | null;
  /** The element that it runs for. Null unless it is a step inside a for_each. */
  element: StepElement | null;
  /** The number of the rerun that the current run of the step belongs to. 0 is the first run. */
  rerun: number;
  event_problems: {
    event: string;
    kind: string;
    message: string;
    path: string | null;
  }[];
}

export interface StepResults {
  step_uuid: string;
  success: boolean;
  result: unknown;
  metadata: {
    execution_time_ms: number | null;
    handler_version: string | null;
    retryable: boolean;
    completed_at: string | null;
    worker_id: string | null;
    worker_hostname: string | null;
    started_at: string | null;
    /** The fields that the handler added. */
    custom: Record<string, unknown>;
    error_code: string | null;
    error_type: string | null;
    context: Record<string, unknown>;
  };
  status: 'completed' | 'failed';
  error: StepError | null;
  orchestration_metadata: Record<string, unknown>;
}

export interface StepWait {
  kind: 'timer' | 'signal' | 'approval' | 'task' | 'tasks' | 'completion' | 'call';
  since: string;
  until: string | null;
  due_at: string | null;
  calls: number;
  settings: Record<string, unknown>;
  progress: Record<string, unknown>;
}

export interface Summary {
  filter: Record<string, unknown>;
  templates: {
    namespace: string;
    name: string;
    version: string;
    counts: StateCounts;
  }[];
  states: StateCounts;
  open_since: string | null;
  ended_since: string | null;
  failed: {
    steps: number;
    groups: FailureGroup[];
    more_groups: number;
    /** Grouping took too long; the group is missing. */
    timed_out: boolean;
  };
  waiting_for_retry: {
    steps: number;
    groups: FailureGroup[];
    more_groups: number;
    /** Grouping took too long; the group is missing. */
    timed_out: boolean;
  };
  unserved: {
    steps: number;
    groups: UnservedGroup[];
    more_groups: number;
    /** Grouping took too long; the group is missing. */
    timed_out: boolean;
  };
  lag_ms: number;
}

export interface TargetedSignalRequest {
  name: string;
  /** Any JSON of at most 1 MB. Default null. */
  payload?: unknown;
  idempotency_key?: string | undefined;
  by?: string | undefined;
  /** All open tasks with this correlation id. */
  correlation_id?: string | undefined;
  /** With `key`: `namespace/name` or `namespace/name@version`. */
  template?: string | undefined;
  /** The idempotency key of the task. */
  key?: string | undefined;
}

export interface Task {
  task_uuid: string;
  name: string;
  namespace: string;
  version: string;
  status:
    | 'pending'
    | 'initializing'
    | 'enqueuing_steps'
    | 'steps_in_process'
    | 'evaluating_results'
    | 'waiting_for_dependencies'
    | 'waiting_for_retry'
    | 'waiting'
    | 'blocked_by_failures'
    | 'complete'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | 'undoing'
    | 'undone'
    | (string & {});
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  context: Record<string, unknown>;
  /** The values of `output` in the template. Only a complete task has it, and tasks in lists do not. */
  output?: Record<string, unknown> | undefined;
  /** Why a complete task has no output. */
  output_error?: string | undefined;
  initiator: string | null;
  source_system: string | null;
  created_with: string | null;
  reason: string | null;
  priority: number;
  tags: string[];
  correlation_id: string;
  parent_correlation_id: string | null;
  reruns: number;
  rerun_at: string | null;
  copy_of: string | null;
  total_steps: number;
  pending_steps: number;
  in_progress_steps: number;
  completed_steps: number;
  failed_steps: number;
  ready_steps: number;
  waiting_steps: number;
  skipped_steps: number;
  handled_failures: number;
  starts_at: string | null;
  execution_status: string;
  recommended_action: string;
  completion_percentage: number;
  health_status: string;
  stale: StaleNote | null;
  paused: Pause[] | null;
}

export interface TaskContext {
  task_uuid: string;
  context: Record<string, unknown>;
}

export interface TaskCopy {
  task_uuid: string;
  name: string;
  namespace: string;
  version: string;
  priority: number;
  total_steps: number;
  created: boolean;
  outcome: 'created' | 'returned' | 'replaced';
  rule: 'identity' | 'unique' | null;
  replaced_task_uuid: string | null;
  copy_of: string;
}

export interface TaskEvents {
  events: DomainEvent[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface TaskExplanation {
  task: Task;
  /** The reason why the task is in its state, as a sentence. */
  summary: string;
  steps: {
    step: string;
    template_step_name: string;
    state:
      | 'pending'
      | 'enqueued'
      | 'in_progress'
      | 'enqueued_for_orchestration'
      | 'enqueued_as_error_for_orchestration'
      | 'waiting_for_retry'
      | 'waiting'
      | 'complete'
      | 'skipped'
      | 'error'
      | 'cancelled'
      | 'resolved_manually'
      | (string & {});
    /** The reason why the step is in its state, as a sentence. */
    why: string;
    error_type: string | null;
    waits_for: string[];
    until: string | null;
    wait: StepWait | null;
    handler: string;
    held_by: string | null;
  }[];
}

export interface TaskExport {
  tasker_version: string;
  exported_at: string;
  /** The reason why the task is in its state, as a sentence. */
  summary: string;
  task: Task;
  steps: ExportedStep[];
  history: HistoryEntry[];
  waits: TaskWait[];
  signals: {
    signal_id: string;
    name: string;
    idempotency_key: string | null;
    by: string | null;
    /** ISO 8601. */
    arrived_at: string;
    status: 'used' | 'held' | 'kept';
    step: string | null;
    used_at: string | null;
    /** Null without the permission tasks:context_read. */
    payload: unknown;
  }[];
  events: DomainEvent[];
  audit: AuditEntry[];
  /** The parts that the document does not contain, and why. */
  omitted: {
    part: 'results' | 'events' | 'audit' | 'payloads' | 'signals' | 'sensitive';
    why: string;
  }[];
}

export interface TaskFamily {
  /** The task that started it. */
  parent: {
    task_uuid: string;
    /** The step of the parent that started the child. */
    step: string;
    namespace: string;
    name: string;
    version: string;
    status:
      | 'pending'
      | 'initializing'
      | 'enqueuing_steps'
      | 'steps_in_process'
      | 'evaluating_results'
      | 'waiting_for_dependencies'
      | 'waiting_for_retry'
      | 'waiting'
      | 'blocked_by_failures'
      | 'complete'
      | 'error'
      | 'cancelled'
      | 'resolved_manually'
      | 'undoing'
      | 'undone'
      | (string & {});
    created_at: string;
    completed_at: string | null;
  } | null;
  /** The task without a parent, above all others. */
  root_task_uuid: string | null;
  /** Newest first, at most 100. */
  children: {
    task_uuid: string;
    /** The step of the parent that started the child. */
    step: string;
    namespace: string;
    name: string;
    version: string;
    status:
      | 'pending'
      | 'initializing'
      | 'enqueuing_steps'
      | 'steps_in_process'
      | 'evaluating_results'
      | 'waiting_for_dependencies'
      | 'waiting_for_retry'
      | 'waiting'
      | 'blocked_by_failures'
      | 'complete'
      | 'error'
      | 'cancelled'
      | 'resolved_manually'
      | 'undoing'
      | 'undone'
      | (string & {});
    created_at: string;
    completed_at: string | null;
    /** Whether the step waits for the child. */
    awaited: boolean;
    /** The key with which the handler of the step started it. Null for a step of the type task. */
    key: string | null;
  }[];
  /** Number of children that have not ended. */
  open_children: number;
}

export interface TaskGraph {
  task_uuid: string;
  namespace: string;
  name: string;
  version: string;
  status:
    | 'pending'
    | 'initializing'
    | 'enqueuing_steps'
    | 'steps_in_process'
    | 'evaluating_results'
    | 'waiting_for_dependencies'
    | 'waiting_for_retry'
    | 'waiting'
    | 'blocked_by_failures'
    | 'complete'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | 'undoing'
    | 'undone'
    | (string & {});
  created_at: string;
  completed_at: string | null;
  nodes: TaskGraphNode[];
  edges: {
    from: string;
    to: string;
  }[];
  /** True if there are more than 50,000 edges. */
  edges_truncated: boolean;
}

export interface TaskGraphNode {
  name: string;
  template_step_name: string;
  type: string;
  handler: string;
  /** The ends of its dependencies after which the step runs. Null if the template does not say. */
  run_if: 'complete' | 'not_failed' | 'failed' | 'ended' | null;
  /** any: the step starts when the first of its dependencies completes. Null if the template does not say. */
  join: 'all' | 'any' | null;
  /** The expression that decides whether the step is skipped. Null if it has none. */
  when: string | null;
  /** The handler that undoes the step. Null if it has none. */
  undo: string | null;
  /** The step of the type for_each whose list it runs for, once for each element. Null for others. */
  element_of: string | null;
  /** Null if a decision or an analyzer may create the step. */
  state: string | null;
  step_uuid: string | null;
  attempts: number;
  max_attempts: number;
  started_at: string | null;
  completed_at: string | null;
  duration_ms: number | null;
  next_retry_at: string | null;
  wait: StepWait | null;
  /** The progress of its list. Null unless it is a step of the type for_each whose list has begun. */
  elements: ListProgress | null;
  /** The element that it runs for. Null unless it is a step inside a for_each. */
  element: StepElement | null;
  worker: string | null;
  error: {
    error_type: string | null;
    message: string;
  } | null;
}

export interface TaskHistogram {
  from: string;
  to: string;
  bucket_ms: number;
  /** False if there are more tasks; only tasks since `from` are counted. */
  complete: boolean;
  total: number;
  /** Buckets without tasks are omitted. `failed` includes blocked tasks; `open` does not. */
  buckets: {
    at: string;
    total: number;
    failed: number;
    open: number;
  }[];
}

export interface TaskHistory {
  entries: HistoryEntry[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface TaskListResponse {
  tasks: ListedTask[];
  pagination: Pagination;
}

export interface TaskLogs {
  lines: {
    step: string;
    attempt: number;
    at: string;
    level: string;
    message: string;
    fields: Record<string, unknown>;
  }[];
  /** Whether there are earlier lines. */
  has_earlier: boolean;
}

export interface TaskNumbers {
  ended: number;
  completed: number;
  failed: number;
  cancelled: number;
  resolved_manually: number;
  completion_rate: number | null;
  error_rate: number | null;
  ended_per_hour: number;
  duration: Durations;
  slowest_task_uuid: string | null;
  last_ended_at: string | null;
}

export interface TaskRequest {
  name: string;
  namespace: string;
  /** Default: the active version of the template. */
  version?: string | undefined;
  context: Record<string, unknown>;
  initiator: string;
  source_system: string;
  reason: string;
  tags?: readonly string[] | undefined;
  priority?: number | null | undefined;
  correlation_id?: string | null | undefined;
  parent_correlation_id?: string | null | undefined;
  idempotency_key?: string | null | undefined;
  /** The start time of the task: ISO 8601 with a zone. Default: now. */
  start_at?: string | null | undefined;
  /** Instead of `start_at`: a duration from now, such as `2h`. */
  start_in?: string | null | undefined;
  /** Accepted, and ignored. */
  requested_at?: string | null | undefined;
  /** Accepted, and ignored. */
  options?: unknown;
}

export interface TaskResponse {
  task_uuid: string;
  name: string;
  namespace: string;
  version: string;
  status:
    | 'pending'
    | 'initializing'
    | 'enqueuing_steps'
    | 'steps_in_process'
    | 'evaluating_results'
    | 'waiting_for_dependencies'
    | 'waiting_for_retry'
    | 'waiting'
    | 'blocked_by_failures'
    | 'complete'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | 'undoing'
    | 'undone'
    | (string & {});
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  context: Record<string, unknown>;
  /** The values of `output` in the template. Only a complete task has it, and tasks in lists do not. */
  output?: Record<string, unknown> | undefined;
  /** Why a complete task has no output. */
  output_error?: string | undefined;
  initiator: string;
  source_system: string;
  reason: string;
  priority: number;
  tags: string[];
  correlation_id: string;
  parent_correlation_id: string | null;
  total_steps: number;
  pending_steps: number;
  in_progress_steps: number;
  completed_steps: number;
  failed_steps: number;
  ready_steps: number;
  execution_status:
    | 'blocked_by_failures'
    | 'has_ready_steps'
    | 'processing'
    | 'all_complete'
    | 'waiting_for_dependencies';
  recommended_action: string;
  completion_percentage: number;
  health_status: 'healthy' | 'blocked';
  steps: StepReadiness[];
  waiting_steps: number;
  skipped_steps: number;
  handled_failures: number;
  /** The start time of the task. Null if the task is not waiting for its start. */
  starts_at: string | null;
  reruns: number;
  rerun_at: string | null;
  copy_of: string | null;
  /** The credential that created the task over HTTP. Null if a program created the task in the database. */
  created_with: string | null;
  /** The limit of its lifecycle that the task exceeds. */
  stale: StaleNote | null;
  /** The pauses that apply to the task. */
  paused: Pause[] | null;
}

export interface TaskRuns {
  earlier_runs: {
    step: string;
    step_uuid: string;
    /** The number of the run; 0 is the first. */
    rerun: number;
    ended_by_rerun: number;
    state:
      | 'pending'
      | 'enqueued'
      | 'in_progress'
      | 'enqueued_for_orchestration'
      | 'enqueued_as_error_for_orchestration'
      | 'waiting_for_retry'
      | 'waiting'
      | 'complete'
      | 'skipped'
      | 'error'
      | 'cancelled'
      | 'resolved_manually'
      | (string & {});
    last_attempt: number;
    /** Null without the permission tasks:context_read. */
    result: unknown;
    completed_at: string | null;
  }[];
  copies: string[];
}

export interface TaskSignals {
  signals: {
    signal_id: string;
    name: string;
    idempotency_key: string | null;
    by: string | null;
    /** ISO 8601. */
    arrived_at: string;
    status: 'used' | 'held' | 'kept';
    step: string | null;
    used_at: string | null;
    /** Null without the permission tasks:context_read. */
    payload: unknown;
  }[];
  next_cursor: string | null;
}

export interface TaskSummaryResponse {
  task: {
    task_uuid: string;
    name: string;
    namespace: string;
    version: string;
    status:
      | 'pending'
      | 'initializing'
      | 'enqueuing_steps'
      | 'steps_in_process'
      | 'evaluating_results'
      | 'waiting_for_dependencies'
      | 'waiting_for_retry'
      | 'waiting'
      | 'blocked_by_failures'
      | 'complete'
      | 'error'
      | 'cancelled'
      | 'resolved_manually'
      | 'undoing'
      | 'undone'
      | (string & {});
    created_at: string;
    updated_at: string;
    completed_at: string | null;
    initiator: string;
    source_system: string;
    reason: string;
    correlation_id: string;
    total_steps: number;
    pending_steps: number;
    in_progress_steps: number;
    completed_steps: number;
    failed_steps: number;
    execution_status:
      | 'blocked_by_failures'
      | 'has_ready_steps'
      | 'processing'
      | 'all_complete'
      | 'waiting_for_dependencies';
    recommended_action: string;
    completion_percentage: number;
    health_status: 'healthy' | 'blocked';
  };
  template: {
    steps: {
      name: string;
      step_type: string;
      handler: string;
      dependencies: string[];
      retryable: boolean;
      max_attempts: number;
      /** The step of the type for_each whose list it runs for, once for each element. */
      element_of?: string | undefined;
    }[];
  };
  steps: {
    step_uuid: string;
    name: string;
    current_state:
      | 'pending'
      | 'enqueued'
      | 'in_progress'
      | 'enqueued_for_orchestration'
      | 'enqueued_as_error_for_orchestration'
      | 'waiting_for_retry'
      | 'waiting'
      | 'complete'
      | 'skipped'
      | 'error'
      | 'cancelled'
      | 'resolved_manually'
      | (string & {});
    created_at: string;
    completed_at: string | null;
    last_attempted_at: string | null;
    attempts: number;
    max_attempts: number;
    dependencies_satisfied: boolean;
    retry_eligible: boolean;
    error: {
      error_type: string | null;
      retryable: boolean;
      status_code: number | null;
    } | null;
  }[];
  dlq: {
    in_dlq: boolean;
    dlq_reason:
      | 'staleness_timeout'
      | 'max_retries_exceeded'
      | 'dependency_cycle_detected'
      | 'worker_unavailable'
      | 'manual_dlq'
      | null;
    resolution_status: 'pending' | 'manually_resolved' | 'permanently_failed' | 'cancelled' | null;
  };
  links: {
    task: string;
    steps: string;
    dlq: string;
  };
}

export interface TaskTimeline {
  task_uuid: string;
  status:
    | 'pending'
    | 'initializing'
    | 'enqueuing_steps'
    | 'steps_in_process'
    | 'evaluating_results'
    | 'waiting_for_dependencies'
    | 'waiting_for_retry'
    | 'waiting'
    | 'blocked_by_failures'
    | 'complete'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | 'undoing'
    | 'undone'
    | (string & {});
  created_at: string;
  starts_at: string | null;
  completed_at: string | null;
  /** The end of spans that have not ended. */
  now: string;
  steps: {
    name: string;
    template_step_name: string;
    step_uuid: string;
    handler: string;
    state:
      | 'pending'
      | 'enqueued'
      | 'in_progress'
      | 'enqueued_for_orchestration'
      | 'enqueued_as_error_for_orchestration'
      | 'waiting_for_retry'
      | 'waiting'
      | 'complete'
      | 'skipped'
      | 'error'
      | 'cancelled'
      | 'resolved_manually'
      | (string & {});
    spans: TimelineSpan[];
  }[];
  acts: {
    at: string;
    step: string | null;
    what: string;
    who: string;
    why: string | null;
  }[];
}

export interface TaskWait {
  /** Null if the task waits for its start. */
  step: string | null;
  step_uuid: string | null;
  kind: 'start' | 'timer' | 'signal' | 'approval' | 'task' | 'tasks' | 'completion' | 'call';
  attempt: number;
  since: string;
  until: string | null;
  due_at: string | null;
  calls: number;
  settings: Record<string, unknown>;
  progress: Record<string, unknown>;
  /** Null if the wait has not ended. */
  ended_at: string | null;
  ended_by: string | null;
}

export interface TaskWaits {
  waits: TaskWait[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}

export interface TemplateContent {
  description?: string | undefined;
  input_schema?: Record<string, unknown> | undefined;
  default_context?: Record<string, unknown> | undefined;
  steps: {
    name: string;
    description?: string | undefined;
    publishes_events?:
      | {
          name: string;
          description: string;
          condition?: string | undefined;
          delivery_mode?: string | undefined;
          publisher?: string | undefined;
        }[]
      | undefined;
  }[];
}

export interface TemplateDetailResponse {
  name: string;
  namespace: string;
  version: string;
  description: string | null;
  configuration: null;
  steps: {
    name: string;
    description: string | null;
    default_retryable: boolean;
    default_max_attempts: number;
    result_schema: Record<string, unknown> | null;
  }[];
}

export interface TemplateDiff {
  namespace: string;
  name: string;
  from_version: string;
  to_version: string;
  changes: {
    /** Steps are found by their names. */
    path: string;
    change: 'added' | 'removed' | 'changed';
    from: unknown;
    to: unknown;
  }[];
}

export interface TemplateGraph {
  namespace: string;
  name: string;
  version: string;
  nodes: {
    name: string;
    type: string;
    callable: string;
    /** The ends of its dependencies after which the step runs. Null if the template does not say. */
    run_if: 'complete' | 'not_failed' | 'failed' | 'ended' | null;
    /** any: the step starts when the first of its dependencies completes. Null if the template does not say. */
    join: 'all' | 'any' | null;
    /** The expression that decides whether the step is skipped. Null if it has none. */
    when: string | null;
    /** The handler that undoes the step. Null if it has none. */
    undo: string | null;
    /** The step of the type for_each whose list it runs for, once for each element. Null for others. */
    element_of: string | null;
  }[];
  edges: {
    from: string;
    to: string;
  }[];
}

export interface TemplateListResponse {
  namespaces: {
    name: string;
    description: string | null;
    template_count: number;
  }[];
  templates: {
    name: string;
    namespace: string;
    version: string;
    description: string | null;
    step_count: number;
    /** Whether tasks without a version are created from this version. */
    active: boolean;
    /** Whether the version is active until the next activation, even if a higher version is registered. */
    pinned: boolean;
    /** A hash of the contents. */
    digest: string;
    registered_at: string;
    /** The pauses that apply to the template. */
    paused: Pause[] | null;
  }[];
  total_count: number;
}

export interface TemplateProblem {
  severity: 'error' | 'warning';
  code: string;
  message: string;
  file: string | null;
  line: number;
  column: number;
  path: string;
}

export interface TemplateSource {
  namespace: string;
  name: string;
  version: string;
  digest: string;
  template: TemplateContent;
}

export interface TimelineSpan {
  kind: 'queued' | 'running' | 'retry_wait' | 'waiting' | 'blocked';
  from: string;
  /** Null if the span has not ended. */
  to: string | null;
  /** The latest time at which the span ends, if known. */
  until: string | null;
  attempt: number | null;
  worker: string | null;
  outcome: string | null;
  error: string | null;
  /** Milliseconds that the handler ran in an attempt that has ended. Null if it is unknown, and for other spans. */
  ran_ms: number | null;
}

export interface TokenUse {
  task_uuid: string;
  step_uuid: string;
  /** Whether an earlier call had the same effect. */
  repeated: boolean;
}

export interface TriggerRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  context?: Record<string, unknown> | undefined;
  idempotency_key?: string | undefined;
}

export interface Undo {
  task_uuid: string;
  dry_run: boolean;
  status_before:
    | 'pending'
    | 'initializing'
    | 'enqueuing_steps'
    | 'steps_in_process'
    | 'evaluating_results'
    | 'waiting_for_dependencies'
    | 'waiting_for_retry'
    | 'waiting'
    | 'blocked_by_failures'
    | 'complete'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | 'undoing'
    | 'undone'
    | (string & {});
  status:
    | 'pending'
    | 'initializing'
    | 'enqueuing_steps'
    | 'steps_in_process'
    | 'evaluating_results'
    | 'waiting_for_dependencies'
    | 'waiting_for_retry'
    | 'waiting'
    | 'blocked_by_failures'
    | 'complete'
    | 'error'
    | 'cancelled'
    | 'resolved_manually'
    | 'undoing'
    | 'undone'
    | (string & {});
  /** In the order in which they are undone, and then the steps that are not undone. */
  steps: {
    step: string;
    /** The state of the step before the undo. */
    state:
      | 'pending'
      | 'enqueued'
      | 'in_progress'
      | 'enqueued_for_orchestration'
      | 'enqueued_as_error_for_orchestration'
      | 'waiting_for_retry'
      | 'waiting'
      | 'complete'
      | 'skipped'
      | 'error'
      | 'cancelled'
      | 'resolved_manually'
      | (string & {});
    undone: boolean;
    /** The handler that undoes it. */
    handler: string | null;
    /** The child task that is undone for it. */
    child_task_uuid: string | null;
    /** The steps that are undone before it. */
    after: string[];
    /** Why it is not undone. */
    reason:
      | 'no_undo'
      | 'not_started'
      | 'not_completed'
      | 'resolved_manually'
      | 'already_undone'
      | 'child_abandoned'
      | 'child_deleted'
      | null;
  }[];
}

export interface UndoRequest {
  /** Kept in the history and the audit. */
  reason?: string | undefined;
  /** The operator. With a credential, its subject is the operator, and this name is only a remark. */
  by?: string | undefined;
  /** Default false. */
  dry_run?: boolean | undefined;
}

export interface UnservedGroup {
  namespace: string;
  reason: 'no_worker' | 'no_handler';
  handlers: string[];
  templates: string[];
  count: number;
  first_at: string | null;
  /** Parameters of `GET /v1/tasks` that find the tasks of the group. */
  filter: Record<string, unknown>;
}

export interface UnservedSteps {
  handler: string;
  reason: 'no_worker' | 'no_handler' | 'draining';
  steps: number;
  templates: string[];
  since: string | null;
}

export interface UpdateInvestigationResponse {
  success: true;
  message: string;
  dlq_entry_uuid: string;
}

export interface ValidatedTemplate {
  valid: boolean;
  problems: TemplateProblem[];
  /** Null if the template has errors. */
  template: {
    namespace: string;
    name: string;
    version: string;
    digest: string;
    /** The digest that new tasks of this version used before. */
    previous_digest: string | null;
    change: 'new' | 'changed' | 'unchanged';
  } | null;
}

export interface VoteRequest {
  decision: 'approve' | 'reject';
  comment?: string | null | undefined;
  form?: unknown;
  /** The voter, on a server without authentication. */
  by?: string | undefined;
  /** Only without authentication. */
  roles?: readonly string[] | undefined;
}

export interface Worker {
  id: number;
  name: string;
  host: string;
  pid: number;
  version: string | null;
  state: 'running' | 'draining' | 'drained' | 'lost' | 'stopped';
  drain: {
    requested_at: string;
    by: string;
    reason: string | null;
  } | null;
  namespaces: string[];
  handlers: string[];
  resolvers: string[];
  missing_handlers: {
    namespace: string;
    template: string;
    version: string;
    step: string;
    handler: string;
  }[];
  concurrency: number;
  running: number;
  hung: number | null;
  oldest_step_at: string | null;
  oldest_step_ms: number | null;
  started_at: string;
  seen_at: string | null;
  silent_ms: number | null;
  ended_at: string | null;
  completed: number | null;
  failed: number | null;
  completed_per_second: number | null;
  failed_per_second: number | null;
  loop_lag_ms: number | null;
}

export interface WorkerDetails {
  id: number;
  name: string;
  host: string;
  pid: number;
  version: string | null;
  state: 'running' | 'draining' | 'drained' | 'lost' | 'stopped';
  drain: {
    requested_at: string;
    by: string;
    reason: string | null;
  } | null;
  namespaces: string[];
  handlers: string[];
  resolvers: string[];
  missing_handlers: {
    namespace: string;
    template: string;
    version: string;
    step: string;
    handler: string;
  }[];
  concurrency: number;
  running: number;
  hung: number | null;
  oldest_step_at: string | null;
  oldest_step_ms: number | null;
  started_at: string;
  seen_at: string | null;
  silent_ms: number | null;
  ended_at: string | null;
  completed: number | null;
  failed: number | null;
  completed_per_second: number | null;
  failed_per_second: number | null;
  loop_lag_ms: number | null;
  steps: {
    task_uuid: string;
    step: string;
    namespace: string;
    template: string;
    version: string;
    handler: string;
    attempt: number;
    started_at: string;
    age_ms: number;
  }[];
}

export interface WorkerList {
  workers: Worker[];
  /** Pass it as `cursor` for the next page. Null on the last page. */
  next_cursor: string | null;
  /** Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward. */
  previous_cursor: string | null;
}
