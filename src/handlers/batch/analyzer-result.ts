import type { Fields } from '../../model/json.ts';
import { argumentsWithMetadata } from '../argument-forms.ts';
import { misuse, shown } from '../misuse.ts';
import { StepHandlerResult } from '../step-handler.ts';
import {
  type AnyCursor,
  CursorConfig,
  count,
  createCursorRanges,
  refuseTooMany,
  storedCursors,
} from './cursor-config.ts';

/** The outcome of an analyzer: the ranges, the number of items, and metadata for the workers and the aggregator. */
export interface BatchAnalyzerOutcome {
  cursorConfigs: AnyCursor[];
  /** Total number of items. Null means the sum of the ranges. */
  totalItems: number | null;
  /** Stored as `batch_metadata` in the analyzer's result. */
  batchMetadata: Fields;
}

/** The object form of the arguments of `batchAnalyzerSuccess`. */
export interface BatchAnalysis {
  /** The ranges. Empty if there is nothing to do. */
  cursorConfigs: readonly AnyCursor[];
  /** Total number of items. Default: the sum of the ranges. */
  totalItems?: number | null;
  /** The step of type `batch_worker`. Default: from the template. */
  workerTemplateName?: string;
  /** Stored as `batch_metadata` in the analyzer's result, where the workers and the aggregator can read it. */
  batchMetadata?: Fields;
  /** Stored as the metadata of the result. */
  metadata?: Fields;
}

/** The argument forms: an object (with metadata in it or after it), or all by position. */
export type BatchAnalysisArguments =
  | [analysis: BatchAnalysis, metadata?: Fields]
  | [cursorConfigs: readonly AnyCursor[], totalItems?: number, workerTemplateName?: string, batchMetadata?: Fields];

const BY_POSITION = ['cursorConfigs', 'totalItems', 'workerTemplateName', 'batchMetadata'] as const;

/**
 * Returns the result of an analyzer, which creates one worker for each range. Without ranges, the outcome is
 * `no_batches`, with the reason `batchMetadata.reason`, otherwise `empty_dataset`.
 *
 * @example
 * const cursorConfigs = createCursorRanges({ totalItems: 250, batchSize: 100 });
 * return batchAnalyzerSuccess({ cursorConfigs, totalItems: 250, workerTemplateName: 'process_csv_batch' });
 */
export function batchAnalyzerSuccess(...args: BatchAnalysisArguments): StepHandlerResult {
  const analysis = argumentsWithMetadata<BatchAnalysis>(args, BY_POSITION);
  const { cursorConfigs, totalItems, workerTemplateName, batchMetadata = {}, metadata } = analysis;
  if (!Array.isArray(cursorConfigs)) {
    throw misuse(`batchAnalyzerSuccess: cursorConfigs must be a list, not ${shown(cursorConfigs)}`);
  }
  const named = workerTemplateName === undefined ? {} : { worker_template_name: workerTemplateName };
  const known = Object.keys(batchMetadata).length === 0 ? {} : { batch_metadata: batchMetadata };
  if (cursorConfigs.length === 0) {
    const reason = batchMetadata.reason ?? 'empty_dataset';
    const outcome = { type: 'no_batches', ...named };
    const result = { batch_processing_outcome: outcome, reason, worker_count: 0, total_items: 0, ...known };
    return StepHandlerResult.success(result, { ...metadata, batch_analyzer: true, no_batches: true });
  }
  const cursors = storedCursors(cursorConfigs as readonly AnyCursor[]);
  refuseTooMany('batchAnalyzerSuccess', cursors.length);
  const total =
    totalItems == null
      ? cursors.reduce((sum, { batch_size }) => sum + batch_size, 0)
      : count('batchAnalyzerSuccess', 'totalItems', totalItems);
  const counts = { worker_count: cursors.length, cursor_configs: cursors, total_items: total };
  const result = {
    batch_processing_outcome: { type: 'create_batches', ...named, ...counts },
    worker_count: cursors.length,
    total_items: total,
    ...known,
  };
  return StepHandlerResult.success(result, { ...metadata, batch_analyzer: true });
}

/** Returns the result of an analyzer. `metadata` is stored in the result next to the outcome, and as its metadata. */
export function batchSuccess(
  workerTemplateName: string,
  configs: readonly AnyCursor[],
  metadata: Fields = {},
): StepHandlerResult {
  const analyzed = batchAnalyzerSuccess({ cursorConfigs: configs, workerTemplateName });
  return StepHandlerResult.success({ ...metadata, ...analyzed.result }, { ...metadata, ...analyzed.metadata });
}

/**
 * Returns the result of an analyzer that found nothing to do. `metadata` is stored in the result and as its metadata.
 */
export function noBatchesResult(reason?: string, metadata: Fields = {}): StepHandlerResult {
  const result = {
    ...metadata,
    batch_processing_outcome: { type: 'no_batches' },
    ...(reason === undefined ? {} : { reason }),
  };
  return StepHandlerResult.success(result, { ...metadata, batch_analyzer: true, no_batches: true });
}

/** Returns the outcome of an analyzer that splits its items evenly. */
export function createBatchOutcome(
  totalItems: number,
  batchSize: number,
  stepSize = 1,
  batchMetadata: Fields = {},
): BatchAnalyzerOutcome {
  const cursorConfigs = createCursorRanges({ totalItems, batchSize, stepSize });
  return { cursorConfigs, totalItems, batchMetadata };
}

/** Returns the outcome of an analyzer with custom ranges. `totalItems` defaults to the sum of the ranges. */
export function createBatchOutcomeFromRanges(
  ranges: readonly (readonly [start: number, end: number])[],
  stepSize = 1,
  totalItems?: number,
  batchMetadata: Fields = {},
): BatchAnalyzerOutcome {
  const cursorConfigs = ranges.map(([startCursor, endCursor]) => CursorConfig({ startCursor, endCursor, stepSize }));
  const total = totalItems ?? cursorConfigs.reduce((sum, { batchSize }) => sum + batchSize, 0);
  return { cursorConfigs, totalItems: total, batchMetadata };
}
