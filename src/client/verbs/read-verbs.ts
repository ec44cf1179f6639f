import type { Act, DeadLetterInfo, DeadLetterPage, DeadLetterRow, RedriveOutcome } from '../api-types.ts';
import type { CallOptions } from '../client-options.ts';
import { type Path, path } from '../path.ts';
import type { Transport } from '../transport.ts';
import type {
  BottleneckAnalysis,
  DetailedHealth,
  DlqChange,
  DlqChanged,
  DlqEntry,
  DlqQueueEntry,
  DlqStats,
  Health,
  PerformanceMetrics,
  ReadyHealth,
  Staleness,
  StepAction,
  StepAuditResponse,
  StepResponse,
  TemplateDetailResponse,
  TemplateListResponse,
} from '../types.ts';

/** The verbs for steps. A step is named by its UUID. */
export function stepVerbs(transport: Transport) {
  const place = (task: string, step: string) => path`/v1/tasks/${task}/workflow_steps/${step}`;
  const act = (task: string, step: string, body: StepAction, options: CallOptions): Promise<StepResponse> =>
    transport.json({ method: 'PATCH', path: place(task, step), body, ...options });
  return {
    /** Returns the steps of a task with their results. */
    list(task: string, options: CallOptions = {}): Promise<StepResponse[]> {
      return transport.json({ method: 'GET', path: path`/v1/tasks/${task}/workflow_steps`, ...options });
    },
    /** Returns a step with its results. */
    get(task: string, step: string, options: CallOptions = {}): Promise<StepResponse> {
      return transport.json({ method: 'GET', path: place(task, step), ...options });
    },
    /** Returns the outcomes of a step's attempts, newest first. */
    audit(task: string, step: string, options: CallOptions = {}): Promise<StepAuditResponse[]> {
      return transport.json({ method: 'GET', path: path`/v1/tasks/${task}/workflow_steps/${step}/audit`, ...options });
    },
    /** Resets a failed step to its full number of attempts. */
    reset(task: string, step: string, by: Operator, options: CallOptions = {}): Promise<StepResponse> {
      return act(task, step, { action_type: 'reset_for_retry', reason: by.reason, reset_by: by.by }, options);
    },
    /** Ends a step by hand, with a result or without one. Its dependents continue. */
    resolve(
      task: string,
      step: string,
      { result, ...by }: Operator & { result?: unknown },
      options: CallOptions = {},
    ): Promise<StepResponse> {
      const resolution = { reason: by.reason, resolved_by: by.by, ...(result !== undefined && { result }) };
      return act(task, step, { action_type: 'resolve_manually', ...resolution }, options);
    },
    /** Ends a step by hand with a result. `metadata` is kept with the result. */
    complete(
      task: string,
      step: string,
      { result, metadata, ...by }: Operator & { result: unknown; metadata?: Record<string, unknown> | undefined },
      options: CallOptions = {},
    ): Promise<StepResponse> {
      const completion = { reason: by.reason, completed_by: by.by, completion_data: { result, metadata } };
      return act(task, step, { action_type: 'complete_manually', ...completion }, options);
    },
  };
}

/** The operator and the reason of an action. The server keeps both in the history. */
export interface Operator {
  reason?: string | undefined;
  /** With a credential, the server records the subject of the credential instead, and keeps this name as a remark. */
  by: string;
}

/** The verbs for templates. */
export function templateVerbs(transport: Transport) {
  return {
    /** Lists the registered templates, of one namespace or of all. */
    list(query: { namespace?: string } = {}, options: CallOptions = {}): Promise<TemplateListResponse> {
      return transport.json({ method: 'GET', path: '/v1/templates', query, ...options });
    },
    /** Returns the template that new tasks of this version use. */
    get(namespace: string, name: string, version: string, options: CallOptions = {}): Promise<TemplateDetailResponse> {
      return transport.json({ method: 'GET', path: path`/v1/templates/${namespace}/${name}/${version}`, ...options });
    },
  };
}

/** The page of a dead-letter list. */
export interface DlqListQuery {
  /** `pending`, `manually_resolved`, `permanently_failed` or `cancelled`. Default: all. */
  resolution_status?: string;
  /** Default 50. */
  limit?: number;
  offset?: number;
}

/** The conditions of a search for dead letters. */
export interface DlqSearchQuery {
  /** Default `pending`; `all` also finds closed entries. */
  status?: 'pending' | 'manually_resolved' | 'permanently_failed' | 'cancelled' | 'all';
  namespace?: string;
  name?: string;
  template_version?: string;
  task?: string;
  dlq_reason?: string;
  assignee?: string;
  unassigned?: boolean;
  added_after?: string;
  added_before?: string;
  sort?: 'priority' | 'added';
  limit?: number;
  cursor?: string;
}

/** The verbs for dead letters. */
export function deadLetterVerbs(transport: Transport) {
  const list = (query: DlqListQuery = {}, options: CallOptions = {}): Promise<DlqEntry[]> =>
    transport.json({ method: 'GET', path: '/v1/dlq', query: { ...query }, ...options });
  const act = <T>(path: Path, body: object, options: CallOptions): Promise<T> =>
    transport.json({ method: 'POST', path, body, ...options });
  return {
    /** Returns one page of dead letters, newest first. */
    list,
    /** Returns all dead letters, newest first, and reads their pages as the loop needs them. */
    async *listAll(query: Omit<DlqListQuery, 'offset'> = {}, options: CallOptions = {}): AsyncGenerator<DlqEntry> {
      const { limit = 100 } = query;
      const seen = new Set<string>();
      for (let offset = 0; ; offset += limit) {
        const page = await list({ ...query, limit, offset }, options);
        // New entries move older entries to later pages.
        yield* page.filter(({ dlq_entry_uuid: id }) => !seen.has(id) && seen.add(id));
        if (page.length < limit) return;
      }
    },
    /** Returns the newest dead letter of a task. */
    ofTask(task: string, options: CallOptions = {}): Promise<DlqEntry> {
      return transport.json({ method: 'GET', path: path`/v1/dlq/task/${task}`, ...options });
    },
    /** Changes a dead letter. */
    update(entry: string, change: DlqChange, options: CallOptions = {}): Promise<DlqChanged> {
      return transport.json({ method: 'PATCH', path: path`/v1/dlq/entry/${entry}`, body: change, ...options });
    },
    /** Returns a page of the dead letters that match, by default the open entries with the highest priority first. */
    search(query: DlqSearchQuery = {}, options: CallOptions = {}): Promise<DeadLetterPage> {
      return transport.json({ method: 'GET', path: '/v1/dlq/entries', query: { ...query }, ...options });
    },
    /** Returns a dead letter, by its id or the id of its task, with its notes and the snapshot of the task. */
    get(entry: string, options: CallOptions = {}): Promise<DeadLetterRow> {
      return transport.json({ method: 'GET', path: path`/v1/dlq/entry/${entry}`, ...options });
    },
    /** Adds a task to the dead letters. */
    add(
      request: Act & { task_uuid: string; assignee?: string; priority?: number; metadata?: Record<string, unknown> },
      options: CallOptions = {},
    ): Promise<DeadLetterInfo> {
      return transport.json({ method: 'POST', path: '/v1/dlq', body: request, ...options });
    },
    /** Assigns a dead letter, or changes its priority. Null removes the assignee. */
    assign(entry: string, body: Act & { to?: string | null; priority?: number }, options: CallOptions = {}) {
      return act<{ changed: number }>(path`/v1/dlq/entry/${entry}/assign`, body, options);
    },
    /** Adds a remark. */
    note(entry: string, body: Act & { note: string }, options: CallOptions = {}) {
      return act<{ changed: number }>(path`/v1/dlq/entry/${entry}/note`, body, options);
    },
    /** Closes a dead letter. Its task does not change. `status`: default `manually_resolved`. */
    resolve(
      entry: string,
      body: Act & { status?: 'manually_resolved' | 'permanently_failed' | 'cancelled'; notes?: string } = {},
      options: CallOptions = {},
    ) {
      return act<{ changed: number }>(path`/v1/dlq/entry/${entry}/resolve`, body, options);
    },
    /** Runs the task again, and closes the entry. */
    redrive(entry: string, by: Act = {}, options: CallOptions = {}) {
      return act<RedriveOutcome>(path`/v1/dlq/entry/${entry}/redrive`, by, options);
    },
    /** Counts dead letters by reason. */
    stats(
      query: { namespace?: string | undefined; name?: string | undefined; added_after?: string | undefined } = {},
      options: CallOptions = {},
    ): Promise<DlqStats[]> {
      return transport.json({ method: 'GET', path: '/v1/dlq/stats', query, ...options });
    },
    /** Lists open dead letters by priority. */
    queue(query: { limit?: number } = {}, options: CallOptions = {}): Promise<DlqQueueEntry[]> {
      return transport.json({ method: 'GET', path: '/v1/dlq/investigation-queue', query, ...options });
    },
    /** Lists open tasks with lifecycle limits, closest to a limit first. */
    staleness(query: { limit?: number } = {}, options: CallOptions = {}): Promise<Staleness[]> {
      return transport.json({ method: 'GET', path: '/v1/dlq/staleness', query, ...options });
    },
  };
}

/** The verbs for statistics. */
export function analyticsVerbs(transport: Transport) {
  return {
    /** Returns counts, rates and durations. `hours` defaults to 24. */
    performance(query: { hours?: number } = {}, options: CallOptions = {}): Promise<PerformanceMetrics> {
      return transport.json({ method: 'GET', path: '/v1/analytics/performance', query, ...options });
    },
    /** Returns the slowest steps and templates of the last day. */
    bottlenecks(
      query: { limit?: number; min_executions?: number } = {},
      options: CallOptions = {},
    ): Promise<BottleneckAnalysis> {
      return transport.json({ method: 'GET', path: '/v1/analytics/bottlenecks', query, ...options });
    },
  };
}

/** The verbs for the health of the server. */
export function healthVerbs(transport: Transport) {
  return {
    /** Checks that the server responds. */
    check(options: CallOptions = {}): Promise<Health> {
      return transport.json({ method: 'GET', path: '/health', ...options });
    },
    /** Checks that the server is ready for requests. @throws ServerError `SERVICE_UNAVAILABLE` if it is not */
    ready(options: CallOptions = {}): Promise<ReadyHealth> {
      return transport.json({ method: 'GET', path: '/health/ready', ...options });
    },
    /** Returns the state of every part. */
    detailed(options: CallOptions = {}): Promise<DetailedHealth> {
      return transport.json({ method: 'GET', path: '/health/detailed', ...options });
    },
  };
}
