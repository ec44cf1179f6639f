import type { ExpressionValues } from '../expressions/expression.ts';
import { EXPRESSION_FAILED, ExpressionFailed } from '../expressions/expression-error.ts';
import { type ExpressionMap, evaluateMap, expressionMap, orFailure } from '../expressions/expression-map.ts';
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
  const map = orFailure(() => expressionMap(inputs));
  if (map instanceof ExpressionFailed) return failureOf(step, map);
  const texts = step.resultTexts(map.steps);
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
  const values = orFailure(() => evaluateMap(map, valuesFor(step, Object.fromEntries(results))));
  if (values instanceof ExpressionFailed) return failureOf(step, values);
  step.inputs = values;
  return undefined;
}

function failureOf(step: DispatchedStep, { message }: ExpressionFailed): StepHandlerResult {
  const named = `step ${step.name}: inputs.${message}`;
  return StepHandlerResult.failure({ message: named, errorType: EXPRESSION_FAILED, retryable: false });
}

/** The database writes fractions of a second in JSON without their last zeros. */
function toMicroseconds(json: string): string {
  const [whole, fraction = ''] = (JSON.parse(json) as string).split('.');
  return `${whole}.${fraction.padEnd(6, '0')}Z`;
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
      created_at: toMicroseconds(row.createdAt),
      correlation_id: correlationId,
    },
  };
}
