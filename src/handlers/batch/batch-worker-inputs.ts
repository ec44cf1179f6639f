import type { StepContext } from '../step-context.ts';
import { StepHandlerResult } from '../step-handler-result.ts';
import type { RustCursorConfig } from './cursor-config.ts';

/** What a failed worker does to the others of its batch, as the template's `batch_config.failure_strategy` says. */
export type FailureStrategy = 'continue_on_failure' | 'fail_fast' | 'isolate';

/** What the template's `batch_config` tells each worker. */
export interface BatchMetadata {
  cursor_field: string;
  failure_strategy: FailureStrategy;
}

/** `context.stepInputs` of a worker, besides its `initialization`. */
export interface RustBatchWorkerInputs {
  cursor: RustCursorConfig;
  batch_metadata: BatchMetadata;
  /** True in the placeholder of an analyzer that found nothing to do. */
  is_no_op: boolean;
}

/** The inputs of a worker; null in a step that is none. */
export function getBatchWorkerInputs(context: StepContext): Partial<RustBatchWorkerInputs> | null {
  const { cursor, batch_metadata, is_no_op } = context.stepInputs as Partial<RustBatchWorkerInputs>;
  if (typeof cursor !== 'object' || cursor === null || !('batch_id' in cursor)) return null;
  return { cursor, batch_metadata, is_no_op: is_no_op === true };
}

/**
 * The result of a placeholder, which an analyzer without batches has for its only worker; null when the step has a real
 * batch to work on, or is no worker.
 *
 * @example
 * const nothing = handleNoOpWorker(context);
 * if (nothing) return nothing;
 */
export function handleNoOpWorker(context: StepContext): StepHandlerResult | null {
  if (context.stepInputs.is_no_op !== true) return null;
  const result = {
    batch_id: getBatchWorkerInputs(context)?.cursor?.batch_id ?? '000',
    no_op: true,
    processed_count: 0,
    items_processed: 0,
    items_succeeded: 0,
    items_failed: 0,
    items_skipped: 0,
    message: 'No batches to process',
    processed_at: new Date().toISOString(),
  };
  return StepHandlerResult.success(result, { batch_worker: true, no_op: true });
}
