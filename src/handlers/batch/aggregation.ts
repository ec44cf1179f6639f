import { type Fields, isFields } from '../../model/json.ts';
import { resultIn } from '../dependency-result.ts';
import { misuse } from '../misuse.ts';
import { StepHandlerResult } from '../step-handler.ts';

/** The totals of all workers that an analyzer created. */
export interface BatchAggregationResult {
  total_processed: number;
  total_succeeded: number;
  total_failed: number;
  total_skipped: number;
  /** Number of results, including that of a placeholder. */
  batch_count: number;
  /** Succeeded items divided by processed items, 0 to 1. 0 if nothing was processed. */
  success_rate: number;
  /** The first errors, at most `maxErrors`. */
  errors: Fields[];
  /** Total number of errors. */
  error_count: number;
}

/**
 * Adds up the results of workers. Accepts results as `batchWorkerSuccess` stores them, results nested under
 * `batch_worker_outcome`, and either form in an envelope. Missing results are skipped. Keeps the first `maxErrors`
 * errors (100).
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

/** Returns the bare result in an envelope. A value without an envelope is the result itself. */
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

/** The input of an aggregator: the analyzer's result, and the results of its workers if there were any. */
export interface BatchAggregationScenario {
  /** Whether the analyzer found nothing to do. The placeholder's result is then omitted. */
  isNoBatches: boolean;
  /** The analyzer's bare result. */
  batchableResult: Fields;
  /** The workers' bare results by step name, in the order of their names. */
  batchResults: Record<string, Fields>;
  /** Number of worker results. */
  workerCount: number;
}

/**
 * Determines from an aggregator's dependencies whether there were batches. The dependencies can be bare results, or
 * envelopes with the result under `result`, as in `context.dependencyResults`. Throws if the analyzer's result is
 * missing, or if it requested workers and there are no worker results.
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
    throw misuse(
      `missing batchable step dependency: ${batchableStepName}; the dependencies are ${there.join(', ') || 'none'}`,
    );
  }
  const batchableResult = fieldsOf(analyzer);
  if (saysNoBatches(batchableResult)) return scenarioOf(batchableResult, []);

  const workers = there.filter((name) => name.startsWith(batchWorkerPrefix) && name !== batchableStepName);
  if (workers.length === 0) {
    throw misuse(`no batch workers found with prefix ${batchWorkerPrefix}; the dependencies are ${there.join(', ')}`);
  }
  return scenarioOf(
    batchableResult,
    workers.sort(byNumber).map((name) => [name, fieldsOf(dependencyResults[name])]),
  );
}

/** Returns the bare result of a dependency if it is an object, otherwise an empty object. */
function fieldsOf(dependency: unknown): Fields {
  const bare = resultIn(dependency);
  return isFields(bare) ? bare : {};
}

/** Compares names with numbers by value: `post_999` comes before `post_1000`. */
export function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** Creates a scenario from an analyzer's result and the results of its workers. */
export function scenarioOf(batchableResult: Fields, workers: readonly [string, Fields][]): BatchAggregationScenario {
  return {
    isNoBatches: workers.length === 0 && saysNoBatches(batchableResult),
    batchableResult,
    batchResults: Object.fromEntries(workers),
    workerCount: workers.length,
  };
}

/** Returns the result of an aggregator if there was nothing to do. */
export function noBatchesAggregationResult(zeroMetrics: Fields = {}): StepHandlerResult {
  return StepHandlerResult.success({ ...zeroMetrics, worker_count: 0, scenario: 'no_batches' });
}

/**
 * Returns the result of an aggregator, with `worker_count` and `scenario`. Without batches, the result is
 * `zeroMetrics`. Otherwise it is the return value of `aggregate` for the workers' results by step name (default: `{
 * batch_results: results }`).
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
