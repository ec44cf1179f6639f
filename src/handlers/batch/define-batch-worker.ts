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

/** What `defineBatchWorker` is told besides what all handlers are. */
export interface BatchWorkerOptions<Inputs, Depends, Analyzer> extends HandlerOptions<Inputs, Depends> {
  /** The analyzer's step, with a schema if its result is to be checked: gives the argument `analyzer`. */
  analyzerStep?: Analyzer;
}

/** What the function of a worker is called with besides the arguments of every handler. */
export interface BatchWorkerArguments<Analyzer> {
  /** The batch; null when the step is no batch worker, as in a unit test. */
  readonly batchContext: BatchWorkerContext | null;
  /** The analyzer's result; null without the option `analyzerStep`. */
  readonly analyzer: Analyzer extends DependencySource ? OutputOf<Analyzer> : null;
}

/**
 * The handler of a `batch_worker` step from a function, with the options and arguments of `defineHandler`, and
 * `batchContext`. What it returns with `itemsProcessed` or `itemsSucceeded` is stored as `batchWorkerSuccess` does it;
 * anything else as it is. A placeholder, which stands for "nothing to do", is answered without calling the function.
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
