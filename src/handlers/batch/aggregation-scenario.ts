import { type Fields, isFields } from '../../model/fields.ts';
import { resultIn } from '../dependency-result.ts';
import { misuse } from '../misuse.ts';
import { StepHandlerResult } from '../step-handler-result.ts';

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
