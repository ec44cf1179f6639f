import { dependencyReader, reader } from '../argument-readers.ts';
import type {
  AnyInputs,
  DependencySource,
  DependencySources,
  HandlerArgs,
  None,
  OutputOf,
} from '../handler-arguments.ts';
import { type HandlerOptions, handlerOfFunction } from '../handler-of-function.ts';
import { resultOfReturn } from '../outcome.ts';
import { isStepHandlerResult, type StepHandlerClass, type StepHandlerResult } from '../step-handler.ts';

import { type BatchWorkerContext, getBatchContext, handleNoOpWorker } from './batch-worker-context.ts';

import { type BatchWork, batchWorkerSuccess } from './worker-result.ts';

/** Options of {@link defineBatchWorker}. */
export interface BatchWorkerOptions<Inputs, Depends, Analyzer> extends HandlerOptions<Inputs, Depends> {
  /** The analyzer's step, optionally with a schema for its result. Its result is the argument `analyzer`. */
  analyzerStep?: Analyzer;
}

/** The additional arguments of a worker's function. */
export interface BatchWorkerArguments<Analyzer> {
  /** The batch. Null if the step is not a batch worker, as in a unit test. */
  readonly batchContext: BatchWorkerContext | null;
  /** The analyzer's result. Null without the option `analyzerStep`. */
  readonly analyzer: Analyzer extends DependencySource ? OutputOf<Analyzer> : null;
}

/**
 * Defines the handler of a `batch_worker` step as a function, with the options and arguments of `defineHandler`, and
 * `batchContext`. A returned object with `itemsProcessed` or `itemsSucceeded` is stored like the
 * result of `batchWorkerSuccess`, anything else as is. For a placeholder ("nothing to do"), the function is not called.
 *
 * @example
 * const post = defineBatchWorker(
 *   'process_csv_batch',
 *   { analyzerStep: ['analyze_csv', z.object({ batch_metadata: z.object({ csv_path: z.string() }) })] },
 *   async ({ batchContext, analyzer, signal }) => {
 *     const rows = await readRows(analyzer.batch_metadata.csv_path, batchContext?.startCursor, batchContext?.endCursor);
 *     await postAll(rows, { signal });
 *     return { itemsProcessed: rows.length };
 *   },
 * );
 */
export function defineBatchWorker<
  const Inputs extends AnyInputs = None,
  const Depends extends DependencySources = None,
  const Analyzer extends DependencySource | undefined = undefined,
>(
  name: string,
  options: BatchWorkerOptions<Inputs, Depends, Analyzer>,
  fn: (args: HandlerArgs<Inputs, Depends> & BatchWorkerArguments<Analyzer>) => unknown,
): StepHandlerClass {
  const { analyzerStep } = options;
  return handlerOfFunction({
    name,
    options,
    fn,
    moreOptions: ['analyzerStep'],
    moreArguments: {
      batchContext: reader('batchContext', getBatchContext),
      analyzer: analyzerStep ? dependencyReader('analyzer', analyzerStep) : reader('analyzer', () => null),
    },
    capabilities: ['process', 'batchable'],
    answerBefore: handleNoOpWorker,
    resultOf: resultOfWork,
  });
}

function resultOfWork(returned: unknown): StepHandlerResult {
  if (typeof returned !== 'object' || returned === null || isStepHandlerResult(returned))
    return resultOfReturn(returned);
  return 'itemsProcessed' in returned || 'itemsSucceeded' in returned
    ? batchWorkerSuccess(returned as BatchWork)
    : resultOfReturn(returned);
}
