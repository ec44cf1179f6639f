import { stepUuid } from '../model/ids.ts';
import type { StepRow } from '../store/read-steps.ts';
import type { HistoryRow, TaskRow } from '../store/tasks.ts';

/** The states a task can be in. */
export const TASK_STATES = [
  'pending',
  'initializing',
  'enqueuing_steps',
  'steps_in_process',
  'evaluating_results',
  'waiting_for_dependencies',
  'waiting_for_retry',
  'blocked_by_failures',
  'complete',
  'error',
  'cancelled',
  'resolved_manually',
] as const;
/** A state that a task can be in; docs/states.md draws which leads to which. */
export type TaskState = (typeof TASK_STATES)[number];

/** The states a step can be in. */
export type StepState =
  | 'pending'
  | 'enqueued'
  | 'in_progress'
  | 'enqueued_for_orchestration'
  | 'enqueued_as_error_for_orchestration'
  | 'waiting_for_retry'
  | 'complete'
  | 'error'
  | 'cancelled'
  | 'resolved_manually';

/** A task as callers see it. Times are ISO 8601 in UTC, to the microsecond. */
export interface Task {
  taskUuid: string;
  name: string;
  namespace: string;
  version: string;
  /** `pending` until the first step is claimed. */
  status: TaskState;
  createdAt: string;
  updatedAt: string;
  completedAt: string | null;
  context: Record<string, unknown>;
  initiator: string | null;
  sourceSystem: string | null;
  reason: string | null;
  priority: number;
  tags: string[];
  correlationId: string;
  parentCorrelationId: string | null;
  totalSteps: number;
  pendingSteps: number;
  inProgressSteps: number;
  completedSteps: number;
  failedSteps: number;
  readySteps: number;
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
   * How much of the steps that there are is over: 0 to 100, two decimals. Workers whose failure their batch tolerates
   * are over, so that a task that is complete has 100.
   */
  completionPercentage: number;
  /** `blocked` while a step is in error whose failure is not tolerated. */
  healthStatus: 'healthy' | 'blocked';
  /** Set while the task stands longer than its template's `lifecycle` allows; null otherwise, and once it moves or ends. */
  stale: StaleNote | null;
}

/** Which limit of its lifecycle an open task is over. */
export interface StaleNote {
  /** The field of `lifecycle` that sets the limit, as `max_steps_in_process_minutes`. */
  rule: string;
  /** The limit. */
  minutes: number;
  /** When the task moved last, or for `max_duration_minutes` was created; ISO 8601. */
  since: string;
  /** When it was noted; ISO 8601. */
  at: string;
}

/** A failure as it is stored. */
export interface StepError {
  message: string;
  error_type: string | null;
  retryable: boolean;
  backtrace: string[];
  status_code: number | null;
  context: Record<string, unknown>;
}

/** What an attempt came to: the form in which results are passed on and shown. */
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

/** A step as callers see it. */
export interface Step {
  stepUuid: string;
  taskUuid: string;
  name: string;
  /** The step of the template that it is made from: differs from `name` for the workers of a batch. */
  templateStepName: string;
  /** The handler that the template names. */
  callable: string;
  currentState: StepState;
  createdAt: string;
  updatedAt: string;
  completedAt: string | null;
  /** What the last attempt came to; null before the first one ended. */
  results: StepExecutionResult | null;
  dependenciesSatisfied: boolean;
  retryEligible: boolean;
  readyForExecution: boolean;
  totalParents: number;
  completedParents: number;
  /** Starts that count; those before a reset, or given back by a stopping worker, do not. */
  attempts: number;
  maxAttempts: number;
  lastFailureAt: string | null;
  nextRetryAt: string | null;
  lastAttemptedAt: string | null;
  /** The worker that runs it, or ran it last. */
  worker: string | null;
  /** Declared events that its last attempt did not publish because something was wrong with them; mostly empty. */
  eventProblems: EventProblem[];
}

/** One thing that happened to a task or a step. */
export interface HistoryEntry {
  /** Null: it happened to the whole task. */
  step: string | null;
  kind: 'attempt' | 'operator';
  attempt: number | null;
  /** The outcome of the attempt, or what the operator did; `fail` and `note` are what the template's lifecycle did. */
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
}

/** What recording keeps beside a result: only what differs from the ordinary. */
export interface AttemptDetail {
  error?: Partial<StepError> & { error_code?: string | null };
  custom?: Record<string, unknown>;
  handler_version?: string;
  /** Who ran it, where that is not the worker that claimed it. */
  worker_id?: string;
  orchestration_metadata?: Partial<StepExecutionResult['orchestration_metadata']>;
  event_problems?: EventProblem[];
}

/** An event that a step declares and an attempt did not publish, and why. */
export interface EventProblem {
  /** The event's name. */
  event: string;
  /** `invalid`: the payload does not fit its schema, or JSON can't hold it; `failed`: its publisher did not give one. */
  kind: 'invalid' | 'failed';
  message: string;
  /** The place in the payload, as a JSON pointer; null where it is not about one. */
  path: string | null;
}

function derived(row: TaskRow): Pick<Task, 'executionStatus' | 'recommendedAction'> {
  if (row.completedAt !== null && row.verdict !== null)
    return { executionStatus: 'all_complete', recommendedAction: 'none' };
  if (row.status === 'blocked_by_failures') {
    return { executionStatus: 'blocked_by_failures', recommendedAction: 'handle_failures' };
  }
  if (row.readySteps > 0) return { executionStatus: 'has_ready_steps', recommendedAction: 'execute_ready_steps' };
  if (row.inProgressSteps > 0) return { executionStatus: 'processing', recommendedAction: 'wait_for_completion' };
  if (row.status === 'complete') return { executionStatus: 'all_complete', recommendedAction: 'none' };
  return { executionStatus: 'waiting_for_dependencies', recommendedAction: 'wait_for_dependencies' };
}

/** A row as callers see it. Field by field, because a rest and a spread cost each task several microseconds. */
export function taskView(row: TaskRow): Task {
  const { executionStatus, recommendedAction } = derived(row);
  return {
    taskUuid: row.taskUuid,
    name: row.name,
    namespace: row.namespace,
    version: row.version,
    status: (row.status === 'steps_in_process' && row.mostAttempts === 0 ? 'pending' : row.status) as TaskState,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    completedAt: row.completedAt,
    context: JSON.parse(row.context) as Record<string, unknown>,
    initiator: row.initiator,
    sourceSystem: row.sourceSystem,
    reason: row.reason,
    priority: row.priority,
    tags: row.tags,
    correlationId: row.correlationId,
    parentCorrelationId: row.parentCorrelationId,
    totalSteps: row.totalSteps,
    pendingSteps: row.pendingSteps,
    inProgressSteps: row.inProgressSteps,
    completedSteps: row.completedSteps,
    failedSteps: row.failedSteps,
    readySteps: row.readySteps,
    executionStatus,
    recommendedAction,
    completionPercentage: percentage(row),
    healthStatus: row.blockingSteps > 0 && row.completedAt === null ? 'blocked' : 'healthy',
    stale: row.stale === null ? null : (JSON.parse(row.stale) as StaleNote),
  };
}

// Of a task that was ended from outside, only what was done counts; else also what a batch goes on without.
function percentage({ totalSteps, verdict, openSteps, completedSteps }: TaskRow): number {
  if (totalSteps === 0) return 0;
  const over = verdict === null ? totalSteps - openSteps : completedSteps;
  return Math.round((over / totalSteps) * 10_000) / 100;
}

/** The error of an attempt in full, from the parts that were kept. */
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

/** An attempt that ended, beside what was kept of it. */
interface EndedAttempt {
  stepUuid: string;
  success: boolean;
  result: unknown;
  durationMs: number | null;
  startedAt: string | null;
  completedAt: string | null;
  worker: string | null;
  host: string | null;
  /** False: an operator finished it, and no handler. */
  byWorker?: boolean;
}

/** What an attempt came to, in full, from the parts that were kept. */
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

/** A row as callers see it. */
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
    completedAt: row.state === 'complete' || row.state === 'resolved_manually' ? row.doneAt : null,
    results: resultsOf(taskUuid, row),
    dependenciesSatisfied: row.remaining === 0,
    retryEligible: attempts === 0 || (row.retryable && attempts < row.maxAttempts),
    readyForExecution: row.state === 'enqueued',
    totalParents: row.totalParents,
    completedParents: row.totalParents - row.remaining,
    attempts,
    maxAttempts: row.maxAttempts,
    lastFailureAt: failed ? row.endedAt : null,
    nextRetryAt: row.state === 'waiting_for_retry' ? row.nextAt : null,
    lastAttemptedAt: row.startedAt,
    worker: row.worker,
    eventProblems: detailOf(row).event_problems ?? [],
  };
}

/** A row as callers see it; `nameOf` gives the step's name. */
export function historyView(row: HistoryRow, nameOf: (idx: number) => string): HistoryEntry {
  const { kind, attempt, what, toState, durationMs } = row;
  const detail = detailOf(row);
  const error = errorOf(detail);
  return {
    step: row.idx === null ? null : nameOf(row.idx),
    kind,
    attempt,
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
  };
}
