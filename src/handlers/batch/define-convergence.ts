import { type ArgumentReader, checked, dependencyOf, put } from '../argument-readers.ts';
import type {
  AnyInputs,
  DependencySource,
  DependencySources,
  HandlerArgs,
  None,
  OutputOf,
} from '../handler-arguments.ts';
import { type HandlerOptions, handlerOfFunction } from '../handler-of-function.ts';
import type { StepHandlerClass } from '../step-handler.ts';
import { aggregateBatchResults, type BatchAggregationResult, type BatchAggregationScenario } from './aggregation.ts';
import { findBatches } from './find-batches.ts';

/** What `defineConvergence` is told besides what all handlers are. */
export interface ConvergenceOptions<Inputs, Depends, Analyzer, Workers> extends HandlerOptions<Inputs, Depends> {
  /** The analyzer's step, with a schema if its result is to be checked. Default: the only ancestor that made batches. */
  analyzerStep?: Analyzer;
  /** The workers' step in the template, with a schema if their results are to be checked. Default: as the analyzer says. */
  workerTemplate?: Workers;
}

/** What the function of an aggregator is called with besides the arguments of every handler. */
export interface ConvergenceArguments<Analyzer, Workers> {
  /** The workers' results in the order of the batches; those that failed are not among them. */
  readonly results: (Workers extends DependencySource ? OutputOf<Workers> : unknown)[];
  /** Whether there were batches, and the bare results by step name. */
  readonly scenario: BatchAggregationScenario;
  /** The analyzer's result; null when there was none, as when a decision did not choose it. */
  readonly analyzer: Analyzer extends DependencySource ? OutputOf<Analyzer> : unknown;
  /** What the workers did together: see `aggregateBatchResults`. */
  readonly totals: BatchAggregationResult;
}

/**
 * The handler of a `deferred_convergence` step from a function, with the options and arguments of `defineHandler`, and
 * the workers' `results`, `totals`, the `scenario` and the `analyzer`'s result. After a decision it can be used as
 * well: a branch that was not chosen is a dependency that is null, so a schema for one says `.nullable()`.
 *
 * @example
 * const summarize = defineConvergence(
 *   'summarize_csv',
 *   { workerTemplate: ['process_csv_batch', z.object({ items_processed: z.number() })] },
 *   ({ results, totals, scenario }) => ({
 *     batches: scenario.workerCount,
 *     rows: results.reduce((sum, { items_processed }) => sum + items_processed, 0),
 *     success_rate: totals.success_rate,
 *   }),
 * );
 */
export function defineConvergence<
  const Inputs extends AnyInputs = None,
  const Depends extends DependencySources = None,
  const Analyzer extends DependencySource | undefined = undefined,
  const Workers extends DependencySource | undefined = undefined,
>(
  name: string,
  options: ConvergenceOptions<Inputs, Depends, Analyzer, Workers>,
  fn: (args: HandlerArgs<Inputs, Depends> & ConvergenceArguments<Analyzer, Workers>) => unknown,
): StepHandlerClass {
  const { analyzerStep, workerTemplate } = options;
  return handlerOfFunction({
    name,
    options,
    fn,
    moreOptions: ['analyzerStep', 'workerTemplate'],
    // One search finds all of them.
    moreArguments: {
      scenario: batchesReader(analyzerStep, workerTemplate),
      results: none,
      analyzer: none,
      totals: none,
    },
    capabilities: ['process', 'batchable'],
  });
}

const none: ArgumentReader = () => undefined;

function batchesReader(analyzerSource?: DependencySource, workerSource?: DependencySource): ArgumentReader {
  const analyzer = analyzerSource === undefined ? undefined : dependencyOf(analyzerSource);
  const workers = workerSource === undefined ? undefined : dependencyOf(workerSource);
  return (context, into) => {
    const found = findBatches(context, { analyzerStep: analyzer?.step, workerTemplate: workers?.step });
    const { scenario, analyzerStep } = found;
    const results: unknown[] = Object.values(scenario.batchResults);
    into.scenario = scenario;
    into.results = results;
    into.totals = aggregateBatchResults(Object.values(scenario.batchResults));
    into.analyzer = found.analyzer;
    return all([
      analyzer?.schema &&
        checked(found.analyzer, analyzer.schema, `result of step ${analyzerStep}`, (value) =>
          put(into, 'analyzer', value),
        ),
      ...Object.entries(workers?.schema ? scenario.batchResults : {}).map(([step, result], index) =>
        checked(result, workers!.schema!, `result of step ${step}`, (value) => {
          results[index] = value;
          return undefined;
        }),
      ),
    ]);
  };
}

function all(pending: readonly (Promise<undefined> | undefined)[]): undefined | Promise<undefined> {
  const waiting = pending.filter((one) => one !== undefined);
  return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => undefined);
}
