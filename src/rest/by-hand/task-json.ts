import { createHash } from 'node:crypto';
import type { z } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker, TaskSnapshot } from '../../app/tasker.ts';
import type {
  StepAuditSchema,
  StepResponseSchema,
  TaskResponseSchema,
  TaskSummarySchema,
} from '../../contract/schemas/tasks.ts';
import type { DeadLetterReason, DeadLetterStatus } from '../../model/dead-letter.ts';
import type { TaskTemplate } from '../../template/task-template.ts';

type Task = TaskSnapshot['task'];
type Step = TaskSnapshot['steps'][number];
type HistoryEntry = Awaited<ReturnType<Tasker['getHistory']>>[number];

/**
 * Returns a UUID (version 8) derived from a string, for objects without a UUID. The same string always has the same
 * UUID.
 */
export function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Removes the zone of a time in UTC, for the steps of a task. */
function naive(time: string | null): string | null {
  return time === null ? null : time.replace(/Z$/, '');
}

/** Returns a task with its steps. In lists, `steps` is empty. */
export function taskJson(task: Task, steps: readonly Step[]): z.infer<typeof TaskResponseSchema> {
  const json = taskJsonWithoutOutput(task, steps);
  if (task.output) json.output = task.output;
  if (task.outputError !== undefined) json.output_error = task.outputError;
  return json;
}

function taskJsonWithoutOutput(task: Task, steps: readonly Step[]): z.infer<typeof TaskResponseSchema> {
  // A literal without spreads, because V8 makes an object of so many spread fields a dictionary, which takes 15 kB.
  return {
    task_uuid: task.taskUuid,
    name: task.name,
    namespace: task.namespace,
    version: task.version,
    status: task.status,
    created_at: task.createdAt,
    updated_at: task.updatedAt,
    completed_at: task.completedAt,
    initiator: task.initiator ?? '',
    source_system: task.sourceSystem ?? '',
    reason: task.reason ?? '',
    context: task.context,
    priority: task.priority,
    tags: task.tags,
    correlation_id: task.correlationId,
    parent_correlation_id: task.parentCorrelationId,
    total_steps: task.totalSteps,
    pending_steps: task.pendingSteps,
    in_progress_steps: task.inProgressSteps,
    completed_steps: task.completedSteps,
    failed_steps: task.failedSteps,
    ready_steps: task.readySteps,
    execution_status: task.executionStatus,
    recommended_action: task.recommendedAction,
    completion_percentage: task.completionPercentage,
    health_status: task.healthStatus,
    steps: steps.map((step) => readinessJson(task, step)),
    waiting_steps: task.waitingSteps,
    skipped_steps: task.skippedSteps,
    handled_failures: task.handledFailures,
    starts_at: task.startsAt,
    reruns: task.reruns,
    rerun_at: task.rerunAt,
    copy_of: task.copyOf,
    created_with: task.createdWith,
    stale: task.stale,
    paused: task.paused === null ? null : task.paused.map((pause) => snakeKeys(pause)),
  };
}

function readinessJson(task: Task, step: Step) {
  return {
    workflow_step_uuid: step.stepUuid,
    task_uuid: step.taskUuid,
    named_step_uuid: uuidOf(`step ${task.namespace}/${step.templateStepName}`),
    name: step.name,
    current_state: step.currentState,
    dependencies_satisfied: step.dependenciesSatisfied,
    retry_eligible: step.retryEligible,
    ready_for_execution: step.readyForExecution,
    last_failure_at: naive(step.lastFailureAt),
    next_retry_at: naive(step.nextRetryAt),
    total_parents: step.totalParents,
    completed_parents: step.completedParents,
    attempts: step.attempts,
    max_attempts: step.maxAttempts,
    backoff_request_seconds: null,
    last_attempted_at: naive(step.lastAttemptedAt),
  };
}

export function stepJson(step: Step): z.infer<typeof StepResponseSchema> {
  return {
    step_uuid: step.stepUuid,
    task_uuid: step.taskUuid,
    name: step.name,
    created_at: step.createdAt,
    updated_at: step.updatedAt,
    completed_at: step.completedAt,
    results: step.results,
    current_state: step.currentState,
    dependencies_satisfied: step.dependenciesSatisfied,
    retry_eligible: step.retryEligible,
    ready_for_execution: step.readyForExecution,
    total_parents: step.totalParents,
    completed_parents: step.completedParents,
    attempts: step.attempts,
    max_attempts: step.maxAttempts,
    last_failure_at: step.lastFailureAt,
    next_retry_at: step.nextRetryAt,
    last_attempted_at: step.lastAttemptedAt,
    template_step_name: step.templateStepName,
    handler: step.callable,
    worker: step.worker,
    wait: step.wait && snakeKeys(step.wait),
    elements: step.elements,
    element: step.element,
    rerun: step.rerun,
    event_problems: step.eventProblems,
  };
}

/** The attempts and the actions of operators on one step, newest first. */
export function auditJson(task: Task, step: Step, history: readonly HistoryEntry[]): z.infer<typeof StepAuditSchema>[] {
  const own = history.filter((entry) => entry.step === step.name);
  let ended = 0;
  return own
    .map((entry, at) => {
      const id = `${step.stepUuid} ${entry.kind} ${entry.kind === 'attempt' ? ++ended : entry.at}`;
      const success = entry.toState === 'complete' || entry.toState === 'resolved_manually';
      return {
        audit_uuid: uuidOf(`audit ${id}`),
        workflow_step_uuid: step.stepUuid,
        transition_uuid: uuidOf(`transition ${id}`),
        task_uuid: step.taskUuid,
        recorded_at: entry.at,
        ...(entry.kind === 'attempt' && { worker_uuid: uuidOf(`worker ${entry.who}`) }),
        correlation_id: task.correlationId,
        success,
        ...(entry.durationMs !== null && { execution_time_ms: entry.durationMs }),
        ...(success && at === own.length - 1 && { result: { type: 'completed', data: step.results?.result ?? null } }),
        ...(entry.error !== null && { result: { type: 'failed', data: entry.error } }),
        step_name: step.name,
        from_state: entry.kind === 'attempt' ? 'in_progress' : 'error',
        to_state: entry.toState,
      };
    })
    .reverse();
}

/** The fields of a task that its summary has. */
const SUMMARIZED = [
  'task_uuid',
  'name',
  'namespace',
  'version',
  'status',
  'created_at',
  'updated_at',
  'completed_at',
  'initiator',
  'source_system',
  'reason',
  'correlation_id',
  'total_steps',
  'pending_steps',
  'in_progress_steps',
  'completed_steps',
  'failed_steps',
  'execution_status',
  'recommended_action',
  'completion_percentage',
  'health_status',
] as const;

/** The dead letter of a task, as its summary shows it. */
export interface SummaryDeadLetter {
  dlqReason: DeadLetterReason;
  status: DeadLetterStatus;
}

export function summaryJson(
  { task, steps }: TaskSnapshot,
  template: TaskTemplate | undefined,
  entry: SummaryDeadLetter | undefined,
): z.infer<typeof TaskSummarySchema> {
  const path = `/v1/tasks/${task.taskUuid}`;
  const whole = taskJson(task, []);
  return {
    task: Object.fromEntries(SUMMARIZED.map((key) => [key, whole[key]])) as Pick<
      typeof whole,
      (typeof SUMMARIZED)[number]
    >,
    template: {
      steps: (template?.steps ?? []).map(({ name, type, handler, dependencies, retry, elementOf }) => ({
        name,
        step_type: type,
        handler: handler.callable,
        dependencies,
        retryable: retry.retryable,
        max_attempts: retry.maxAttempts,
        ...(elementOf !== null && { element_of: elementOf }),
      })),
    },
    steps: steps.map((step) => ({
      step_uuid: step.stepUuid,
      name: step.name,
      current_state: step.currentState,
      created_at: step.createdAt,
      completed_at: step.completedAt,
      last_attempted_at: step.lastAttemptedAt,
      attempts: step.attempts,
      max_attempts: step.maxAttempts,
      dependencies_satisfied: step.dependenciesSatisfied,
      retry_eligible: step.retryEligible,
      error: step.results?.error
        ? {
            error_type: step.results.error.error_type,
            retryable: step.results.error.retryable,
            status_code: step.results.error.status_code,
          }
        : null,
    })),
    dlq: {
      in_dlq: entry?.status === 'pending',
      dlq_reason: entry?.dlqReason ?? null,
      resolution_status: entry?.status ?? null,
    },
    links: { task: path, steps: `${path}/workflow_steps`, dlq: '/v1/dlq' },
  };
}
