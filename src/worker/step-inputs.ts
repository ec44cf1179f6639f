import type { ExpressionValues } from '../expressions/expression.ts';
import { EXPRESSION_FAILED, ExpressionFailed } from '../expressions/expression-error.ts';
import { type ExpressionMap, evaluateMap, expressionMap } from '../expressions/expression-map.ts';
import { StepHandlerResult } from '../handlers/step-handler.ts';
import type { Fields } from '../model/json.ts';
import type { DispatchedStep } from './dispatched-step.ts';

/**
 * Evaluates the `inputs` of a step in its template, at each of its starts. Returns a permanent failure if one of them
 * fails. Returns a promise if a result that they read was too large to be loaded with the step.
 */
export function evaluateInputs(
  step: DispatchedStep,
): StepHandlerResult | undefined | Promise<StepHandlerResult | undefined> {
  const { inputs } = step.template;
  if (!inputs || step.inputs) return undefined;
  const map = expressionMap(inputs);
  const texts = map.steps.map((name) => step.resultText(name));
  if (texts.every((text) => !(text instanceof Promise))) return evaluated(step, map, texts as (string | null)[]);
  return Promise.all(texts.map((text) => Promise.resolve(text))).then((loaded) => evaluated(step, map, loaded));
}

function evaluated(
  step: DispatchedStep,
  map: ExpressionMap,
  texts: readonly (string | null)[],
): StepHandlerResult | undefined {
  const results = map.steps.flatMap((name, i) => {
    const text = texts[i] ?? null;
    return text === null ? [] : [[name, JSON.parse(text) as unknown] as const];
  });
  try {
    step.inputs = evaluateMap(map, valuesFor(step, Object.fromEntries(results)));
    return undefined;
  } catch (error) {
    if (!(error instanceof ExpressionFailed)) throw error;
    const message = `step ${step.name}: inputs.${error.message}`;
    return StepHandlerResult.failure({ message, errorType: EXPRESSION_FAILED, retryable: false });
  }
}

function valuesFor({ task, taskUuid, taskContext, correlationId }: DispatchedStep, steps: Fields): ExpressionValues {
  const { row, snapshot } = task;
  const { namespace, name, version } = snapshot.template;
  return {
    context: taskContext,
    steps,
    task: {
      uuid: taskUuid,
      namespace,
      name,
      version,
      tags: row.tags ?? [],
      priority: row.rank === 0 ? 0 : -row.rank,
      created_at: `${JSON.parse(row.createdAt) as string}Z`,
      correlation_id: correlationId,
    },
  };
}
