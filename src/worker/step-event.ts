import type { FfiDependencyResult, FfiStepEvent } from '../handlers/ffi-step-event.ts';
import { uuidV7 } from '../model/uuid.ts';
import type { HeldStep } from './held-step.ts';

const naive = (time: Date) => time.toISOString().replace('T', ' ').replace('Z', '000');

/** A time as the server writes it, `2026-01-02 03:04:05.123456+00`. */
const dateOf = (text: string) => new Date(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));

/** The step as the event of the described system's workers. Made only when a handler asks for `context.event`. */
export function stepEvent(step: HeldStep): FfiStepEvent {
  const { row, snapshot } = step.task;
  const { template: task, digest } = snapshot;
  const { template } = step;
  const created = naive(dateOf(row.created_at));
  const dependencyResults: Record<string, FfiDependencyResult> = {};
  for (const name of step.dependencyNames()) {
    const { stepUuid, result, success = true, ...failure } = step.dependency(name)!;
    dependencyResults[name] = {
      stepUuid,
      success,
      result,
      status: success ? 'completed' : 'failed',
      errorMessage: failure.errorMessage ?? null,
      errorType: failure.errorType ?? null,
      errorRetryable: failure.errorRetryable ?? null,
    };
  }
  return {
    eventId: uuidV7(),
    taskUuid: step.taskUuid,
    stepUuid: step.stepUuid,
    correlationId: step.correlationId,
    traceId: null,
    spanId: null,
    taskCorrelationId: step.correlationId,
    parentCorrelationId: row.parent_correlation_id,
    task: {
      taskUuid: step.taskUuid,
      namedTaskUuid: namedUuid(digest),
      name: task.name,
      namespace: task.namespace,
      version: task.version,
      context: step.inputData,
      correlationId: step.correlationId,
      parentCorrelationId: row.parent_correlation_id,
      complete: false,
      priority: row.rank === 0 ? 0 : -row.rank,
      initiator: row.initiator,
      sourceSystem: row.source_system,
      reason: row.reason,
      tags: row.tags ?? [],
      identityHash: '',
      createdAt: created,
      updatedAt: created,
      requestedAt: created,
    },
    workflowStep: {
      workflowStepUuid: step.stepUuid,
      taskUuid: step.taskUuid,
      namedStepUuid: step.stepUuid,
      name: step.name,
      templateStepName: template.name,
      retryable: template.retry.retryable,
      maxAttempts: step.maxAttempts,
      attempts: step.retryCount,
      inProcess: false,
      processed: false,
      inputs: step.stepInputs,
      results: null,
      backoffRequestSeconds: null,
      processedAt: null,
      lastAttemptedAt: null,
      createdAt: created,
      updatedAt: created,
      checkpoint: step.checkpoint,
    },
    stepDefinition: {
      name: template.name,
      description: template.description,
      handlerCallable: template.handler.callable,
      handlerMethod: template.handler.method,
      handlerResolver: template.handler.resolver,
      handlerInitialization: step.stepConfig,
      systemDependency: template.systemDependency,
      dependencies: [...template.dependencies],
      timeoutSeconds: template.timeoutSeconds,
      retryRetryable: template.retry.retryable,
      retryMaxAttempts: template.retry.maxAttempts,
      retryBackoff: template.retry.backoff,
      retryBackoffBaseMs: template.retry.backoffBaseMs,
      retryMaxBackoffMs: template.retry.maxBackoffMs,
    },
    dependencyResults,
  };
}

/** A UUID (version 8, RFC 9562) out of a snapshot's digest: the same for every process. */
function namedUuid(digest: string): string {
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
}
