import { type Fields, isFields } from '../../model/fields.ts';
import { resultIn } from '../dependency-result.ts';
import { misuse } from '../misuse.ts';
import { StepHandlerResult } from '../step-handler.ts';

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
function bareResult(value: unknown): Fields {
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

/** What an aggregator finds: the analyzer's result, and those of its workers if there were any. */
export interface BatchAggregationScenario {
  /** Whether the analyzer found nothing to do; the placeholder's result is then left out. */
  isNoBatches: boolean;
  /** The analyzer's bare result. */
  batchableResult: Fields;
  /** The workers' bare results by step name, in the order of their names. */
  batchResults: Record<string, Fields>;
  /** How many of them there are. */
  workerCount: number;
}

/**
 * Determines from an aggregator's dependencies whether there were batches. They may be bare results, or each may be
 * under `result`, as in `context.dependencyResults`. Throws when the analyzer's result is missing, and when it asked
 * for workers and none of them is there.
 *
 * @example
 * const scenario = detectAggregationScenario(context.dependencyResults, 'analyze_csv', 'process_csv_batch_');
 */
export function detectAggregationScenario(
  dependencyResults: Readonly<Record<string, unknown>>,
  batchableStepName: string,
  batchWorkerPrefix: string,
): BatchAggregationScenario {
  const there = Object.keys(dependencyResults);
  const analyzer = Object.hasOwn(dependencyResults, batchableStepName) ? dependencyResults[batchableStepName] : null;
  if (analyzer === null || analyzer === undefined) {
    throw misuse(`missing batchable step dependency: ${batchableStepName}; there are ${there.join(', ') || 'none'}`);
  }
  const batchableResult = fieldsOf(analyzer);
  if (saysNoBatches(batchableResult)) return scenarioOf(batchableResult, []);

  const workers = there.filter((name) => name.startsWith(batchWorkerPrefix) && name !== batchableStepName);
  if (workers.length === 0) {
    throw misuse(`no batch workers found with prefix ${batchWorkerPrefix}; there are ${there.join(', ')}`);
  }
  return scenarioOf(
    batchableResult,
    workers.sort(byNumber).map((name) => [name, fieldsOf(dependencyResults[name])]),
  );
}

/** The value of a dependency that `context.getDependencyResult` returns, if it is an object. */
function fieldsOf(dependency: unknown): Fields {
  const bare = resultIn(dependency);
  return isFields(bare) ? bare : {};
}

/** `post_999` before `post_1000`. */
export function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** The scenario of an analyzer's result and its workers'. */
export function scenarioOf(batchableResult: Fields, workers: readonly [string, Fields][]): BatchAggregationScenario {
  return {
    isNoBatches: workers.length === 0 && saysNoBatches(batchableResult),
    batchableResult,
    batchResults: Object.fromEntries(workers),
    workerCount: workers.length,
  };
}

/** The result of an aggregator when there was nothing to do. */
export function noBatchesAggregationResult(zeroMetrics: Fields = {}): StepHandlerResult {
  return StepHandlerResult.success({ ...zeroMetrics, worker_count: 0, scenario: 'no_batches' });
}

/**
 * The result of an aggregator: `zeroMetrics` without batches, else what `aggregate` makes of the workers' results by
 * step name (default: `{ batch_results: them }`), with `worker_count` and `scenario`.
 */
export function aggregateBatchWorkerResults(
  scenario: BatchAggregationScenario,
  zeroMetrics: Fields = {},
  aggregate: (batchResults: Record<string, Fields>) => object = (batchResults) => ({ batch_results: batchResults }),
): StepHandlerResult {
  if (scenario.isNoBatches) return noBatchesAggregationResult(zeroMetrics);
  const result = aggregate(scenario.batchResults);
  return StepHandlerResult.success({ ...result, worker_count: scenario.workerCount, scenario: 'with_batches' });
}

function saysNoBatches(result: Fields): boolean {
  const { batch_processing_outcome, batch_analyzer_outcome } = result as Record<string, Fields | null | undefined>;
  if (batch_processing_outcome) return batch_processing_outcome.type === 'no_batches';
  return Array.isArray(batch_analyzer_outcome?.cursor_configs) && batch_analyzer_outcome.cursor_configs.length === 0;
}
