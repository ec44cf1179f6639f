import type { DependencyResultParams } from '../handlers/dependency-result.ts';
import type { FfiDependencyResult, FfiStepEvent } from '../handlers/ffi-step-event.ts';
import { stepUuid, uuidV7 } from '../model/uuid.ts';
import { DEFAULT_RETRY } from '../template/task-template.ts';

/** What a test says of the step; the event has defaults for the rest. */
export interface TestStep {
  taskUuid: string;
  stepUuid: string;
  correlationId: string;
  handlerName: string;
  stepName: string;
  inputData: Record<string, unknown>;
  stepConfig: Record<string, unknown>;
  stepInputs: Record<string, unknown>;
  retryCount: number;
  maxRetries: number;
  checkpoint: Record<string, unknown> | null;
  dependencies: ReadonlyMap<string, DependencyResultParams>;
}

/** The step event behind a test's context, for handlers that read `context.event`. */
export function testStepEvent(step: TestStep): FfiStepEvent {
  const now = new Date().toISOString().replace('T', ' ').replace('Z', '000');
  const { taskUuid, correlationId } = step;
  const dependencyResults: Record<string, FfiDependencyResult> = {};
  for (const [name, { stepUuid: id, result }] of step.dependencies)
    dependencyResults[name] = { stepUuid: id, success: true, result, status: 'completed' };
  return {
    eventId: uuidV7(),
    taskUuid,
    stepUuid: step.stepUuid,
    correlationId,
    taskCorrelationId: correlationId,
    task: {
      taskUuid,
      namedTaskUuid: stepUuid(taskUuid, 10_000),
      name: 'test_task',
      namespace: 'test',
      version: '1.0.0',
      context: step.inputData,
      correlationId,
      complete: false,
      priority: 0,
      identityHash: '',
      createdAt: now,
      updatedAt: now,
      requestedAt: now,
    },
    workflowStep: workflowStepOf(step, now),
    stepDefinition: {
      name: step.stepName,
      handlerCallable: step.handlerName,
      handlerInitialization: step.stepConfig,
      dependencies: [...step.dependencies.keys()],
      retryRetryable: DEFAULT_RETRY.retryable,
      retryMaxAttempts: step.maxRetries,
      retryBackoff: DEFAULT_RETRY.backoff,
      retryBackoffBaseMs: DEFAULT_RETRY.backoffBaseMs,
      retryMaxBackoffMs: DEFAULT_RETRY.maxBackoffMs,
    },
    dependencyResults,
  };
}

function workflowStepOf(step: TestStep, now: string): FfiStepEvent['workflowStep'] {
  return {
    workflowStepUuid: step.stepUuid,
    taskUuid: step.taskUuid,
    namedStepUuid: step.stepUuid,
    name: step.stepName,
    templateStepName: step.stepName,
    retryable: true,
    maxAttempts: step.maxRetries,
    attempts: step.retryCount,
    inProcess: false,
    processed: false,
    inputs: step.stepInputs,
    createdAt: now,
    updatedAt: now,
    checkpoint: step.checkpoint,
  };
}
