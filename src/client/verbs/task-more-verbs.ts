import type {
  Act,
  DomainEventInfo,
  PauseOutcome,
  RerunOutcome,
  TaskCopy,
  TaskExplanation,
  TaskGraph,
  TaskHistoryEntry,
  TaskRuns,
  TaskTimeline,
  TaskWait,
} from '../api-types.ts';
import type { CallOptions } from '../client-options.ts';
import { items } from '../pages.ts';
import { path } from '../path.ts';
import type { PageOf, PageQuery, Send } from '../send.ts';

/** The verbs for the details of a task. */
export function taskDetailVerbs(send: Send) {
  const history = (task: string, query?: { step?: string } & PageQuery, options?: CallOptions) =>
    send<PageOf<'entries', TaskHistoryEntry>>('GET', path`/v1/tasks/${task}/history`, query, options);
  return {
    /** Returns the context of a task. */
    context: (task: string, options?: CallOptions) =>
      send<{ task_uuid: string; context: Record<string, unknown> }>(
        'GET',
        path`/v1/tasks/${task}/context`,
        {},
        options,
      ),
    /** Returns the steps of a task and their dependencies, with states and times. */
    graph: (task: string, options?: CallOptions) => send<TaskGraph>('GET', path`/v1/tasks/${task}/graph`, {}, options),
    /** Returns the timeline spans of each step, for a Gantt chart. */
    timeline: (task: string, options?: CallOptions) =>
      send<TaskTimeline>('GET', path`/v1/tasks/${task}/timeline`, {}, options),
    /** Explains why each step is in its state. */
    why: (task: string, options?: CallOptions) =>
      send<TaskExplanation>('GET', path`/v1/tasks/${task}/why`, {}, options),
    /** Returns a page of the attempts and actions of operators, oldest first. */
    history,
    /** Returns all attempts and actions of operators, and reads their pages as the loop needs them. */
    historyAll: (task: string, query?: { step?: string }, options?: CallOptions): AsyncGenerator<TaskHistoryEntry> =>
      items(async (cursor) => {
        const page = await history(task, { ...query, ...(cursor !== undefined && { cursor }) }, options);
        return { items: page.entries, next: page.next_cursor };
      }),
    /** Returns a page of the durable events of a task, newest first. */
    events: (task: string, query?: PageQuery, options?: CallOptions) =>
      send<PageOf<'events', DomainEventInfo>>('GET', path`/v1/tasks/${task}/events`, query, options),
    /** Returns the results that reruns replaced, and the copies of the task. */
    runs: (task: string, options?: CallOptions) => send<TaskRuns>('GET', path`/v1/tasks/${task}/runs`, {}, options),
    /** Returns the last wait of each step, including ended waits. */
    waits: (task: string, options?: CallOptions) =>
      send<{ waits: TaskWait[] }>('GET', path`/v1/tasks/${task}/waits`, {}, options),
  };
}

/** The verbs that act on one task. */
export function taskActVerbs(send: Send) {
  return {
    /** Retries all steps that failed or wait for a retry. */
    retry: (task: string, by?: Act, options?: CallOptions) =>
      send<{ task_uuid: string; steps: string[]; status: string }>('POST', path`/v1/tasks/${task}/retry`, by, options),
    /** Ends a task by hand. A repeated call changes nothing. */
    resolve: (task: string, by?: Act, options?: CallOptions) =>
      send<{ task_uuid: string; resolved: boolean; status: string }>(
        'POST',
        path`/v1/tasks/${task}/resolve`,
        by,
        options,
      ),
    /** Runs a step and everything after it again, or lists what would run with `dry_run`. */
    rerun: (task: string, from: Act & { from: string; dry_run?: boolean }, options?: CallOptions) =>
      send<RerunOutcome>('POST', path`/v1/tasks/${task}/rerun`, from, options),
    /** Creates a copy of a task. The request is repeated only with `idempotency_key`. */
    copy: (
      task: string,
      body?: Act & { context?: Record<string, unknown>; idempotency_key?: string },
      options?: CallOptions,
    ) => send<TaskCopy>('POST', path`/v1/tasks/${task}/copy`, body, options),
    /** Pauses a task. Running steps finish. */
    pause: (task: string, by?: Act, options?: CallOptions) =>
      send<PauseOutcome>('POST', path`/v1/tasks/${task}/pause`, by, options),
    /** Ends the pause of a task. */
    resume: (task: string, by?: Act, options?: CallOptions) =>
      send<PauseOutcome>('POST', path`/v1/tasks/${task}/resume`, by, options),
    /** Starts a task now that was created to start later. */
    startNow: (task: string, by?: Act, options?: CallOptions) =>
      send<{ task_uuid: string; started: true }>('POST', path`/v1/tasks/${task}/start-now`, by, options),
    /** Changes the start of a task. `at`: ISO 8601 with a zone; `in`: from now, such as `2h`. */
    reschedule: (task: string, to: Act & ({ at: string } | { in: string }), options?: CallOptions) =>
      send<{ task_uuid: string; start_at: string }>('POST', path`/v1/tasks/${task}/reschedule`, to, options),
    /** Deletes a task that has ended, with its results and history. */
    delete: (task: string, by?: Act, options?: CallOptions) =>
      send<{ task_uuid: string; deleted: true }>('POST', path`/v1/tasks/${task}/delete`, by, options),
  };
}
