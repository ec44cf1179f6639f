import type { Fields } from '../../model/fields.ts';
import { misuse } from '../misuse.ts';
import type { StepContext } from '../step-context.ts';
import { type BatchAggregationScenario, byNumber, scenarioOf } from './aggregation.ts';
import { isCreateBatches, outcomeIn } from './batch-processing-outcome.ts';

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
