import { z } from 'zod';
import type { TaskSchedule } from '../model/schedule/spec.ts';
import { ConversionError } from './failures/handler-errors.ts';
import type { UndoneParams } from './undone.ts';

/** The task of a step event. Timestamps are strings in UTC, without a time zone. */
export interface FfiTaskInfo {
  taskUuid: string;
  namedTaskUuid: string;
  name: string;
  namespace: string;
  version: string;
  context?: unknown;
  correlationId: string;
  parentCorrelationId?: string | null;
  complete: boolean;
  priority: number;
  initiator?: string | null;
  sourceSystem?: string | null;
  reason?: string | null;
  tags?: unknown;
  /** The schedule that created the task. Absent for other tasks. */
  schedule?: TaskSchedule | null;
  /**
   * Always empty. Identities are compared only when tasks are created, and reading them for each step would cost time.
   */
  identityHash: string;
  createdAt: string;
  updatedAt: string;
  requestedAt: string;
}

/** The step of a step event. `attempts` is the number of attempts before this one. */
export interface FfiWorkflowStep {
  workflowStepUuid: string;
  taskUuid: string;
  namedStepUuid: string;
  name: string;
  templateStepName: string;
  retryable: boolean;
  maxAttempts: number;
  attempts: number;
  /** The number of the rerun that this run belongs to. Absent or 0 for the first run. */
  rerun?: number | null;
  /** The step that this step undoes. Absent if it undoes none. */
  undo?: UndoneParams | null;
  inProcess: boolean;
  processed: boolean;
  inputs?: unknown;
  results?: unknown;
  backoffRequestSeconds?: number | null;
  processedAt?: string | null;
  lastAttemptedAt?: string | null;
  createdAt: string;
  updatedAt: string;
  checkpoint?: unknown;
}

/** The template's definition of the step in a step event. */
export interface FfiStepDefinition {
  name: string;
  description?: string | null;
  handlerCallable: string;
  handlerMethod?: string | null;
  handlerResolver?: string | null;
  handlerInitialization: unknown;
  systemDependency?: string | null;
  dependencies: string[];
  timeoutSeconds?: number | null;
  retryRetryable: boolean;
  retryMaxAttempts: number;
  /** `none`, `linear`, `exponential` or `fibonacci`. */
  retryBackoff: string;
  retryBackoffBaseMs?: number | null;
  retryMaxBackoffMs?: number | null;
}

/** The result of an ancestor in a step event. */
export interface FfiDependencyResult {
  stepUuid: string;
  success: boolean;
  result: unknown;
  status: string;
  errorMessage?: string | null;
  errorType?: string | null;
  errorRetryable?: boolean | null;
}

/** A step to run, with everything that its handler can read. The event bridge delivers the event to pollers. */
export interface FfiStepEvent {
  eventId: string;
  taskUuid: string;
  stepUuid: string;
  correlationId: string;
  traceId?: string | null;
  spanId?: string | null;
  taskCorrelationId: string;
  parentCorrelationId?: string | null;
  /** The values of `inputs` of the step in its template. Absent if it has none: its inputs are the task's context. */
  inputs?: Record<string, unknown>;
  task: FfiTaskInfo;
  workflowStep: FfiWorkflowStep;
  stepDefinition: FfiStepDefinition;
  /** Results by step name, of all completed ancestors and not only of the parents. */
  dependencyResults: Record<string, FfiDependencyResult>;
}

const fields = z.record(z.string(), z.unknown()).nullish();
// Not necessarily a UUID: users' tests have ids like `task-123`, and the context does not interpret them.
const id = z.string().min(1, 'must not be empty');

// Only the fields that a context reads are checked, so an event written for a test need not be complete.
const ReadByContext = z.looseObject({
  taskUuid: id,
  stepUuid: id,
  correlationId: z.string(),
  inputs: fields,
  task: z.looseObject({ context: fields }),
  workflowStep: z.looseObject({
    attempts: z.int().min(0).nullish(),
    maxAttempts: z.int().min(0).nullish(),
    rerun: z.int().min(0).nullish(),
    undo: z.looseObject({ step: z.string(), stepUuid: z.string() }).nullish(),
    inputs: fields,
    checkpoint: fields,
  }),
  stepDefinition: z.looseObject({ handlerInitialization: fields }),
  dependencyResults: z
    .record(
      z.string(),
      z.looseObject({
        stepUuid: z.string(),
        success: z.boolean(),
        status: z.string(),
        errorMessage: z.string().nullish(),
        errorType: z.string().nullish(),
        errorRetryable: z.boolean().nullish(),
      }),
    )
    .nullish(),
});

/** The fields that {@link checkedStepEvent} has checked. */
export type CheckedStepEvent = z.infer<typeof ReadByContext>;

/**
 * Returns the parts of an event that a context reads. Throws a {@link ConversionError} that names the first invalid
 * part.
 */
export function checkedStepEvent(event: unknown): CheckedStepEvent {
  const parsed = ReadByContext.safeParse(event);
  if (parsed.success) return parsed.data;

  const [issue] = parsed.error.issues;
  const path = ['event', ...(issue?.path ?? [])].join('.');
  throw new ConversionError(`step event: ${path}: ${issue?.message ?? 'is invalid'}`, {
    path,
    cause: parsed.error,
  });
}
