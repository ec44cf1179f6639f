import { messageOf } from '../../errors.ts';
import type { DependencyResultParams } from '../../handlers/dependency-result.ts';
import { isStepExecutionError } from '../../handlers/failures/handler-errors.ts';
import type { DispatchedStep } from '../dispatched-step.ts';
import { type ErrorMessage, LOG_LEVELS, type Reason, type StepMessage } from './thread-messages.ts';

/** What a thread is told of a step. Whatever came with the step comes along; of what is too large, only the names. */
export function stepMessage(step: DispatchedStep): StepMessage {
  const dependencyNames = step.dependencyNames();
  const dependencies = new Map<string, DependencyResultParams>();
  if (!step.lazy) for (const name of dependencyNames) dependencies.set(name, step.dependency(name)!);
  const { logger } = step;
  const signal = step.signal;
  return {
    taskUuid: step.taskUuid,
    stepUuid: step.stepUuid,
    step: step.name,
    handlerName: step.handlerName,
    correlationId: step.correlationId,
    traceparent: step.traceparent,
    inputData: step.inputData,
    stepConfig: step.stepConfig,
    stepInputs: step.stepInputs,
    retryCount: step.retryCount,
    maxRetries: step.maxRetries,
    checkpoint: step.checkpoint,
    dependencyNames,
    dependencies,
    ...(!step.lazy && { event: step.event }),
    levels: LOG_LEVELS.filter((level) => logger.isLevelEnabled?.(level) ?? true),
    ...(signal.aborted && { aborted: reasonOf(signal) }),
  };
}

/** Why a signal fired. */
export function reasonOf({ reason }: AbortSignal): Reason {
  const name: unknown = (reason as { name?: unknown } | null)?.name;
  return { name: typeof name === 'string' ? name : 'AbortError', message: messageOf(reason) };
}

/** An error as data, so that it decides in the thread what it would decide here. */
export function errorMessage(error: unknown): ErrorMessage {
  const known = isStepExecutionError(error) ? error : undefined;
  return {
    message: messageOf(error),
    errorType: known?.errorType ?? 'handler_error',
    retryable: known?.retryable ?? true,
  };
}
