import { type Fields, isFields } from '../../model/fields.ts';
/** What all workers of an analyzer did together. */
export interface BatchAggregationResult {
  total_processed: number;
  total_succeeded: number;
  total_failed: number;
  total_skipped: number;
  /** Results that were there, a placeholder's included. */
  batch_count: number;
  /** Succeeded of processed, 0 to 1; 0 when nothing was processed. */
  success_rate: number;
  /** The first of them. */
  errors: Fields[];
  /** How many there were. */
  error_count: number;
}

/**
 * Adds up what workers did. It reads results as `batchWorkerSuccess` stores them, those that are one level deeper
 * (`batch_worker_outcome`), and either in its envelope; what is absent is left out. Keeps `maxErrors` errors (100).
 *
 * @example
 * aggregateBatchResults([{ items_processed: 100, items_failed: 3, items_succeeded: 97 }]).success_rate; // 0.97
 */
export function aggregateBatchResults(
  workerResults: readonly (object | null | undefined)[],
  maxErrors = 100,
): BatchAggregationResult {
  const found = workerResults.filter((result) => result !== null && result !== undefined).map(countsIn);
  const sum = (key: string, otherKey: string) =>
    found.reduce((total, counts) => total + numberIn(counts, [key, otherKey]), 0);
  const processed = sum('items_processed', 'processed');
  const succeeded = sum('items_succeeded', 'succeeded');
  const errors = found.flatMap(({ errors }) => (Array.isArray(errors) ? (errors as Fields[]) : []));
  return {
    total_processed: processed,
    total_succeeded: succeeded,
    total_failed: sum('items_failed', 'failed'),
    total_skipped: sum('items_skipped', 'skipped'),
    batch_count: found.length,
    success_rate: processed > 0 ? succeeded / processed : 0,
    errors: errors.slice(0, maxErrors),
    error_count: errors.length,
  };
}

/** The bare result in an envelope; what has none is the result itself. */
export function bareResult(value: unknown): Fields {
  if (!isFields(value)) return {};
  const enveloped =
    Object.hasOwn(value, 'result') && (Object.hasOwn(value, 'success') || Object.hasOwn(value, 'status'));
  return enveloped ? (isFields(value.result) ? value.result : {}) : value;
}

function countsIn(value: object | null | undefined): Fields {
  const result = bareResult(value);
  return isFields(result.batch_worker_outcome) ? result.batch_worker_outcome : result;
}

function numberIn(counts: Fields, keys: readonly string[]): number {
  const value = keys.map((key) => counts[key]).find((one) => typeof one === 'number');
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
