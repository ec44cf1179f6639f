import { type DependencyResult, dependencyResult } from './dependency-result.ts';
import { checkedStepEvent, type FfiDependencyResult, type FfiStepEvent } from './ffi-step-event.ts';
import type { StepContextParams } from './step-context-params.ts';

/** What the context of a step event reads from. Throws a `ConversionError` that names the first wrong part. */
export function paramsOfEvent(event: FfiStepEvent, handlerName: string): StepContextParams {
  const checked = checkedStepEvent(event);
  const { workflowStep, stepDefinition, task } = checked;
  const dependencyResults: Record<string, DependencyResult> = {};
  for (const [name, found] of Object.entries(checked.dependencyResults ?? {})) {
    dependencyResults[name] = dependencyResult(found as unknown as FfiDependencyResult);
  }
  return {
    event,
    handlerName,
    taskUuid: checked.taskUuid,
    stepUuid: checked.stepUuid,
    correlationId: checked.correlationId,
    inputData: task.context,
    dependencyResults,
    stepConfig: stepDefinition.handlerInitialization,
    stepInputs: workflowStep.inputs,
    retryCount: workflowStep.attempts ?? 0,
    maxRetries: workflowStep.maxAttempts ?? 3,
    checkpoint: workflowStep.checkpoint,
  };
}
