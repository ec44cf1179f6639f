import type { Fields } from '../../model/json.ts';
import { argumentsWithMetadata } from '../argument-forms.ts';
import { StepHandlerResult } from '../step-handler.ts';
import { count } from './cursor-config.ts';

/** The outcome of a batch worker. */
export interface BatchWorkerOutcome {
  itemsProcessed: number;
  itemsSucceeded: number;
  itemsFailed: number;
  itemsSkipped: number;
  results: readonly unknown[];
  errors: readonly unknown[];
  /** The last position that was processed. */
  lastCursor: unknown;
  /** Stored with the result. */
  batchMetadata: Fields;
}

/** The object form of the arguments of `batchWorkerSuccess`. `itemsProcessed` or `itemsSucceeded` is required. */
export interface BatchWork extends Partial<BatchWorkerOutcome> {
  /** Stored as the metadata of the result. */
  metadata?: Fields;
}

/** The argument forms: an object (with metadata in it or after it), or all by position. */
export type BatchWorkArguments =
  | [work: BatchWork, metadata?: Fields]
  | [
      itemsProcessed: number,
      itemsSucceeded?: number,
      itemsFailed?: number,
      results?: readonly unknown[],
      lastCursor?: unknown,
      metadata?: Fields,
    ];

const BY_POSITION = ['itemsProcessed', 'itemsSucceeded', 'itemsFailed', 'results', 'lastCursor', 'metadata'] as const;

/**
 * Returns the result of a worker, in the form that aggregators read. By default, all processed items that did not fail
 * and were not skipped have succeeded. An explicit 0 is kept.
 *
 * @example
 * return batchWorkerSuccess({ itemsProcessed: 100, itemsFailed: 3, lastCursor: 100 });
 */
export function batchWorkerSuccess(...args: BatchWorkArguments): StepHandlerResult {
  const { metadata, ...work } = argumentsWithMetadata<BatchWork>(args, BY_POSITION);
  if (work.itemsProcessed == null && work.itemsSucceeded == null) {
    return StepHandlerResult.failure({
      message: 'batchWorkerSuccess: itemsProcessed is missing; pass the number of processed items',
      errorType: 'invalid_args',
      retryable: false,
    });
  }
  return StepHandlerResult.success(storedOutcome(work), { ...metadata, batch_worker: true });
}

/**
 * Returns the result of a worker whose batch is complete although some items failed. The failures are part of the
 * result.
 *
 * @example
 * return batchWorkerPartialFailure({ itemsProcessed: 100, itemsFailed: 3, errors }, 'three rows have no amount');
 */
export function batchWorkerPartialFailure(work: BatchWork, message?: string, metadata?: Fields): StepHandlerResult {
  const complete = batchWorkerSuccess(work, metadata);
  if (!complete.success) return complete;
  const result = {
    ...complete.result,
    partial_failure: true,
    ...(message === undefined ? {} : { partial_failure_message: message }),
  };
  return StepHandlerResult.success(result, { ...complete.metadata, had_failures: true });
}

/** Returns the outcome of a worker from positional arguments. */
export function createWorkerOutcome(
  itemsProcessed: number,
  itemsSucceeded?: number,
  itemsFailed?: number,
  itemsSkipped?: number,
  results: readonly unknown[] = [],
  errors: readonly unknown[] = [],
  lastCursor: unknown = null,
  batchMetadata: Fields = {},
): BatchWorkerOutcome {
  const counts = countsOf({ itemsProcessed, itemsSucceeded, itemsFailed, itemsSkipped });
  return { ...counts, results, errors, lastCursor, batchMetadata };
}

function storedOutcome(work: BatchWork): Fields {
  const { itemsProcessed, itemsSucceeded, itemsFailed, itemsSkipped } = countsOf(work);
  return {
    items_processed: itemsProcessed,
    items_succeeded: itemsSucceeded,
    items_failed: itemsFailed,
    items_skipped: itemsSkipped,
    last_cursor: work.lastCursor ?? null,
    batch_metadata: work.batchMetadata ?? {},
    ...(isEmpty(work.results) ? {} : { results: work.results }),
    ...(isEmpty(work.errors) ? {} : { errors: work.errors }),
  };
}

function countsOf({ itemsProcessed, itemsSucceeded, itemsFailed, itemsSkipped }: BatchWork) {
  const where = 'batch worker';
  const failed = count(where, 'itemsFailed', itemsFailed ?? 0);
  const skipped = count(where, 'itemsSkipped', itemsSkipped ?? 0);
  const processed = count(where, 'itemsProcessed', itemsProcessed ?? (itemsSucceeded ?? 0) + failed + skipped);
  const succeeded = count(where, 'itemsSucceeded', itemsSucceeded ?? Math.max(0, processed - failed - skipped));
  return { itemsProcessed: processed, itemsSucceeded: succeeded, itemsFailed: failed, itemsSkipped: skipped };
}

function isEmpty(list: readonly unknown[] | null | undefined): boolean {
  return list == null || list.length === 0;
}
