import type { Fields } from '../../model/json.ts';
import { unknownStep } from '../../model/template-names.ts';
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

/** Options of {@link defineConvergence}. */
export interface ConvergenceOptions<Inputs, Depends, Analyzer, Workers> extends HandlerOptions<Inputs, Depends> {
  /** The analyzer's step, optionally with a schema for its result. Default: the only ancestor that created batches. */
  analyzerStep?: Analyzer;
  /**
   * The workers' step in the template, optionally with a schema for their results. Default: from the analyzer's result.
   */
  workerTemplate?: Workers;
}

/** The additional arguments of an aggregator's function. */
export interface ConvergenceArguments<Analyzer, Workers> {
  /** The workers' results in the order of the batches. Failed workers are omitted. */
  readonly results: (Workers extends DependencySource ? OutputOf<Workers> : unknown)[];
  /** Whether there were batches, and the bare results by step name. */
  readonly scenario: BatchAggregationScenario;
  /** The analyzer's result. Null if there is none, for example because a decision did not choose the analyzer. */
  readonly analyzer: Analyzer extends DependencySource ? OutputOf<Analyzer> : unknown;
  /** The totals of all workers; see `aggregateBatchResults`. */
  readonly totals: BatchAggregationResult;
}

/**
 * Defines the handler of a `deferred_convergence` step as a function, with the options and arguments of
 * `defineHandler`. The function also receives the workers' `results`, their `totals`, the `scenario` and the
 * `analyzer`'s result. The handler can also be used after a decision. A dependency on a branch that was not chosen is
 * then null, so make its schema `.nullable()`.
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
    // The reader of `scenario` assigns all four.
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
  const wanted = { analyzerStep: analyzer?.step, workerTemplate: workers?.step };
  return (context, into) => {
    refuseUnknownSteps(context, wanted);
    const found = findBatches(context, wanted);
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

/** A misspelt name would otherwise look like a batch without results. */
function refuseUnknownSteps({ templateNames }: StepContext, wanted: WantedBatches): void {
  if (!templateNames) return;
  for (const role of ['analyzerStep', 'workerTemplate'] as const) {
    const name = wanted[role];
    const wrong = name === undefined ? undefined : unknownStep(templateNames, { role, name });
    if (wrong !== undefined) throw misuse(wrong);
  }
}

function all(pending: readonly (Promise<undefined> | undefined)[]): undefined | Promise<undefined> {
  const waiting = pending.filter((one) => one !== undefined);
  return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => undefined);
}

/** An analyzer and its workers among the ancestors of a step. */
export interface FoundBatches {
  /** The analyzer's step. If it is not an ancestor, the requested name, or empty. */
  analyzerStep: string;
  /** The analyzer's bare result. Null if it is not an ancestor. */
  analyzer: Fields | null;
  scenario: BatchAggregationScenario;
}

/** The names of the analyzer and its workers. If omitted, they are derived from the analyzer's result. */
export interface WantedBatches {
  analyzerStep?: string | undefined;
  workerTemplate?: string | undefined;
}

/**
 * Returns the batches among the ancestors of a step. A missing analyzer is not an error, because a decision may have
 * chosen other steps. Throws if there are several analyzers and none is named.
 */
export function findBatches(context: StepContext, wanted: WantedBatches): FoundBatches {
  const analyzerStep = wanted.analyzerStep ?? onlyAnalyzer(context);
  const analyzer = analyzerStep === '' ? null : context.getDependencyResult<Fields>(analyzerStep);
  const nothing = { batch_processing_outcome: { type: 'no_batches' } };
  if (!analyzer) return { analyzerStep, analyzer, scenario: { ...scenarioOf(nothing, []), batchableResult: {} } };

  const workers = workersOf(context, analyzer, wanted.workerTemplate);
  const results = workers.flatMap((name): [string, Fields][] => {
    const result = context.getDependencyResult<Fields>(name);
    // A worker that failed permanently is a dependency without a result.
    return result === null ? [] : [[name, result]];
  });
  return { analyzerStep, analyzer, scenario: scenarioOf(analyzer, results) };
}

function onlyAnalyzer(context: StepContext): string {
  const names = context.getDependencyResultKeys();
  const found = names.filter((name) => outcomeIn(context.getDependencyResult(name)) !== null);
  if (found.length <= 1) return found[0] ?? '';
  throw misuse(`convergence: there are several analyzers (${found.join(', ')}); set analyzerStep to one of them`);
}

/** Returns the names of the workers' steps that exist, in the order of the batches. */
function workersOf(context: StepContext, analyzer: Fields, template?: string): string[] {
  const outcome = outcomeIn(analyzer);
  if (!outcome || !isCreateBatches(outcome)) return [];
  const ids = outcome.cursor_configs.map(({ batch_id }) => batch_id);
  const names = context.getDependencyResultKeys();
  const prefix = template ?? outcome.worker_template_name;
  // If the analyzer's result does not name the template of the workers, the ids in their names are used.
  const endings = ids.map((id) => `_${id}`);
  const withIds = () => names.filter((name) => endings.some((ending) => name.endsWith(ending))).sort(byNumber);
  if (prefix === undefined) return withIds();
  const there = new Set(names);
  const found = ids.map((id) => `${prefix}_${id}`).filter((name) => there.has(name));
  if (found.length > 0 || context.templateNames) return found;
  const [other] = withIds();
  if (other === undefined) return found;
  throw misuse(`convergence: no batch worker belongs to ${prefix}, but ${other} exists; correct workerTemplate`);
}
