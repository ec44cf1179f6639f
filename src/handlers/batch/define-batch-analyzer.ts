import { z } from 'zod';
import type { AnyInputs, DependencySources, HandlerArgs, None } from '../handler-arguments.ts';
import { type HandlerOptions, handlerOfFunction } from '../handler-of-function.ts';
import { misuse, shown } from '../misuse.ts';
import { resultOfReturn } from '../outcome.ts';
import type { StepContext } from '../step-context.ts';
import { isStepHandlerResult, type StepHandlerClass, type StepHandlerResult } from '../step-handler.ts';

import { type BatchAnalysis, batchAnalyzerSuccess } from './analyzer-result.ts';
import type { BatchProcessingOutcome } from './batch-processing-outcome.ts';
import { type AnyCursor, createCursorRanges, MAX_BATCHES, storedCursors } from './cursor-config.ts';

/** The return value of a `defineBatchAnalyzer` function: the number of items and the size of the batches. */
export interface BatchConfig {
  /** Total number of items. 0 means that there is nothing to do. */
  totalItems: number;
  /** Number of items per worker. Default: `batch_config.batch_size` of the `batch_worker` step. */
  batchSize?: number;
  /**
   * Maximum number of workers. Larger batches are used if there would be more. Default: no maximum, but at most 10,000.
   */
  maxBatches?: number;
  /** Passed to each worker. Default 1. */
  stepSize?: number;
  /** Stored as `batch_metadata` in the analyzer's result, where the workers and the aggregator can read it. */
  metadata?: Record<string, unknown>;
}

const Model = z.strictObject({
  totalItems: z.int().min(0),
  batchSize: z.int().min(1).optional(),
  maxBatches: z.int().min(1).max(MAX_BATCHES).optional(),
  stepSize: z.int().min(1).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

/**
 * Checks a {@link BatchConfig}. Throws an error that names the invalid value or unknown key.
 *
 * @example
 * return BatchConfig({ totalItems: rows.length, batchSize: 100, metadata: { csv_path } });
 */
export function BatchConfig(config: BatchConfig): BatchConfig {
  const parsed = Model.safeParse(config);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw misuse(`BatchConfig: ${[...(issue?.path ?? []), issue?.message].join(': ')}`);
}

/** Options of {@link defineBatchAnalyzer}. */
export interface BatchAnalyzerOptions<Inputs, Depends> extends HandlerOptions<Inputs, Depends> {
  /** The step of type `batch_worker`. Default: from the template. */
  workerTemplate?: string;
}

/** The return value of an analyzer's function: sizes, custom ranges, or a result. A promise is also accepted. */
export type BatchAnalyzerReturn =
  | BatchConfig
  | BatchAnalysis
  | StepHandlerResult
  | { batch_processing_outcome: BatchProcessingOutcome };

/**
 * Defines the handler of a `batchable` step as a function, with the options and arguments of `defineHandler`. The
 * function returns the number of items, and the number per worker unless the template has it
 * (`batch_config.batch_size`). One worker is created for each batch, and none if there are no items.
 *
 * The ids of the batches are `batch_000`, `batch_001` and so on, whereas `batchAnalyzerSuccess` in class handlers
 * starts at `001`. To use custom ranges, return `{ cursorConfigs }`. Invalid sizes fail the step permanently.
 *
 * @example
 * const analyze = defineBatchAnalyzer(
 *   'analyze_csv',
 *   { workerTemplate: 'process_csv_batch', inputs: { csv_path: z.string() } },
 *   async ({ csv_path }) => ({ totalItems: await countRows(csv_path), batchSize: 100, metadata: { csv_path } }),
 * );
 */
export function defineBatchAnalyzer<
  const Inputs extends AnyInputs = None,
  const Depends extends DependencySources = None,
>(
  name: string,
  options: BatchAnalyzerOptions<Inputs, Depends>,
  fn: (args: HandlerArgs<Inputs, Depends>) => BatchAnalyzerReturn | Promise<BatchAnalyzerReturn>,
): StepHandlerClass {
  return handlerOfFunction({
    name,
    options,
    fn,
    moreOptions: ['workerTemplate'],
    capabilities: ['process', 'batchable'],
    resultOf: (returned, context) =>
      resultOfAnalysis(returned, { name, workerTemplateName: options.workerTemplate, context }),
  });
}

interface Analyzer {
  name: string;
  workerTemplateName: string | undefined;
  context: StepContext;
}

function resultOfAnalysis(returned: unknown, { name, workerTemplateName, context }: Analyzer): StepHandlerResult {
  if (isStepHandlerResult(returned)) return returned;
  if (typeof returned !== 'object' || returned === null) {
    throw misuse(`analyzer ${name}: its function returned ${shown(returned)}; return { totalItems, batchSize }`);
  }
  // A result written by hand, which may have other keys next to the outcome.
  if ('batch_processing_outcome' in returned) return resultOfReturn(returned);
  if ('cursorConfigs' in returned) {
    const analysis = returned as BatchAnalysis;
    return batchAnalyzerSuccess({ workerTemplateName, ...analysis, cursorConfigs: named(analysis.cursorConfigs) });
  }

  const { totalItems, metadata = {}, batchSize, ...sizes } = BatchConfig(returned as BatchConfig);
  // Without items, there is no batch whose size matters.
  const size = batchSize ?? context.batchSizeOf(workerTemplateName) ?? (totalItems === 0 ? 1 : undefined);
  if (size === undefined) {
    throw misuse(
      `analyzer ${name}: the batch size is unknown; return batchSize, or set batch_config.batch_size of the batch_worker step`,
    );
  }
  const cursorConfigs = named(createCursorRanges({ totalItems, batchSize: size, ...sizes }));
  return batchAnalyzerSuccess(
    { cursorConfigs, totalItems, workerTemplateName, batchMetadata: metadata },
    { ...metadata, batch_count: cursorConfigs.length, total_items: totalItems },
  );
}

/** Assigns the ids that existing function analyzers use and their aggregators expect. */
function named(cursors: readonly AnyCursor[]): readonly AnyCursor[] {
  if (!Array.isArray(cursors)) return cursors;
  return storedCursors(cursors as readonly AnyCursor[], (index) => `batch_${String(index).padStart(3, '0')}`);
}
