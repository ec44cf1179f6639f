import { z } from 'zod';
import { ConversionError } from '../../handlers/failures/handler-errors.ts';
import type { OrchestrationMetadata } from '../../handlers/orchestration-metadata.ts';
import { hasFields } from '../../handlers/outcome.ts';
import { StepHandlerResult } from '../../handlers/step-handler.ts';

/** The reason why a step failed, in the form in which a subscriber sends it. */
export interface NapiStepExecutionError {
  message: string;
  errorType?: string;
  retryable?: boolean;
  statusCode?: number;
  backtrace?: string[];
  context?: Record<string, unknown>;
}

/** The metadata of a result. */
export interface NapiStepExecutionMetadata {
  executionTimeMs: number;
  workerId?: string;
  /** ISO 8601. */
  completedAt: string;
  /** Whether a failed step is retried. Default: `retryable` of the error, otherwise true. */
  retryable?: boolean;
  errorType?: string;
  errorCode?: string;
  custom?: Record<string, unknown>;
}

/** The outcome of a step, in the form that `completeStepEvent` takes. */
export interface NapiStepExecutionResult {
  stepUuid: string;
  success: boolean;
  result: unknown;
  status: 'completed' | 'failed' | 'error';
  metadata: NapiStepExecutionMetadata;
  error?: NapiStepExecutionError;
  orchestrationMetadata?: OrchestrationMetadata;
}

/** The progress of a step, in the form that `checkpointYieldStepEvent` takes. */
export interface NapiCheckpointYieldData {
  stepUuid: string;
  /** The position to resume from: any JSON value. */
  cursor: unknown;
  itemsProcessed: number;
  accumulatedResults?: Record<string, unknown>;
}

/** Data about a run that is sent with its result. */
export interface RunFacts {
  stepUuid: string;
  workerId: string;
  executionTimeMs: number;
}

/** Converts the result of a handler to the form in which a subscriber sends it. */
export function executionResult(result: StepHandlerResult, run: RunFacts): NapiStepExecutionResult {
  const { success, errorType, errorCode, statusCode, orchestrationMetadata } = result;
  const metadata: NapiStepExecutionMetadata = {
    executionTimeMs: run.executionTimeMs,
    workerId: run.workerId,
    completedAt: new Date().toISOString(),
    retryable: result.retryable,
    ...(hasFields(result.metadata) && { custom: result.metadata }),
    ...(!success && errorType !== null && { errorType }),
    ...(!success && errorCode !== null && { errorCode }),
  };
  const error: NapiStepExecutionError = {
    message: result.errorMessage ?? 'unknown error',
    ...(errorType !== null && { errorType }),
    retryable: result.retryable,
    ...(statusCode !== null && { statusCode }),
    ...(result.backtrace.length > 0 && { backtrace: [...result.backtrace] }),
  };
  return {
    stepUuid: run.stepUuid,
    success,
    result: result.result ?? {},
    status: success ? 'completed' : 'failed',
    metadata,
    ...(!success && { error }),
    ...(orchestrationMetadata && { orchestrationMetadata }),
  };
}

const fields = z.record(z.string(), z.unknown());
const text = z.string().nullish();

const Sent = z.looseObject({
  stepUuid: z.string(),
  success: z.boolean(),
  result: z.unknown(),
  metadata: z
    .looseObject({ retryable: z.boolean().nullish(), errorType: text, errorCode: text, custom: fields.nullish() })
    .nullish(),
  error: z
    .looseObject({
      message: z.string(),
      errorType: text,
      retryable: z.boolean().nullish(),
      statusCode: z.int().nullish(),
      backtrace: z.array(z.string()).nullish(),
    })
    .nullish(),
  orchestrationMetadata: z.looseObject({}).nullish(),
});

/** Converts a sent outcome to the result of a handler. @throws ConversionError that names the first invalid part */
export function resultOfExecution(sent: unknown, stepUuid: string): StepHandlerResult {
  const parsed = Sent.safeParse(sent);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = ['result', ...(issue?.path ?? [])].join('.');
    const message = `result of step ${stepUuid}: ${path}: ${issue?.message ?? 'cannot be read'}`;
    throw new ConversionError(message, { path, cause: parsed.error });
  }
  const { data } = parsed;
  if (data.stepUuid !== stepUuid) {
    const message = `result of step ${stepUuid}: result.stepUuid: belongs to step ${data.stepUuid}`;
    throw new ConversionError(message, { path: 'result.stepUuid' });
  }
  const { metadata, error } = data;
  const result = typeof data.result === 'object' ? data.result : { result: data.result };
  return new StepHandlerResult({
    success: data.success,
    result: Array.isArray(result) ? { result } : result,
    metadata: metadata?.custom ?? {},
    orchestrationMetadata: data.orchestrationMetadata ?? null,
    ...(!data.success && {
      errorMessage: error?.message ?? 'unknown error',
      errorType: error?.errorType ?? metadata?.errorType ?? null,
      errorCode: metadata?.errorCode ?? null,
      retryable: metadata?.retryable ?? error?.retryable ?? true,
      statusCode: error?.statusCode ?? null,
      backtrace: error?.backtrace ?? [],
    }),
  });
}
