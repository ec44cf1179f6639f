import type { Fields } from '../../model/json.ts';
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

/** The methods of a handler for batches. Each method is the function of the same name. */
export interface Batchable {
  /** Adds up the results of workers. Keeps the first `maxErrors` errors (100). */
  aggregateWorkerResults(...args: Parameters<typeof aggregateBatchResults>): BatchAggregationResult;
  /** Returns a range from `start` to `end`, excluding `end`. */
  createCursorConfig(start: number, end: number, stepSize?: number, metadata?: Fields): SizedCursor;
  /**
   * Splits items into at most `maxBatches` ranges of `batchSize`. Forms: `({ totalItems, batchSize, stepSize?,
   * maxBatches? })`, `(totalItems, batchSize, { stepSize?, maxBatches? })` or all by position.
   */
  createCursorRanges(...args: CursorRangeArguments): SizedCursor[];
  /** Distributes items among `workerCount` workers. */
  createCursorConfigs(totalItems: number, workerCount: number): BatchWorkerConfig[];
  /** Returns an analyzer's outcome with even ranges: `(totalItems, batchSize, stepSize?, batchMetadata?)`. */
  createBatchOutcome(...args: Parameters<typeof createBatchOutcome>): BatchAnalyzerOutcome;
  /**
   * Returns an analyzer's outcome with custom ranges: `(ranges, stepSize?, totalItems?, batchMetadata?)`. A range is
   * `[start, end]`. `totalItems` defaults to the sum of the ranges.
   */
  createBatchOutcomeFromRanges(...args: Parameters<typeof createBatchOutcomeFromRanges>): BatchAnalyzerOutcome;
  /** Returns a worker's outcome. By default, all items that did not fail and were not skipped have succeeded. */
  createWorkerOutcome(...args: Parameters<typeof createWorkerOutcome>): BatchWorkerOutcome;
  /**
   * Creates a batch context by hand: `(cursorConfig, batchIndex, totalBatches, batchMetadata?)`. `batchIndex` starts at
   * 0.
   */
  createBatchContext(...args: Parameters<typeof createBatchContext>): BatchWorkerContext;
  /** Returns the batch of a worker's step. Null if the step is not a worker. */
  getBatchContext(context: StepContext): BatchWorkerContext | null;
  /** Returns the inputs of a worker's step. Null if the step is not a worker. */
  getBatchWorkerInputs(context: StepContext): Partial<RustBatchWorkerInputs> | null;
  /** Returns the result of a placeholder. Null if there is a real batch. */
  handleNoOpWorker(context: StepContext): StepHandlerResult | null;
  /**
   * Returns the result of an analyzer, with one worker for each range. No ranges means nothing to do. Forms:
   * `(analysis, metadata?)` or `(cursorConfigs, totalItems?, workerTemplateName?, batchMetadata?)`.
   */
  batchAnalyzerSuccess(...args: BatchAnalysisArguments): StepHandlerResult;
  /** Returns the result of an analyzer. `metadata` is stored in the result and as its metadata. */
  batchSuccess(workerTemplateName: string, configs: readonly AnyCursor[], metadata?: Fields): StepHandlerResult;
  /**
   * Returns the result of an analyzer that found nothing to do. `metadata` is stored in the result and as its metadata.
   */
  noBatchesResult(reason?: string, metadata?: Fields): StepHandlerResult;
  /** Same as `noBatchesResult`. */
  noBatchesOutcome(reason: string, metadata?: Fields): StepHandlerResult;
  /**
   * Returns the result of a worker, in the form that aggregators read. Forms: `(work, metadata?)` or `(itemsProcessed,
   * itemsSucceeded?, itemsFailed?, results?, lastCursor?, metadata?)`.
   */
  batchWorkerSuccess(...args: BatchWorkArguments): StepHandlerResult;
  /** Returns the result of a worker whose batch is complete although some items failed. */
  batchWorkerPartialFailure(work: BatchWork, message?: string, metadata?: Fields): StepHandlerResult;
  /**
   * Returns a result that saves the step's progress, after which the handler is called again. Forms: `({ cursor,
   * itemsProcessed?, accumulatedResults? })` or `(cursor, itemsProcessed, accumulatedResults?)`.
   */
  checkpointYield(...args: CheckpointArguments): StepHandlerResult;
  /** Returns the input of an aggregator: `(dependencyResults, batchableStepName, batchWorkerPrefix)`. */
  detectAggregationScenario(...args: Parameters<typeof detectAggregationScenario>): BatchAggregationScenario;
  /** Returns the result of an aggregator if there was nothing to do. */
  noBatchesAggregationResult(zeroMetrics?: Fields): StepHandlerResult;
  /** Returns the result of an aggregator, with or without batches: `(scenario, zeroMetrics?, aggregate?)`. */
  aggregateBatchWorkerResults(...args: Parameters<typeof aggregateBatchWorkerResults>): StepHandlerResult;
}

/**
 * Batch processing for a handler: the analyzer splits the work into ranges, a worker processes each range, and the
 * aggregator combines the results. Each method is the function of the same name.
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
  /** Adds up the results of workers. Keeps the first `maxErrors` errors (100). */
  static aggregateWorkerResults(...args: Parameters<typeof aggregateBatchResults>): BatchAggregationResult {
    return aggregateBatchResults(...args);
  }

  get capabilities(): string[] {
    return ['batchable'];
  }
}

/**
 * An alias of {@link BatchableMixin}.
 *
 * @alias
 * @example
 * abstract class CsvHandler extends withMixins(StepHandler, Batchable) {}
 */
export const Batchable = BatchableMixin;

/**
 * Adds the methods of {@link BatchableMixin} to a handler, in its constructor. Existing members are kept.
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

/** The return type of a handler for batches. */
export type BatchableResult = StepHandlerResult;

/**
 * The base class of analyzers, workers and aggregators: a `StepHandler` with the methods of `BatchableMixin`.
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
