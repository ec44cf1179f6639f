import { StepHandlerResult } from '../../handlers/step-handler.ts';
import type { DispatchedStep } from '../../worker/dispatched-step.ts';
import { fenceOf } from '../../worker/http/fence.ts';
import type { Report } from '../../worker/http/http-workers.ts';
import { DEFAULT_VERSION } from '../../worker/run-step.ts';

export { PROTOCOL } from '../../worker/http/http-workers.ts';

/** A report about an attempt by a worker over HTTP, in the form of the API. */
export interface WireReport {
  step_uuid: string;
  fence: string;
  action: 'complete' | 'fail' | 'checkpoint' | 'release';
  result?: unknown;
  metadata?: Record<string, unknown> | undefined;
  handler_version?: string | undefined;
  duration_ms?: number | undefined;
  message?: string | undefined;
  error_type?: string | undefined;
  error_code?: string | undefined;
  status_code?: number | undefined;
  retryable?: boolean | undefined;
  retry_after?: number | string | undefined;
  backtrace?: string[] | undefined;
  cursor?: unknown;
  items_processed?: number | undefined;
  accumulated_results?: Record<string, unknown> | null | undefined;
}

/** Returns a report in the form that `src/worker` uses. */
export function reportOf(wire: WireReport): Report {
  const { step_uuid: stepUuid, fence, action } = wire;
  if (action === 'release') return { stepUuid, fence, action };
  if (action === 'checkpoint') {
    const { cursor, items_processed: itemsProcessed, accumulated_results: accumulatedResults } = wire;
    const progress = {
      cursor,
      ...(itemsProcessed !== undefined && { itemsProcessed }),
      accumulatedResults: accumulatedResults ?? null,
    };
    return { stepUuid, fence, action, progress };
  }
  const result = action === 'complete' ? successOf(wire) : failureOf(wire);
  return {
    stepUuid,
    fence,
    action,
    result,
    version: wire.handler_version ?? DEFAULT_VERSION,
    durationMs: wire.duration_ms,
  };
}

function successOf({ result, metadata }: WireReport): StepHandlerResult {
  return StepHandlerResult.success({ result: (result ?? {}) as object, metadata: metadata ?? {} });
}

function failureOf(wire: WireReport): StepHandlerResult {
  return StepHandlerResult.failure({
    message: wire.message ?? 'unknown error',
    errorType: wire.error_type ?? 'handler_error',
    retryable: wire.retryable ?? true,
    ...(wire.error_code !== undefined && { errorCode: wire.error_code }),
    ...(wire.status_code !== undefined && { statusCode: wire.status_code }),
    ...(wire.retry_after !== undefined && { retryAfter: wire.retry_after }),
    ...(wire.metadata !== undefined && { metadata: wire.metadata }),
    ...(wire.backtrace !== undefined && { backtrace: wire.backtrace }),
  });
}

/**
 * Returns a step in the form of the response to a claim. Results that were too large to be loaded with the step are
 * included only by name.
 */
export function givenStepJson(step: DispatchedStep, timeoutMs: number | null) {
  const { template, task } = step;
  const { row, snapshot } = task;
  const results: Record<string, object> = {};
  const leftOut: string[] = [];
  for (const name of step.dependencyNames()) {
    const shown = resultJson(step, name);
    if (shown) results[name] = shown;
    else leftOut.push(name);
  }
  return {
    step_uuid: step.stepUuid,
    task_uuid: step.taskUuid,
    fence: fenceOf(step),
    name: step.name,
    template_step_name: template.name,
    handler: { callable: step.handlerName, method: template.handler.method ?? null },
    task: {
      name: snapshot.template.name,
      namespace: snapshot.template.namespace,
      version: snapshot.template.version,
      context: step.taskContext,
      correlation_id: step.correlationId,
      priority: row.rank === 0 ? 0 : -row.rank,
      tags: row.tags ?? [],
      traceparent: row.traceparent,
    },
    retry_count: step.retryCount,
    max_retries: step.maxRetries,
    retryable: template.retry.retryable,
    step_config: step.stepConfig,
    step_inputs: step.stepInputs,
    ...(step.inputs && { inputs: step.inputs }),
    dependency_results: results,
    results_left_out: leftOut,
    checkpoint: step.checkpoint,
    timeout_ms: timeoutMs,
  };
}

function resultJson(step: DispatchedStep, name: string): object | undefined {
  try {
    const { result, success = true, errorMessage, errorType, errorRetryable } = step.dependency(name)!;
    const error = success
      ? null
      : { message: errorMessage ?? null, error_type: errorType ?? null, retryable: errorRetryable ?? null };
    return { success, result, error };
  } catch (error) {
    if ((error as { errorType?: string }).errorType === 'dependency_too_large') return undefined;
    throw error;
  }
}
