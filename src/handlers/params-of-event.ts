import { messageOf } from '../errors.ts';
import { type DependencyResult, dependencyResult } from './dependency-result.ts';
import { ConversionError } from './failures/conversion-error.ts';
import { checkedStepEvent, type FfiDependencyResult, type FfiStepEvent } from './ffi-step-event.ts';
import type { StepContextParams } from './step-context-params.ts';

/**
 * What the context of a step event reads from: copies, made when they are asked for, so that what a handler changes
 * reaches neither the event nor its next attempt. Throws a `ConversionError` that names the first wrong part.
 */
export function paramsOfEvent(event: FfiStepEvent, handlerName: string): StepContextParams {
  const { workflowStep, stepDefinition, task, dependencyResults, ...ids } = checkedStepEvent(event);
  return {
    event,
    handlerName,
    taskUuid: ids.taskUuid,
    stepUuid: ids.stepUuid,
    correlationId: ids.correlationId,
    get inputData() {
      return copyOf(task.context, 'task.context');
    },
    get dependencyResults() {
      const results: Record<string, DependencyResult> = {};
      for (const [name, found] of Object.entries(dependencyResults ?? {})) {
        const copy = copyOf(found, `dependencyResults.${name}`);
        results[name] = dependencyResult(copy as unknown as FfiDependencyResult);
      }
      return results;
    },
    get stepConfig() {
      return copyOf(stepDefinition.handlerInitialization, 'stepDefinition.handlerInitialization');
    },
    get stepInputs() {
      return copyOf(workflowStep.inputs, 'workflowStep.inputs');
    },
    retryCount: workflowStep.attempts ?? 0,
    maxRetries: workflowStep.maxAttempts ?? 3,
    get checkpoint() {
      return copyOf(workflowStep.checkpoint, 'workflowStep.checkpoint');
    },
  };
}

function copyOf<T>(value: T, where: string): T {
  try {
    return structuredClone(value);
  } catch (cause) {
    const path = `event.${where}`;
    throw new ConversionError(`step event: ${path}: it holds what no JSON can: ${messageOf(cause)}`, { path, cause });
  }
}
