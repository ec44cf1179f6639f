import { readElementName } from '../model/for-each.ts';
import { stepUuid } from '../model/ids.ts';
import type { STEP_STATES, TASK_STATES } from '../model/states.ts';
import type { WaitEnd, WaitKind } from '../model/waits.ts';
import type { StepRow } from '../store/read-steps.ts';
import type { HistoryRow, TaskRow } from '../store/tasks.ts';

/** A state of a task. docs/states.md shows the transitions. */
export type TaskState = (typeof TASK_STATES)[number];

/** A state of a step. */
export type StepState = (typeof STEP_STATES)[number];

/** A task as callers see it. Times are ISO 8601 in UTC, to the microsecond. */
export interface Task {
  taskUuid: string;
  name: string;
  namespace: string;
  version: string;
  /** `pending` until the first step is claimed, including while the task waits for its start. */
  status: TaskState;
  createdAt: string;
  updatedAt: string;
  completedAt: string | null;
  context: Record<string, unknown>;
  /**
   * The values of `output` in its template. Only a complete task has an output, and only if it was read by itself: not
   * in lists.
   */
  output?: Record<string, unknown>;
  /** Why a complete task has no output, although its template has one: an expression failed, for example. */
  outputError?: string;
  initiator: string | null;
  sourceSystem: string | null;
  /**
   * The credential that created it over HTTP, as its actions are recorded. Null means a program with access to the
   * database.
   */
  createdWith: string | null;
  reason: string | null;
  priority: number;
  tags: string[];
  correlationId: string;
  parentCorrelationId: string | null;
  /** Number of reruns of the task. */
  reruns: number;
  /** The time of the last rerun, in ISO 8601. The task's lifecycle limits start at this time. */
  rerunAt: string | null;
  /** The task that it is a copy of. Null if it is not a copy. */
  copyOf: string | null;
  totalSteps: number;
  pendingSteps: number;
  inProgressSteps: number;
  completedSteps: number;
  failedSteps: number;
  readySteps: number;
  /** Number of steps in `waiting`. */
  waitingSteps: number;
  /** Number of steps in `skipped`. */
  skippedSteps: number;
  /** Number of failed steps that do not block the task: a step after them handles the failure, or their batch continues. */
  handledFailures: number;
  /** When the task begins, in ISO 8601, if it was created to start later. Null if it is not waiting for its start. */
  startsAt: string | null;
  /**
   * `blocked_by_failures` as soon as a step has failed permanently, also while others run or wait. `processing` while steps run
   * or wait. `all_complete` for every task that has ended.
   */
  executionStatus:
    | 'blocked_by_failures'
    | 'has_ready_steps'
    | 'processing'
    | 'all_complete'
    | 'waiting_for_dependencies';
  recommendedAction:
    | 'handle_failures'
    | 'execute_ready_steps'
    | 'wait_for_completion'
    | 'finalize_task'
    | 'wait_for_dependencies'
    | 'none';
  /**
   * The percentage of existing steps that have ended: 0 to 100, two decimals. Failed workers are treated as ended if
   * their batch tolerates failures, so a complete task has 100.
   */
  completionPercentage: number;
  /** `blocked` while a step is in `error` and its failure is not tolerated. */
  healthStatus: 'healthy' | 'blocked';
  /**
   * Set while the task exceeds a limit of its template's `lifecycle`. Null otherwise, and once it makes progress or
   * ends.
   */
  stale: StaleNote | null;
  /**
   * The pauses of the task, its template and its namespace, oldest first. During a pause, none of the task's steps
   * starts. Null without a pause, or if the task has ended.
   */
  paused: Pause[] | null;
}

/** A pause in force: no step that it covers starts until it is resumed. */
export interface Pause {
  scope: 'task' | 'template' | 'namespace';
  /** The id of the task, `namespace/name` or `namespace/name@version` of the template, or the namespace. */
  target: string;
  /** ISO 8601. */
  pausedAt: string;
  /** The operator that paused it. */
  pausedBy: string;
  reason: string | null;
}

/** The limit of its lifecycle that an open task exceeds. */
export interface StaleNote {
  /** The field of `lifecycle` that sets the limit, such as `max_steps_in_process_minutes`. */
  rule: string;
  /** The limit in minutes. */
  minutes: number;
  /** When the task last made progress, or, for `max_duration_minutes`, when it was created; ISO 8601. */
  since: string;
  /** When it was noted; ISO 8601. */
  at: string;
}

/** A failure, as it is stored. */
export interface StepError {
  message: string;
  error_type: string | null;
  retryable: boolean;
  backtrace: string[];
  status_code: number | null;
  context: Record<string, unknown>;
}

/** The outcome of an attempt, in the form that handlers, events and callers receive. */
export interface StepExecutionResult {
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
    custom: Record<string, unknown>;
    error_code: string | null;
    error_type: string | null;
    context: Record<string, unknown>;
  };
  status: 'completed' | 'failed';
  error: StepError | null;
  orchestration_metadata: {
    headers: Record<string, string>;
    error_context: string | null;
    backoff_hint: unknown;
    custom: Record<string, unknown>;
  };
}

/** The wait of a step. Times are ISO 8601. */
export interface StepWait {
  /** `completion`: another system completes it by its token. `call`: its handler asked to be called again. */
  kind: Exclude<WaitKind, 'start'>;
  since: string;
  /** The latest time at which the wait ends. Null if it has no limit. */
  until: string | null;
  /** When the engine acts next: at `until`, or before that for a reminder or the next call. Null means never. */
  dueAt: string | null;
  /** How often the handler has asked to be called again. 0 for other kinds. */
  calls: number;
  /** The settings of the wait, such as the name of a signal, with the names of the template file. */
  settings: Record<string, unknown>;
  /** The progress so far, such as votes. */
  progress: Record<string, unknown>;
}

/** Numbers of elements of a list. The others have not started, or were cancelled. */
export interface ListProgress {
  total: number;
  /** Elements that have started, including the ended ones. */
  started: number;
  /** Elements that have started and not ended. */
  open: number;
  completed: number;
  failed: number;
}

/** The element of a list that a step runs for. */
export interface StepElement {
  /** Its place in the list, from 0. */
  number: number;
  /** Its label. Null if the list has none. Lists of steps of many tasks never have it. */
  key: string | null;
}

/** A step as callers see it. */
export interface Step {
  stepUuid: string;
  taskUuid: string;
  name: string;
  /** The template step that it is created from. Differs from `name` for batch workers. */
  templateStepName: string;
  /** The handler that the template names. */
  callable: string;
  currentState: StepState;
  createdAt: string;
  updatedAt: string;
  completedAt: string | null;
  /** The outcome of the last attempt; null before the first one has ended. */
  results: StepExecutionResult | null;
  dependenciesSatisfied: boolean;
  retryEligible: boolean;
  readyForExecution: boolean;
  totalParents: number;
  completedParents: number;
  /** Number of attempts that count towards `max_attempts`. Excludes attempts before a reset, and released ones. */
  attempts: number;
  maxAttempts: number;
  /** The number of the rerun that its current run belongs to. 0 is the first run. */
  rerun: number;
  lastFailureAt: string | null;
  nextRetryAt: string | null;
  lastAttemptedAt: string | null;
  /** Its wait. Null unless it is in `waiting`. */
  wait: StepWait | null;
  /** The progress of its list. Null unless it is a step of the type `for_each` whose list has begun. */
  elements: ListProgress | null;
  /** The element that it runs for. Null unless it is a step inside a `for_each`. */
  element: StepElement | null;
  /** The worker that runs it or that ran it last. */
  worker: string | null;
  /** Declared events that its last attempt could not publish. Usually empty. */
  eventProblems: EventProblem[];
}

/** An attempt at a step, or an action on a task or a step. */
export interface HistoryEntry {
  /** Null if the entry is about the whole task. */
  step: string | null;
  kind: 'attempt' | 'operator';
  /**
   * The number of the attempt, which its handler saw as `context.attempt`. Starts that did not count have the number of
   * the attempt that followed, and a reset or a rerun starts again from 1. Null for an operator's action.
   */
  attempt: number | null;
  /** The number of the rerun that the attempt belongs to: 0 in the first run of the step. Null for an operator's action. */
  rerun: number | null;
  /**
   * The outcome of the attempt, or the operator's action. `fail` and `note` are actions of the template's lifecycle,
   * and actions on its dead letters begin with `dlq_`.
   */
  what: string;
  toState: string;
  startedAt: string | null;
  at: string;
  durationMs: number | null;
  who: string;
  /** The operator's reason, or the error's message. */
  why: string | null;
  error: StepError | null;
  errorCode: string | null;
  metadata: Record<string, unknown>;
  /** Milliseconds from the end of a failed attempt until the next one was due. Null if there is no next attempt. */
  retryDelayMs: number | null;
  /** The calls of the handler, if it asked to be called again in this attempt. Otherwise null. */
  calls: AttemptCalls | null;
  /** The result of the attempt, if a rerun has dropped it. Otherwise null; the step has the current result. */
  droppedResult: unknown;
}

/** The details that are stored with a result: only fields that differ from the defaults. */
export interface AttemptDetail {
  error?: Partial<StepError> & { error_code?: string | null };
  custom?: Record<string, unknown>;
  handler_version?: string;
  /** Milliseconds from the end of a failed attempt to the next attempt, if there is one. */
  retry_delay_ms?: number;
  /** The worker that ran it, if another worker claimed it. */
  worker_id?: string;
  orchestration_metadata?: Partial<StepExecutionResult['orchestration_metadata']>;
  event_problems?: EventProblem[];
  /** The wait with which the attempt ended, and the cause of the wait's end. */
  wait?: { kind: WaitKind; ended_by: WaitEnd };
  calls?: AttemptCalls;
}

/** The calls of a handler that asked to be called again (`notYet`), in one attempt. */
export interface AttemptCalls {
  /** Number of calls, including the last one. */
  count: number;
  /** When the first call had ended, in ISO 8601. */
  first: string;
  /** When the last call started, in ISO 8601. */
  last: string;
}

/** A declared event that an attempt could not publish, and why. */
export interface EventProblem {
  /** The event's name. */
  event: string;
  /** `invalid`: the payload does not match its schema or is not JSON. `failed`: the publisher returned no payload. */
  kind: 'invalid' | 'failed';
  message: string;
  /** The place in the payload as a JSON pointer; null if the problem has none. */
  path: string | null;
}

// A failed step takes precedence, even while other branches continue.
function executionOf(row: TaskRow): readonly [Task['executionStatus'], Task['recommendedAction']] {
  if (row.completedAt !== null) return ['all_complete', row.status === 'complete' ? 'finalize_task' : 'none'];
  if (row.blockingSteps > 0) return ['blocked_by_failures', 'handle_failures'];
  if (row.readySteps > 0) return ['has_ready_steps', 'execute_ready_steps'];
  if (row.inProgressSteps > 0 || row.waitingSteps > 0) return ['processing', 'wait_for_completion'];
  return ['waiting_for_dependencies', 'wait_for_dependencies'];
}

/** Converts a row to the form that callers receive. Copies field by field, because rest and spread take microseconds. */
export function taskView(row: TaskRow): Task {
  const [executionStatus, recommendedAction] = executionOf(row);
  return {
    taskUuid: row.taskUuid,
    name: row.name,
    namespace: row.namespace,
    version: row.version,
    status: row.status as TaskState,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    completedAt: row.completedAt,
    context: JSON.parse(row.context) as Record<string, unknown>,
    initiator: row.initiator,
    sourceSystem: row.sourceSystem,
    createdWith: row.createdWith,
    reason: row.reason,
    priority: row.priority,
    tags: row.tags,
    correlationId: row.correlationId,
    parentCorrelationId: row.parentCorrelationId,
    reruns: row.reruns,
    rerunAt: row.rerunAt,
    copyOf: row.copyOf,
    totalSteps: row.totalSteps,
    pendingSteps: row.pendingSteps,
    inProgressSteps: row.inProgressSteps,
    completedSteps: row.completedSteps,
    failedSteps: row.failedSteps,
    readySteps: row.readySteps,
    waitingSteps: row.waitingSteps,
    skippedSteps: row.skippedSteps,
    handledFailures: Math.max(0, row.failedSteps - row.blockingSteps),
    startsAt: row.startsAt,
    executionStatus,
    recommendedAction,
    completionPercentage: percentage(row),
    healthStatus: row.blockingSteps > 0 && row.completedAt === null ? 'blocked' : 'healthy',
    stale: row.stale === null ? null : (JSON.parse(row.stale) as StaleNote),
    paused: row.paused === null ? null : (JSON.parse(row.paused) as Pause[]),
  };
}

// Tolerated failures are counted too, but not in a task that was cancelled or ended early.
function percentage({ totalSteps, verdict, openSteps, completedSteps }: TaskRow): number {
  if (totalSteps === 0) return 0;
  const over = verdict === null ? totalSteps - openSteps : completedSteps;
  return Math.round((over / totalSteps) * 10_000) / 100;
}

/** Returns the complete error of an attempt from its stored parts. */
function errorOf(detail: AttemptDetail): StepError | null {
  if (!detail.error) return null;
  return {
    message: detail.error.message ?? 'unknown error',
    error_type: detail.error.error_type ?? null,
    backtrace: detail.error.backtrace ?? [],
    retryable: detail.error.retryable ?? false,
    status_code: detail.error.status_code ?? null,
    context: detail.error.context ?? {},
  };
}

/** An ended attempt, without its stored details. */
interface EndedAttempt {
  stepUuid: string;
  success: boolean;
  result: unknown;
  durationMs: number | null;
  startedAt: string | null;
  completedAt: string | null;
  worker: string | null;
  host: string | null;
  /** False if an operator finished the step instead of a handler. */
  byWorker?: boolean;
}

/** Returns the complete outcome of an attempt from its stored parts. */
export function executionResult(
  detail: AttemptDetail,
  { stepUuid, success, result, byWorker = true, ...attempt }: EndedAttempt,
): StepExecutionResult {
  const error = success ? null : errorOf(detail);
  return {
    step_uuid: stepUuid,
    success,
    result,
    metadata: {
      execution_time_ms: attempt.durationMs,
      handler_version: byWorker ? (detail.handler_version ?? '1.0.0') : null,
      retryable: error?.retryable ?? false,
      completed_at: attempt.completedAt,
      worker_id: byWorker ? (detail.worker_id ?? attempt.worker) : null,
      worker_hostname: byWorker ? attempt.host : null,
      started_at: attempt.startedAt,
      custom: detail.custom ?? {},
      error_code: detail.error?.error_code ?? null,
      error_type: error?.error_type ?? null,
      context: {},
    },
    status: success ? 'completed' : 'failed',
    error,
    orchestration_metadata: {
      headers: {},
      error_context: null,
      backoff_hint: null,
      custom: {},
      ...detail.orchestration_metadata,
    },
  };
}

function resultsOf(taskUuid: string, row: StepRow): StepExecutionResult | null {
  const success = row.state === 'complete' || row.state === 'resolved_manually';
  if (!success && row.lastOutcome === null) return null;
  const { idx, result, durationMs, startedAt, worker, host } = row;
  return executionResult(detailOf(row), {
    stepUuid: stepUuid(taskUuid, idx),
    success,
    result: result === null ? {} : JSON.parse(result),
    durationMs,
    startedAt,
    completedAt: row.endedAt ?? row.doneAt,
    worker,
    host,
    byWorker: row.lastOutcome === 'completed' || !success,
  });
}

function detailOf({ detail }: { detail: string | null }): AttemptDetail {
  return detail === null ? {} : (JSON.parse(detail) as AttemptDetail);
}

/** Returns when a step was completed or resolved. Null in other states: the row then has another time. */
export function stepCompletedAt({ state, doneAt }: Pick<StepRow, 'state' | 'doneAt'>): string | null {
  return state === 'complete' || state === 'resolved_manually' ? doneAt : null;
}

/** Returns a row as callers see it. */
export function stepView(taskUuid: string, row: StepRow): Step {
  const attempts = row.attempts - row.spared;
  const failed = row.lastOutcome === 'failed' || row.lastOutcome === 'worker_lost';
  return {
    stepUuid: stepUuid(taskUuid, row.idx),
    taskUuid,
    name: row.name,
    templateStepName: row.templateName,
    callable: row.callable,
    currentState: row.state as StepState,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    completedAt: stepCompletedAt(row),
    results: resultsOf(taskUuid, row),
    dependenciesSatisfied: row.remaining === 0,
    retryEligible: attempts === 0 || (row.retryable && attempts < row.maxAttempts),
    readyForExecution: row.state === 'enqueued',
    totalParents: row.totalParents,
    completedParents: row.totalParents - row.remaining,
    attempts,
    maxAttempts: row.maxAttempts,
    rerun: row.rerun,
    lastFailureAt: failed ? row.endedAt : null,
    nextRetryAt: row.state === 'waiting_for_retry' ? row.nextAt : null,
    lastAttemptedAt: row.startedAt,
    wait: row.wait === null ? null : (JSON.parse(row.wait) as StepWait),
    elements: row.elements === null ? null : (JSON.parse(row.elements) as ListProgress),
    element: elementOf(row),
    worker: row.worker,
    eventProblems: detailOf(row).event_problems ?? [],
  };
}

/** Returns the element that a step runs for, without its label. */
function elementOf({ name, templateName }: StepRow): StepElement | null {
  const found = readElementName(name);
  return found?.step === templateName ? { number: found.element, key: null } : null;
}

/** Returns a row as callers see it. */
export function historyView(row: HistoryRow): HistoryEntry {
  const { kind, attempt, rerun, what, toState, durationMs, droppedResult } = row;
  const detail = detailOf(row);
  const error = errorOf(detail);
  return {
    step: row.idx === null ? null : (row.name ?? String(row.idx)),
    kind,
    attempt,
    rerun,
    what,
    toState,
    startedAt: row.startedAt?.toISOString() ?? null,
    at: row.at.toISOString(),
    durationMs,
    who: detail.worker_id ?? row.who,
    why: row.reason ?? error?.message ?? null,
    error,
    errorCode: detail.error?.error_code ?? null,
    metadata: detail.custom ?? {},
    retryDelayMs: detail.retry_delay_ms ?? null,
    calls: detail.calls ?? null,
    droppedResult: droppedResult === null ? null : JSON.parse(droppedResult),
  };
}
