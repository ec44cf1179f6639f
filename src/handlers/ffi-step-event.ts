import { z } from 'zod';
import { ConversionError } from './failures/handler-errors.ts';

/** The task of a step event. Timestamps are texts without a zone, in UTC. */
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
  /** Empty: identities are looked at when tasks are created, and no step pays for reading them. */
  identityHash: string;
  createdAt: string;
  updatedAt: string;
  requestedAt: string;
}

/** The step of a step event. `attempts` counts the starts before this one. */
export interface FfiWorkflowStep {
  workflowStepUuid: string;
  taskUuid: string;
  namedStepUuid: string;
  name: string;
  templateStepName: string;
  retryable: boolean;
  maxAttempts: number;
  attempts: number;
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

/** The template's part about the step of a step event. */
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

/** The result of an ancestor, as a step event carries it. */
export interface FfiDependencyResult {
  stepUuid: string;
  success: boolean;
  result: unknown;
  status: string;
  errorMessage?: string | null;
  errorType?: string | null;
  errorRetryable?: boolean | null;
}

/** One step to run, with all that its handler may read: what the bridge hands to pollers. */
export interface FfiStepEvent {
  eventId: string;
  taskUuid: string;
  stepUuid: string;
  correlationId: string;
  traceId?: string | null;
  spanId?: string | null;
  taskCorrelationId: string;
  parentCorrelationId?: string | null;
  task: FfiTaskInfo;
  workflowStep: FfiWorkflowStep;
  stepDefinition: FfiStepDefinition;
  /** By step name: every completed ancestor, not only the direct ones. */
  dependencyResults: Record<string, FfiDependencyResult>;
}

const fields = z.record(z.string(), z.unknown()).nullish();
// Not necessarily a UUID: users' tests have ids like `task-123`, and a context only passes them on.
const id = z.string().min(1, 'must not be empty');

// Only what a context reads is checked: an event made by hand for a test need not be complete.
const ReadByContext = z.looseObject({
  taskUuid: id,
  stepUuid: id,
  correlationId: z.string(),
  task: z.looseObject({ context: fields }),
  workflowStep: z.looseObject({
    attempts: z.int().min(0).nullish(),
    maxAttempts: z.int().min(0).nullish(),
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

/** What {@link checkedStepEvent} has made sure of. */
export type CheckedStepEvent = z.infer<typeof ReadByContext>;

/** The parts of an event that a context reads, or a {@link ConversionError} that names the first wrong one. */
export function checkedStepEvent(event: unknown): CheckedStepEvent {
  const parsed = ReadByContext.safeParse(event);
  if (parsed.success) return parsed.data;

  const [issue] = parsed.error.issues;
  const path = ['event', ...(issue?.path ?? [])].join('.');
  throw new ConversionError(`step event: ${path}: ${issue?.message ?? 'is not readable'}`, {
    path,
    cause: parsed.error,
  });
}
