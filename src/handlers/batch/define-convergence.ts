import type { Fields } from '../../model/fields.ts';
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
import { misuse } from '../misuse.ts';
import type { StepContext } from '../step-context.ts';
import type { StepHandlerClass } from '../step-handler.ts';
import {
  aggregateBatchResults,
  type BatchAggregationResult,
  type BatchAggregationScenario,
  byNumber,
  scenarioOf,
} from './aggregation.ts';
import { isCreateBatches, outcomeIn } from './batch-processing-outcome.ts';

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

/** An analyzer with its workers, as the step after them finds it. */
export interface FoundBatches {
  /** The analyzer's step; the one asked for, or empty, when it is not among the ancestors. */
  analyzerStep: string;
  /** Its bare result; null when it is not among the ancestors. */
  analyzer: Fields | null;
  scenario: BatchAggregationScenario;
}

/** Which analyzer and workers are meant; without names they are found by what the analyzer's result says. */
export interface WantedBatches {
  analyzerStep?: string;
  workerTemplate?: string;
}

/**
 * The batches among the ancestors of a step. An analyzer that is not there is no error: a decision may have gone another
 * way. Throws when several analyzers are there and none is named.
 */
export function findBatches(context: StepContext, wanted: WantedBatches): FoundBatches {
  const analyzerStep = wanted.analyzerStep ?? onlyAnalyzer(context);
  const analyzer = analyzerStep === '' ? null : context.getDependencyResult<Fields>(analyzerStep);
  const nothing = { batch_processing_outcome: { type: 'no_batches' } };
  if (!analyzer) return { analyzerStep, analyzer, scenario: { ...scenarioOf(nothing, []), batchableResult: {} } };

  const workers = workersOf(context, analyzer, wanted.workerTemplate);
  const results = workers.flatMap((name): [string, Fields][] => {
    const result = context.getDependencyResult<Fields>(name);
    // A worker that failed for good is among the dependencies, as a failure without a result.
    return result === null ? [] : [[name, result]];
  });
  return { analyzerStep, analyzer, scenario: scenarioOf(analyzer, results) };
}

function onlyAnalyzer(context: StepContext): string {
  const names = context.getDependencyResultKeys();
  const found = names.filter((name) => outcomeIn(context.getDependencyResult(name)) !== null);
  if (found.length <= 1) return found[0] ?? '';
  throw misuse(
    `convergence: there are several analyzers (${found.join(', ')}); name the one that is meant as analyzerStep`,
  );
}

/** The steps of the workers that are there, in the order of the batches. */
function workersOf(context: StepContext, analyzer: Fields, template?: string): string[] {
  const outcome = outcomeIn(analyzer);
  if (!outcome || !isCreateBatches(outcome)) return [];
  const ids = outcome.cursor_configs.map(({ batch_id }) => batch_id);
  const names = context.getDependencyResultKeys();
  const prefix = template ?? outcome.worker_template_name;
  if (prefix !== undefined) {
    const there = new Set(names);
    return ids.map((id) => `${prefix}_${id}`).filter((name) => there.has(name));
  }
  // The analyzer left it to the template who its workers are, and a result does not tell that: their names must.
  const endings = ids.map((id) => `_${id}`);
  return names.filter((name) => endings.some((ending) => name.endsWith(ending))).sort(byNumber);
}
