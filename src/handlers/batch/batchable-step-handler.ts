import { StepHandler } from '../step-handler.ts';
import type { StepHandlerResult } from '../step-handler-result.ts';
import { withMixins } from '../with-mixins.ts';
import { BatchableMixin } from './batchable-mixin.ts';

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
