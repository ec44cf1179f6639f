import type { StepContext } from '../step-context.ts';
import type { StepHandlerResult } from '../step-handler-result.ts';
import { applyMixin } from '../with-mixins.ts';
import { aggregateBatchResults, type BatchAggregationResult } from './aggregate-batch-results.ts';
import {
  aggregateBatchWorkerResults,
  type BatchAggregationScenario,
  detectAggregationScenario,
  noBatchesAggregationResult,
} from './aggregation-scenario.ts';
import {
  type BatchAnalysis,
  type BatchAnalysisArguments,
  type BatchAnalyzerOutcome,
  batchAnalyzerSuccess,
  batchSuccess,
  createBatchOutcome,
  createBatchOutcomeFromRanges,
  noBatchesResult,
} from './analyzer-result.ts';
import { BatchWorkerContext } from './batch-worker-context.ts';
import { getBatchWorkerInputs, handleNoOpWorker, type RustBatchWorkerInputs } from './batch-worker-inputs.ts';
import { type Checkpoint, type CheckpointArguments, checkpointYield } from './checkpoint-yield.ts';
import type { AnyCursor, BatchWorkerConfig, CursorConfig } from './cursor-config.ts';
import {
  type CursorRangeArguments,
  type CursorRangeOptions,
  createCursorConfig,
  createCursorConfigs,
  createCursorRanges,
} from './cursor-ranges.ts';
import {
  type BatchWork,
  type BatchWorkArguments,
  type BatchWorkerOutcome,
  batchWorkerPartialFailure,
  batchWorkerSuccess,
  createWorkerOutcome,
} from './worker-result.ts';

type Fields = Record<string, unknown>;
type Sized = CursorConfig & { batchSize: number };

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
export class BatchableMixin {
  get capabilities(): string[] {
    return ['batchable'];
  }

  /** Adds up what workers did; keeps `maxErrors` errors (100). */
  static aggregateWorkerResults(
    workerResults: readonly (object | null | undefined)[],
    maxErrors?: number,
  ): BatchAggregationResult {
    return aggregateBatchResults(workerResults, maxErrors);
  }

  /** Adds up what workers did; keeps `maxErrors` errors (100). */
  aggregateWorkerResults(
    workerResults: readonly (object | null | undefined)[],
    maxErrors?: number,
  ): BatchAggregationResult {
    return aggregateBatchResults(workerResults, maxErrors);
  }

  /** One range: from `start` up to, but without, `end`. */
  createCursorConfig(start: number, end: number, stepSize?: number, metadata?: Fields): Sized {
    return createCursorConfig(start, end, stepSize, metadata);
  }

  /** Cuts items into ranges of `batchSize`, at most `maxBatches` of them. */
  createCursorRanges(options: CursorRangeOptions): Sized[];
  createCursorRanges(
    totalItems: number,
    batchSize: number,
    options: Omit<CursorRangeOptions, 'totalItems' | 'batchSize'>,
  ): Sized[];
  createCursorRanges(totalItems: number, batchSize: number, stepSize?: number, maxBatches?: number): Sized[];
  createCursorRanges(...args: CursorRangeArguments): Sized[] {
    return createCursorRanges(...args);
  }

  /** Deals items out to so many workers. */
  createCursorConfigs(totalItems: number, workerCount: number): BatchWorkerConfig[] {
    return createCursorConfigs(totalItems, workerCount);
  }

  /** An analyzer's outcome, cut evenly. */
  createBatchOutcome(
    totalItems: number,
    batchSize: number,
    stepSize?: number,
    batchMetadata?: Fields,
  ): BatchAnalyzerOutcome {
    return createBatchOutcome(totalItems, batchSize, stepSize, batchMetadata);
  }

  /** An analyzer's outcome with ranges of its own; `totalItems` defaults to the sum of them. */
  createBatchOutcomeFromRanges(
    ranges: readonly (readonly [start: number, end: number])[],
    stepSize?: number,
    totalItems?: number,
    batchMetadata?: Fields,
  ): BatchAnalyzerOutcome {
    return createBatchOutcomeFromRanges(ranges, stepSize, totalItems, batchMetadata);
  }

  /** What a worker did. Succeeded are, unless it is said, all that did not fail and were not skipped. */
  createWorkerOutcome(...args: Parameters<typeof createWorkerOutcome>): BatchWorkerOutcome {
    return createWorkerOutcome(...args);
  }

  /** A batch context made by hand. `batchIndex` counts from 0. */
  createBatchContext(
    cursorConfig: CursorConfig,
    batchIndex: number,
    totalBatches: number,
    batchMetadata: Fields = {},
  ): BatchWorkerContext {
    const { startCursor, endCursor, batchSize = endCursor - startCursor, stepSize, metadata } = cursorConfig;
    return BatchWorkerContext.fromStepData({
      batch_id: String(batchIndex + 1).padStart(3, '0'),
      cursor: {
        start_cursor: startCursor,
        end_cursor: endCursor,
        batch_size: batchSize,
        step_size: stepSize,
        metadata,
      },
      batch_index: batchIndex,
      total_batches: totalBatches,
      batch_metadata: batchMetadata,
    });
  }

  /** The batch of a worker's step; null in a step that is no worker. */
  getBatchContext(context: StepContext): BatchWorkerContext | null {
    return BatchWorkerContext.fromStepContext(context);
  }

  /** The inputs of a worker's step; null in a step that is no worker. */
  getBatchWorkerInputs(context: StepContext): Partial<RustBatchWorkerInputs> | null {
    return getBatchWorkerInputs(context);
  }

  /** The result of a placeholder; null when there is a real batch to work on. */
  handleNoOpWorker(context: StepContext): StepHandlerResult | null {
    return handleNoOpWorker(context);
  }

  /** The result of an analyzer: one worker for each range. No ranges: nothing to do. */
  batchAnalyzerSuccess(analysis: BatchAnalysis, metadata?: Fields): StepHandlerResult;
  batchAnalyzerSuccess(
    cursorConfigs: readonly AnyCursor[],
    totalItems?: number,
    workerTemplateName?: string,
    batchMetadata?: Fields,
  ): StepHandlerResult;
  batchAnalyzerSuccess(...args: BatchAnalysisArguments): StepHandlerResult {
    return batchAnalyzerSuccess(...args);
  }

  /** The result of an analyzer. `metadata` is stored in the result and as the result's metadata. */
  batchSuccess(workerTemplateName: string, configs: readonly AnyCursor[], metadata?: Fields): StepHandlerResult {
    return batchSuccess(workerTemplateName, configs, metadata);
  }

  /** The result of an analyzer that found nothing to do. `metadata` is stored in the result and as its metadata. */
  noBatchesResult(reason?: string, metadata?: Fields): StepHandlerResult {
    return noBatchesResult(reason, metadata);
  }

  /** The same as `noBatchesResult`. */
  noBatchesOutcome(reason: string, metadata?: Fields): StepHandlerResult {
    return noBatchesResult(reason, metadata);
  }

  /** The result of a worker, in the form that the aggregator reads. */
  batchWorkerSuccess(work: BatchWork, metadata?: Fields): StepHandlerResult;
  batchWorkerSuccess(
    itemsProcessed: number,
    itemsSucceeded?: number,
    itemsFailed?: number,
    results?: readonly unknown[],
    lastCursor?: unknown,
    metadata?: Fields,
  ): StepHandlerResult;
  batchWorkerSuccess(...args: BatchWorkArguments): StepHandlerResult {
    return batchWorkerSuccess(...args);
  }

  /** The result of a worker whose batch counts as done although some of it failed. */
  batchWorkerPartialFailure(work: BatchWork, message?: string, metadata?: Fields): StepHandlerResult {
    return batchWorkerPartialFailure(work, message, metadata);
  }

  /** Saves how far the step has come, when it is returned; the handler is then called again. */
  checkpointYield(checkpoint: Checkpoint): StepHandlerResult;
  checkpointYield(cursor: unknown, itemsProcessed: number, accumulatedResults?: Fields): StepHandlerResult;
  checkpointYield(...args: CheckpointArguments): StepHandlerResult {
    return checkpointYield(...args);
  }

  /** What an aggregator finds among its dependencies. */
  detectAggregationScenario(
    dependencyResults: Readonly<Record<string, unknown>>,
    batchableStepName: string,
    batchWorkerPrefix: string,
  ): BatchAggregationScenario {
    return detectAggregationScenario(dependencyResults, batchableStepName, batchWorkerPrefix);
  }

  /** The result of an aggregator when there was nothing to do. */
  noBatchesAggregationResult(zeroMetrics?: Fields): StepHandlerResult {
    return noBatchesAggregationResult(zeroMetrics);
  }

  /** The result of an aggregator, with or without batches. */
  aggregateBatchWorkerResults(
    scenario: BatchAggregationScenario,
    zeroMetrics?: Fields,
    aggregationFn?: (batchResults: Record<string, Fields>) => object,
  ): StepHandlerResult {
    return aggregateBatchWorkerResults(scenario, zeroMetrics, aggregationFn);
  }
}

/** What a handler of batches can do. */
export interface Batchable extends Omit<BatchableMixin, 'capabilities'> {}

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
