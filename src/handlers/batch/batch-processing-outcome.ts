import { misuse } from '../misuse.ts';
import type { RustCursorConfig } from './cursor-config.ts';

/** An analyzer's outcome without workers. The engine creates one placeholder, so that the following steps can run. */
export interface NoBatchesOutcome {
  type: 'no_batches';
  /** The step that the placeholder is created from. Default: from the template. */
  worker_template_name?: string;
}

/** An analyzer's outcome that requests workers, one for each cursor. */
export interface CreateBatchesOutcome {
  type: 'create_batches';
  /** The step of type `batch_worker`. Default: from the template. */
  worker_template_name?: string;
  worker_count: number;
  cursor_configs: RustCursorConfig[];
  total_items: number;
}

/** The value of `batch_processing_outcome` in an analyzer's result. */
export type BatchProcessingOutcome = NoBatchesOutcome | CreateBatchesOutcome;

/**
 * Creates an outcome without workers.
 *
 * @example
 * return this.success({ batch_processing_outcome: noBatches() });
 */
export function noBatches(): NoBatchesOutcome {
  return { type: 'no_batches' };
}

/**
 * Creates an outcome that requests workers. Throws if the number of cursors is not `workerCount`.
 *
 * @example
 * const cursors = [{ batch_id: '001', start_cursor: 'a', end_cursor: 'm', batch_size: 500 }];
 * return this.success({ batch_processing_outcome: createBatches('post_names', 1, cursors, 500) });
 */
export function createBatches(
  workerTemplateName: string,
  workerCount: number,
  cursorConfigs: RustCursorConfig[],
  totalItems: number,
): CreateBatchesOutcome & { worker_template_name: string } {
  if (cursorConfigs.length !== workerCount) {
    throw misuse(
      `createBatches: workerCount is ${workerCount}, but cursorConfigs.length is ${cursorConfigs.length}; make them equal`,
    );
  }
  return {
    type: 'create_batches',
    worker_template_name: workerTemplateName,
    worker_count: workerCount,
    cursor_configs: cursorConfigs,
    total_items: totalItems,
  };
}

/**
 * Returns whether an outcome requests workers.
 *
 * @example
 * isCreateBatches(createBatches('post', 0, [], 0)); // true
 */
export function isCreateBatches(outcome: BatchProcessingOutcome): outcome is CreateBatchesOutcome {
  return outcome.type === 'create_batches';
}

/**
 * Returns whether an outcome requests no workers.
 *
 * @example
 * isNoBatches(noBatches()); // true
 */
export function isNoBatches(outcome: BatchProcessingOutcome): outcome is NoBatchesOutcome {
  return outcome.type === 'no_batches';
}

/** Returns the outcome in an analyzer's result. Null if there is none. */
export function outcomeIn(result: unknown): BatchProcessingOutcome | null {
  if (typeof result !== 'object' || result === null) return null;
  const outcome = (result as { batch_processing_outcome?: unknown }).batch_processing_outcome;
  if (typeof outcome !== 'object' || outcome === null) return null;
  const { type } = outcome as BatchProcessingOutcome;
  return type === 'no_batches' || type === 'create_batches' ? (outcome as BatchProcessingOutcome) : null;
}
