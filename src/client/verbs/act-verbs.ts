import type {
  Act,
  ActedStep,
  ApprovalInfo,
  BackfilledDue,
  BulkActInfo,
  BulkActPreview,
  BulkActReport,
  BulkActRequest,
  FoundStepInfo,
  ScheduleChanges,
  ScheduleInfo,
  ScheduleRequest,
  SentSignalInfo,
  SignalInfo,
  SignalRequest,
  StartedBulkAct,
  TargetedSignalRequest,
  TaskSignalInfo,
  TokenUse,
} from '../api-types.ts';
import type { CallOptions } from '../client-options.ts';
import { path } from '../path.ts';
import { pause } from '../pause.ts';
import { listing, type PageOf, type PageQuery, type Send } from '../send.ts';
import type { TaskListQuery } from '../types.ts';

/** The verbs for signals. */
export function signalVerbs(send: Send) {
  return {
    /** Sends a signal to a task. The request is repeated only with `idempotency_key`. */
    send: (task: string, signal: SignalRequest, options?: CallOptions) =>
      send<SentSignalInfo>('POST', path`/v1/tasks/${task}/signals`, signal, options),
    /** Sends a signal to all open tasks with a correlation id, or to the task with a key. */
    sendTo: (signal: TargetedSignalRequest, options?: CallOptions) =>
      send<SentSignalInfo>('POST', '/v1/signals', signal, options),
    /** Returns a signal with its outcome. */
    get: (id: string, options?: CallOptions) => send<SignalInfo>('GET', path`/v1/signals/${id}`, {}, options),
    /** Returns a page of a task's signals, in order of arrival. `kept`: only signals that no step has used. */
    list: (task: string, query?: { name?: string; kept?: boolean } & PageQuery, options?: CallOptions) =>
      send<PageOf<'signals', TaskSignalInfo>>('GET', path`/v1/tasks/${task}/signals`, query, options),
  };
}

/** The verbs for approvals. A step is named by its name or id. */
export function approvalVerbs(send: Send) {
  const place = (task: string, step: string, act: 'vote' | 'reassign') =>
    act === 'vote' ? path`/v1/approvals/${task}/${step}/vote` : path`/v1/approvals/${task}/${step}/reassign`;
  return {
    ...listing<'approvals', ApprovalInfo, { assignee?: string; namespace?: string; name?: string; task?: string }>(
      send,
      '/v1/approvals',
      'approvals',
    ),
    /** Returns an approval with its votes. */
    get: (task: string, step: string, options?: CallOptions) =>
      send<ApprovalInfo>('GET', path`/v1/approvals/${task}/${step}`, {}, options),
    /**
     * Votes on an approval. With a credential, its subject votes with its roles. Otherwise, `by` and `roles` name the
     * voter.
     */
    vote: (
      task: string,
      step: string,
      vote: { decision: 'approve' | 'reject'; comment?: string; form?: unknown; by?: string; roles?: string[] },
      options?: CallOptions,
    ) => send<ApprovalInfo>('POST', place(task, step, 'vote'), vote, options),
    /** Changes the assignees. Votes of people who are no longer assignees are dropped. */
    reassign: (
      task: string,
      step: string,
      to: Act & ({ to: readonly string[] } | { everyone: true }),
      options?: CallOptions,
    ) => send<ApprovalInfo>('POST', place(task, step, 'reassign'), to, options),
  };
}

/** The verbs for other systems that complete steps. The token is the credential. */
export function completionVerbs(send: Send) {
  return {
    /** Completes the step of a token. A repeated call has no further effect. */
    complete: (body: { token: string; result?: unknown }, options?: CallOptions) =>
      send<TokenUse>('POST', '/v1/completions/complete', body, options),
    /** Fails the attempt of a token. */
    fail: (body: { token: string; message: string; error_type?: string; retryable?: boolean }, options?: CallOptions) =>
      send<TokenUse>('POST', '/v1/completions/fail', body, options),
    /** Extends the wait for a completion to `timeout` from now, such as `15m`. */
    extend: (body: { token: string; timeout: string }, options?: CallOptions) =>
      send<{ until: string }>('POST', '/v1/completions/extend', body, options),
  };
}

/** The verbs for schedules. */
export function scheduleVerbs(send: Send) {
  const acting = (act: 'pause' | 'resume') => (name: string, by?: Act, options?: CallOptions) =>
    send<ScheduleInfo & { changed: boolean }>(
      'POST',
      act === 'pause' ? path`/v1/schedules/${name}/pause` : path`/v1/schedules/${name}/resume`,
      by,
      options,
    );
  return {
    ...listing<'schedules', ScheduleInfo, { state?: 'active' | 'paused' | 'over'; source?: string }>(
      send,
      '/v1/schedules',
      'schedules',
    ),
    /** Returns a schedule with the outcomes of its due times, newest first. */
    get: (name: string, query?: { limit?: number; before?: string }, options?: CallOptions) =>
      send<ScheduleInfo>('GET', path`/v1/schedules/${name}`, query, options),
    /** Creates a schedule. @throws ConflictError if the schedule exists and `if_exists` is not set */
    create: (schedule: ScheduleRequest, options?: CallOptions) =>
      send<ScheduleInfo>('POST', '/v1/schedules', schedule, options),
    /** Changes settings. Null removes a setting. */
    update: (name: string, changes: ScheduleChanges, options?: CallOptions) =>
      send<ScheduleInfo>('PATCH', path`/v1/schedules/${name}`, changes, options),
    /** Deletes a schedule, but not its tasks. */
    delete: (name: string, by?: Act, options?: CallOptions) =>
      send<{ deleted: string }>('DELETE', path`/v1/schedules/${name}`, by, options),
    /** Pauses a schedule. Its open tasks continue. */
    pause: acting('pause'),
    /** Resumes a schedule. Due times during the pause get no task. */
    resume: acting('resume'),
    /** Creates a task of a schedule now. The request is repeated only with `idempotency_key`. */
    trigger: (
      name: string,
      body?: Act & { context?: Record<string, unknown>; idempotency_key?: string },
      options?: CallOptions,
    ) => send<{ task_uuid: string }>('POST', path`/v1/schedules/${name}/trigger`, body, options),
    /** Creates the tasks of past due times, or lists them with `dry_run`. */
    backfill: (name: string, body: Act & { from: string; to: string; dry_run?: boolean }, options?: CallOptions) =>
      send<BackfilledDue[]>('POST', path`/v1/schedules/${name}/backfill`, body, options),
  };
}

/** Time between two reads of a bulk action that {@link bulkActVerbs} follows. */
const FOLLOW_MS = 500;

/** The verbs for actions on many tasks or steps. */
export function bulkActVerbs(send: Send) {
  const get = (id: number, options?: CallOptions) =>
    send<BulkActReport>('GET', path`/v1/bulk-acts/${String(id)}`, {}, options);
  return {
    ...listing<'bulk_acts', BulkActInfo>(send, '/v1/bulk-acts', 'bulk_acts'),
    /** Returns a bulk action with its progress, and the items that were skipped or failed. */
    get,
    /** Starts a bulk action. The server continues it even if the client disconnects. */
    start: (request: BulkActRequest, options?: CallOptions) =>
      send<StartedBulkAct>('POST', '/v1/bulk-acts', request, options),
    /** Returns a preview of a bulk action. Changes nothing. */
    preview: (request: BulkActRequest, options?: CallOptions) =>
      send<BulkActPreview>('POST', '/v1/bulk-acts', { ...request, dry_run: true }, options),
    /**
     * Yields the progress of a bulk action about twice a second, and finally its outcome. `pollMs` changes the
     * interval.
     */
    async *follow(id: number, { pollMs = FOLLOW_MS, ...options }: CallOptions & { pollMs?: number } = {}) {
      for (let last = ''; ; await pause(pollMs, options.signal)) {
        const report = await get(id, options);
        const text = JSON.stringify([report.state, report.done, report.skipped_count, report.failed_count]);
        if (text !== last) yield report;
        if (report.ended_at !== null) return;
        last = text;
      }
    },
    /** Stops a bulk action after the transaction in progress. */
    stop: (id: number, by?: Act, options?: CallOptions) =>
      send<{ id: number; stopped: boolean }>('POST', path`/v1/bulk-acts/${String(id)}/stop`, by, options),
    /** Continues a bulk action that was stopped, or whose process died. Finished items are not repeated. */
    resume: (id: number, by?: Act, options?: CallOptions) =>
      send<StartedBulkAct>('POST', path`/v1/bulk-acts/${String(id)}/resume`, by, options),
  };
}

/** The conditions of a search for tasks or steps. */
export type SearchQuery = Omit<TaskListQuery, 'page' | 'per_page' | 'limit' | 'cursor' | 'status' | 'sort' | 'order'>;

/** The lines that the handler of a step logged in an attempt. */
export interface StepLog {
  attempt: number;
  lines: { at: string; level: string; message: string; fields: Record<string, unknown> }[];
  /** Number of earlier lines that were dropped. */
  dropped: number;
}

/** More verbs for steps. A step is named by its name or id. */
export function stepActVerbs(send: Send) {
  const found = listing<'steps', FoundStepInfo, SearchQuery & { order?: 'asc' | 'desc' }>(send, '/v1/steps', 'steps');
  return {
    /** Returns a page of the steps that are ready, running, waiting, failed or resolved by hand, in all tasks. */
    search: found.list,
    /** Returns all steps in these states, and reads their pages as the loop needs them. */
    searchAll: found.listAll,
    /** Returns the log lines of a step's handler, by attempt. By default, only failed attempts are kept. */
    logs: (task: string, step: string, query?: { attempt?: number }, options?: CallOptions) =>
      send<{ logs: StepLog[] }>('GET', path`/v1/tasks/${task}/workflow_steps/${step}/logs`, query, options),
    /** Retries a step that failed or waits for a retry. */
    retry: (task: string, step: string, by?: Act, options?: CallOptions) =>
      send<ActedStep>('POST', path`/v1/tasks/${task}/workflow_steps/${step}/retry`, by, options),
    /** Completes a timer step now. */
    fire: (task: string, step: string, by?: Act, options?: CallOptions) =>
      send<ActedStep>('POST', path`/v1/tasks/${task}/workflow_steps/${step}/fire`, by, options),
    /** Changes the time of a timer step. `until`: ISO 8601 with a zone; `in`: from now, such as `2h`. */
    move: (task: string, step: string, to: Act & ({ until: string } | { in: string }), options?: CallOptions) =>
      send<{ task_uuid: string; step: string; until: string }>(
        'POST',
        path`/v1/tasks/${task}/workflow_steps/${step}/move`,
        to,
        options,
      ),
  };
}
