import { z } from 'zod';
import type { AnyInputs, DependencySources, HandlerArgs, None } from '../handler-arguments.ts';
import { type HandlerOptions, handlerOfFunction } from '../handler-of-function.ts';
import { misuse, shown } from '../misuse.ts';
import { resultOfReturn } from '../outcome.ts';
import { isStepHandlerResult, type StepHandlerClass, type StepHandlerResult } from '../step-handler.ts';

import { type BatchAnalysis, batchAnalyzerSuccess } from './analyzer-result.ts';
import type { BatchProcessingOutcome } from './batch-processing-outcome.ts';
import { type AnyCursor, createCursorRanges, MAX_BATCHES, storedCursors } from './cursor-config.ts';

/** What the function of `defineBatchAnalyzer` returns: how much there is, and how it is cut. */
export interface BatchConfig {
  /** 0: there is nothing to do. */
  totalItems: number;
  /** Items a worker. */
  batchSize: number;
  /** When there would be more workers than this, each gets more. Default: as many as it takes, up to 10,000. */
  maxBatches?: number;
  /** Handed to each worker; default 1. */
  stepSize?: number;
  /** Stored as `batch_metadata` of the analyzer's result, where workers and aggregator read it. */
  metadata?: Record<string, unknown>;
}

const Model = z.strictObject({
  totalItems: z.int().min(0),
  batchSize: z.int().min(1),
  maxBatches: z.int().min(1).max(MAX_BATCHES).optional(),
  stepSize: z.int().min(1).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

/**
 * A {@link BatchConfig}, checked: what makes no sense, and any other key, is refused by name.
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

/** What `defineBatchAnalyzer` is told besides what all handlers are. */
export interface BatchAnalyzerOptions<Inputs, Depends> extends HandlerOptions<Inputs, Depends> {
  /** The step of type `batch_worker`; default: as the template says. */
  workerTemplate?: string;
}

/** What the function of an analyzer may return, at once or later: sizes, ranges of its own, or a result. */
export type BatchAnalyzerReturn =
  | BatchConfig
  | BatchAnalysis
  | StepHandlerResult
  | { batch_processing_outcome: BatchProcessingOutcome };

/**
 * The handler of a `batchable` step from a function, with the options and arguments of `defineHandler`. It returns how
 * many items there are and how many a worker gets; one worker is made for each batch, none when there are no items. The
 * ids of the batches are `batch_000`, `batch_001` and so on; `batchAnalyzerSuccess`, which class handlers use, numbers them
 * from `001`. Return your own ranges as `{ cursorConfigs }`. Invalid sizes fail the step permanently.
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
    resultOf: (returned) => resultOfAnalysis(returned, name, options.workerTemplate),
  });
}

function resultOfAnalysis(returned: unknown, name: string, workerTemplateName?: string): StepHandlerResult {
  if (isStepHandlerResult(returned)) return returned;
  if (typeof returned !== 'object' || returned === null) {
    throw misuse(`analyzer ${name}: its function returned ${shown(returned)}; return { totalItems, batchSize }`);
  }
  // A result written by hand, with whatever else it likes beside the outcome.
  if ('batch_processing_outcome' in returned) return resultOfReturn(returned);
  if ('cursorConfigs' in returned) {
    const analysis = returned as BatchAnalysis;
    return batchAnalyzerSuccess({ workerTemplateName, ...analysis, cursorConfigs: named(analysis.cursorConfigs) });
  }

  const { totalItems, metadata = {}, ...sizes } = BatchConfig(returned as BatchConfig);
  const cursorConfigs = named(createCursorRanges({ totalItems, ...sizes }));
  return batchAnalyzerSuccess(
    { cursorConfigs, totalItems, workerTemplateName, batchMetadata: metadata },
    { ...metadata, batch_count: cursorConfigs.length, total_items: totalItems },
  );
}

/** The ids that existing function analyzers assign and that their aggregators look for. */
function named(cursors: readonly AnyCursor[]): readonly AnyCursor[] {
  if (!Array.isArray(cursors)) return cursors;
  return storedCursors(cursors as readonly AnyCursor[], (index) => `batch_${String(index).padStart(3, '0')}`);
}
