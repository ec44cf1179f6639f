import type { Fields } from '../../model/fields.ts';
import type { StepContext } from '../step-context.ts';
import { StepHandler, type StepHandlerResult } from '../step-handler.ts';

import { applyMixin, withMembers, withMixins } from '../with-mixins.ts';
import {
  aggregateBatchResults,
  aggregateBatchWorkerResults,
  type BatchAggregationResult,
  type BatchAggregationScenario,
  detectAggregationScenario,
  noBatchesAggregationResult,
} from './aggregation.ts';
import {
  type BatchAnalysisArguments,
  type BatchAnalyzerOutcome,
  batchAnalyzerSuccess,
  batchSuccess,
  createBatchOutcome,
  createBatchOutcomeFromRanges,
  noBatchesResult,
} from './analyzer-result.ts';
import {
  type BatchWorkerContext,
  createBatchContext,
  getBatchContext,
  getBatchWorkerInputs,
  handleNoOpWorker,
  type RustBatchWorkerInputs,
} from './batch-worker-context.ts';

import { type CheckpointArguments, checkpointYield } from './checkpoint-yield.ts';
import {
  type AnyCursor,
  type BatchWorkerConfig,
  type CursorRangeArguments,
  createCursorConfig,
  createCursorConfigs,
  createCursorRanges,
  type SizedCursor,
} from './cursor-config.ts';
import {
  type BatchWork,
  type BatchWorkArguments,
  type BatchWorkerOutcome,
  batchWorkerPartialFailure,
  batchWorkerSuccess,
  createWorkerOutcome,
} from './worker-result.ts';

/** What a handler of batches can do. Every method is the function of the same name. */
export interface Batchable {
  /** Adds up what workers did; keeps `maxErrors` errors (100). */
  aggregateWorkerResults(...args: Parameters<typeof aggregateBatchResults>): BatchAggregationResult;
  /** One range: from `start` up to, but without, `end`. */
  createCursorConfig(start: number, end: number, stepSize?: number, metadata?: Fields): SizedCursor;
  /**
   * Cuts items into ranges of `batchSize`, at most `maxBatches` of them. Written as `({ totalItems, batchSize, stepSize?,
   * maxBatches? })`, `(totalItems, batchSize, { stepSize?, maxBatches? })` or all by position.
   */
  createCursorRanges(...args: CursorRangeArguments): SizedCursor[];
  /** Deals items out to so many workers. */
  createCursorConfigs(totalItems: number, workerCount: number): BatchWorkerConfig[];
  /** An analyzer's outcome, cut evenly: `(totalItems, batchSize, stepSize?, batchMetadata?)`. */
  createBatchOutcome(...args: Parameters<typeof createBatchOutcome>): BatchAnalyzerOutcome;
  /**
   * An analyzer's outcome with ranges of its own: `(ranges, stepSize?, totalItems?, batchMetadata?)`. A range is
   * `[start, end]`; `totalItems` defaults to the sum of them.
   */
  createBatchOutcomeFromRanges(...args: Parameters<typeof createBatchOutcomeFromRanges>): BatchAnalyzerOutcome;
  /** What a worker did. Succeeded are, unless it is said, all that did not fail and were not skipped. */
  createWorkerOutcome(...args: Parameters<typeof createWorkerOutcome>): BatchWorkerOutcome;
  /**
   * A batch context made by hand: `(cursorConfig, batchIndex, totalBatches, batchMetadata?)`. `batchIndex` counts from 0.
   */
  createBatchContext(...args: Parameters<typeof createBatchContext>): BatchWorkerContext;
  /** The batch of a worker's step; null in a step that is no worker. */
  getBatchContext(context: StepContext): BatchWorkerContext | null;
  /** The inputs of a worker's step; null in a step that is no worker. */
  getBatchWorkerInputs(context: StepContext): Partial<RustBatchWorkerInputs> | null;
  /** The result of a placeholder; null when there is a real batch to work on. */
  handleNoOpWorker(context: StepContext): StepHandlerResult | null;
  /**
   * The result of an analyzer: one worker for each range. No ranges: nothing to do. Written as `(analysis, metadata?)` or
   * `(cursorConfigs, totalItems?, workerTemplateName?, batchMetadata?)`.
   */
  batchAnalyzerSuccess(...args: BatchAnalysisArguments): StepHandlerResult;
  /** The result of an analyzer. `metadata` is stored in the result and as the result's metadata. */
  batchSuccess(workerTemplateName: string, configs: readonly AnyCursor[], metadata?: Fields): StepHandlerResult;
  /** The result of an analyzer that found nothing to do. `metadata` is stored in the result and as its metadata. */
  noBatchesResult(reason?: string, metadata?: Fields): StepHandlerResult;
  /** The same as `noBatchesResult`. */
  noBatchesOutcome(reason: string, metadata?: Fields): StepHandlerResult;
  /**
   * The result of a worker, in the form that the aggregator reads. Written as `(work, metadata?)` or `(itemsProcessed,
   * itemsSucceeded?, itemsFailed?, results?, lastCursor?, metadata?)`.
   */
  batchWorkerSuccess(...args: BatchWorkArguments): StepHandlerResult;
  /** The result of a worker whose batch counts as done although some of it failed. */
  batchWorkerPartialFailure(work: BatchWork, message?: string, metadata?: Fields): StepHandlerResult;
  /**
   * Saves how far the step has come, when it is returned; the handler is then called again. Written as `({ cursor,
   * itemsProcessed?, accumulatedResults? })` or `(cursor, itemsProcessed, accumulatedResults?)`.
   */
  checkpointYield(...args: CheckpointArguments): StepHandlerResult;
  /** What an aggregator finds: `(dependencyResults, batchableStepName, batchWorkerPrefix)`. */
  detectAggregationScenario(...args: Parameters<typeof detectAggregationScenario>): BatchAggregationScenario;
  /** The result of an aggregator when there was nothing to do. */
  noBatchesAggregationResult(zeroMetrics?: Fields): StepHandlerResult;
  /** The result of an aggregator, with or without batches: `(scenario, zeroMetrics?, aggregate?)`. */
  aggregateBatchWorkerResults(...args: Parameters<typeof aggregateBatchWorkerResults>): StepHandlerResult;
}

/**
 * Batches for a handler: the analyzer cuts the work into ranges, a worker does each, the aggregator adds up. Every
 * method is the function of the same name.
 *
 * @example
 * class AnalyzeCsv extends withMixins(StepHandler, Batchable) {
 *   static override handlerName = 'analyze_csv';
 *
 *   async call(context: StepContext) {
 *     const totalItems = await countRows(String(context.getInput('csv_path')));
 *     const cursorConfigs = this.createCursorRanges({ totalItems, batchSize: 100 });
 *     return this.batchAnalyzerSuccess({ cursorConfigs, totalItems, workerTemplateName: 'process_csv_batch' });
 *   }
 * }
 */
export class BatchableMixin extends withMembers<Batchable>({
  aggregateWorkerResults: aggregateBatchResults,
  createCursorConfig,
  createCursorRanges,
  createCursorConfigs,
  createBatchOutcome,
  createBatchOutcomeFromRanges,
  createWorkerOutcome,
  createBatchContext,
  getBatchContext,
  getBatchWorkerInputs,
  handleNoOpWorker,
  batchAnalyzerSuccess,
  batchSuccess,
  noBatchesResult,
  noBatchesOutcome: noBatchesResult,
  batchWorkerSuccess,
  batchWorkerPartialFailure,
  checkpointYield,
  detectAggregationScenario,
  noBatchesAggregationResult,
  aggregateBatchWorkerResults,
}) {
  /** Adds up what workers did; keeps `maxErrors` errors (100). */
  static aggregateWorkerResults(...args: Parameters<typeof aggregateBatchResults>): BatchAggregationResult {
    return aggregateBatchResults(...args);
  }

  get capabilities(): string[] {
    return ['batchable'];
  }
}

/**
 * The same class as {@link BatchableMixin}.
 *
 * @alias
 * @example
 * abstract class CsvHandler extends withMixins(StepHandler, Batchable) {}
 */
export const Batchable = BatchableMixin;

/**
 * Gives a handler the methods of {@link BatchableMixin}, in its constructor. What it has already stays.
 *
 * @example
 * class CountRows extends StepHandler {
 *   static override handlerName = 'count_rows';
 *   readonly batches = applyBatchable(this);
 *
 *   call(context: StepContext) {
 *     return this.batches.handleNoOpWorker(context) ?? this.batches.batchWorkerSuccess({ itemsProcessed: 1 });
 *   }
 * }
 */
export function applyBatchable<Target extends object>(target: Target): Target & Batchable {
  return applyMixin(target, BatchableMixin);
}

/** What a handler of batches returns. */
export type BatchableResult = StepHandlerResult;

/**
 * The base of analyzers, workers and aggregators: a `StepHandler` with the methods of `BatchableMixin`.
 *
 * @example
 * class SumBatch extends BatchableStepHandler {
 *   static override handlerName = 'sum_batch';
 *
 *   call(context: StepContext) {
 *     const batch = this.getBatchContext(context);
 *     if (!batch || batch.isNoOp) return this.batchWorkerSuccess({ itemsProcessed: 0 });
 *     return this.batchWorkerSuccess({ itemsProcessed: batch.batchSize, lastCursor: batch.endCursor });
 *   }
 * }
 */
export abstract class BatchableStepHandler extends withMixins(StepHandler, BatchableMixin) {}
