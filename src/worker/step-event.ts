import type {
  FfiDependencyResult,
  FfiStepDefinition,
  FfiStepEvent,
  FfiTaskInfo,
  FfiWorkflowStep,
} from '../handlers/ffi-step-event.ts';
import { uuidOfDigest, uuidV7 } from '../model/ids.ts';
import { idsOf } from '../tracing/traceparent.ts';
import type { DispatchedStep } from './dispatched-step.ts';

const naive = (time: Date) => time.toISOString().replace('T', ' ').replace('Z', '000');

/** Parses a time that the database wrote as JSON, in UTC and without a zone. */
const dateOf = (json: string) => new Date(`${JSON.parse(json) as string}Z`);

/**
 * Returns the step as the event that `EventPoller` and `context.event` return. Its large parts are built lazily and
 * only once, because most handlers read few of them.
 */
export function stepEvent(step: DispatchedStep, eventId: string = uuidV7()): FfiStepEvent {
  const traced = step.traceparent === undefined ? undefined : idsOf(step.traceparent);
  let task: FfiTaskInfo | undefined;
  let workflowStep: FfiWorkflowStep | undefined;
  let stepDefinition: FfiStepDefinition | undefined;
  let dependencyResults: Record<string, FfiDependencyResult> | undefined;
  return {
    eventId,
    taskUuid: step.taskUuid,
    stepUuid: step.stepUuid,
    correlationId: step.correlationId,
    traceId: traced?.traceId ?? null,
    spanId: traced?.spanId ?? null,
    taskCorrelationId: step.correlationId,
    parentCorrelationId: step.task.row.parentCorrelationId,
    ...(step.inputs && { inputs: step.inputData }),
    get task() {
      task ??= taskInfo(step);
      return task;
    },
    get workflowStep() {
      workflowStep ??= stepInfo(step);
      return workflowStep;
    },
    get stepDefinition() {
      stepDefinition ??= definitionOf(step);
      return stepDefinition;
    },
    get dependencyResults() {
      dependencyResults ??= resultsAbove(step);
      return dependencyResults;
    },
  };
}

const createdAt = ({ task }: DispatchedStep) => naive(dateOf(task.row.createdAt));

function taskInfo(step: DispatchedStep): FfiTaskInfo {
  const { row, snapshot } = step.task;
  const { template, digest } = snapshot;
  const created = createdAt(step);
  return {
    taskUuid: step.taskUuid,
    namedTaskUuid: uuidOfDigest(digest),
    name: template.name,
    namespace: template.namespace,
    version: template.version,
    context: step.taskContext,
    correlationId: step.correlationId,
    parentCorrelationId: row.parentCorrelationId,
    complete: false,
    priority: row.rank === 0 ? 0 : -row.rank,
    initiator: row.initiator,
    sourceSystem: row.sourceSystem,
    reason: row.reason,
    tags: row.tags ?? [],
    ...(step.schedule && { schedule: step.schedule }),
    identityHash: '',
    createdAt: created,
    updatedAt: created,
    requestedAt: created,
  };
}

function stepInfo(step: DispatchedStep): FfiWorkflowStep {
  const { template } = step;
  const created = createdAt(step);
  return {
    workflowStepUuid: step.stepUuid,
    taskUuid: step.taskUuid,
    namedStepUuid: step.stepUuid,
    name: step.name,
    templateStepName: template.name,
    retryable: template.retry.retryable,
    maxAttempts: step.maxAttempts,
    attempts: step.retryCount,
    rerun: step.rerun,
    ...(step.undo && { undo: step.undo }),
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
  };
}

function definitionOf(step: DispatchedStep): FfiStepDefinition {
  const { template } = step;
  return {
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
  };
}

function resultsAbove(step: DispatchedStep): Record<string, FfiDependencyResult> {
  const results: Record<string, FfiDependencyResult> = {};
  for (const name of step.dependencyNames()) {
    const { stepUuid, result, success = true, ...failure } = step.dependency(name)!;
    results[name] = {
      stepUuid,
      success,
      result,
      status: success ? 'completed' : 'failed',
      errorMessage: failure.errorMessage ?? null,
      errorType: failure.errorType ?? null,
      errorRetryable: failure.errorRetryable ?? null,
    };
  }
  return results;
}
