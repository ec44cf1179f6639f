import { pathsOfStep } from '../engine/sensitive.ts';
import { Expression, type ExpressionValues } from '../expressions/expression.ts';
import { EXPRESSION_FAILED, ExpressionFailed } from '../expressions/expression-error.ts';
import { type ExpressionMap, evaluateMap, expressionMap, orFailure } from '../expressions/expression-map.ts';
import { messageParts } from '../expressions/message.ts';
import type { Read } from '../expressions/reads.ts';
import { StepHandlerResult } from '../handlers/step-handler.ts';
import type { UndoneParams } from '../handlers/undone.ts';
import { stepUuid } from '../model/ids.ts';
import type { Fields } from '../model/json.ts';
import { HIDDEN, leadsTo } from '../model/sensitive.ts';
import type { StepTemplate } from '../template/task-template.ts';
import type { DispatchedStep } from './dispatched-step.ts';

/** The outcome of the expressions of a step: it is skipped, it fails, or, if undefined, it starts. */
export type BeforeStart = 'skip' | StepHandlerResult | undefined;

/** Returns whether a step has expressions that were not evaluated since it was claimed. */
export function hasExpressions({ template, evaluated }: DispatchedStep): boolean {
  const { when, inputs, message, child, undoes } = template;
  return !evaluated && (when !== null || inputs !== null || message !== null || child !== null || undoes !== null);
}

/**
 * Evaluates the expressions of a step before it starts: `when`, then `inputs` or the context of its child task, and `message`. Returns a promise if they read
 * a failure, or a result that was too large to be loaded with the step.
 */
export function evaluateStart(step: DispatchedStep): BeforeStart | Promise<BeforeStart> {
  const { child } = step.template;
  const inputs = child ? child.context : step.template.inputs;
  const evaluated = (): undefined => {
    step.evaluated = true;
  };
  const done = () => (step.template.undoes === null ? evaluated() : loadUndone(step, step.template.undoes, evaluated));
  const withMessage = (): BeforeStart | Promise<BeforeStart> => {
    const message = step.template.type === 'fail' ? step.template.message : null;
    return message === null ? done() : evaluateMessage(step, message, done);
  };
  const withInputs = (): BeforeStart | Promise<BeforeStart> => {
    if (!inputs) return withMessage();
    return evaluate(step, { texts: inputs, place: child ? 'context.' : 'inputs.' }, (values, map) => {
      step.inputs = values;
      if (child)
        step.sensitiveInputs = [...map.expressions].flatMap(([key, { reads }]) =>
          reads.some((read) => isSensitive(step, read)) ? [key] : [],
        );
      return withMessage();
    });
  };
  const condition = conditionOf(step);
  if (!condition) return withInputs();
  return evaluate(step, { texts: condition, place: '' }, ({ when }) => {
    if (when === true) return withInputs();
    if (when === false) return 'skip';
    return failureOf(step, `when: the condition is ${JSON.stringify(when)}; it must be true or false`);
  });
}

/** Loads what a handler needs to know about the step that it undoes. */
async function loadUndone(step: DispatchedStep, name: string, done: () => undefined): Promise<undefined> {
  const failures = await step.failures([name]);
  const idx = step.task.snapshot.graph.indexOf.get(name)!;
  const error = (failures[name] ?? null) as UndoneParams['error'];
  step.undo = { step: name, stepUuid: stepUuid(step.taskUuid, idx), error };
  return done();
}

const conditions = new WeakMap<StepTemplate, Readonly<{ when: string }>>();

/**
 * Returns the condition of a step, unless a checkpoint or an earlier call shows that its handler has begun. It is evaluated
 * again in each attempt, because the worker of the attempt before may have been lost before it decided.
 */
function conditionOf({ template, saved, earlierCalls }: DispatchedStep): Readonly<{ when: string }> | undefined {
  const { when } = template;
  if (when === null || saved !== null || earlierCalls) return undefined;
  const condition = conditions.get(template) ?? { when };
  conditions.set(template, condition);
  return condition;
}

/** Evaluates a message. Text that an expression reads from a sensitive value is replaced, because messages are stored. */
function evaluateMessage(
  step: DispatchedStep,
  message: string,
  done: () => BeforeStart | Promise<BeforeStart>,
): BeforeStart | Promise<BeforeStart> {
  const parts = orFailure(() => messageParts(message));
  if (parts instanceof ExpressionFailed) return failureOf(step, `message: ${parts.message}`);
  const texts = textsOf(message, parts);
  return evaluate(step, { texts, place: 'message: ' }, (values, map) => {
    const shown = parts.map((part, i) => {
      if (typeof part === 'string') return part;
      if (map.expressions.get(String(i))!.reads.some((read) => isSensitive(step, read))) return HIDDEN;
      const value = values[String(i)];
      return typeof value === 'string' ? value : JSON.stringify(value);
    });
    step.message = shown.join('');
    return done();
  });
}

const messageTexts = new Map<string, Readonly<Record<string, string>>>();
/** Maximum number of messages whose expressions are kept. */
const MOST_MESSAGES = 1_000;

/** Returns the expressions of a message by position. The same object for the same message, so that each is compiled once. */
function textsOf(message: string, parts: ReturnType<typeof messageParts>): Readonly<Record<string, string>> {
  let texts = messageTexts.get(message);
  if (!texts) {
    texts = Object.fromEntries(parts.flatMap((part, i) => (typeof part === 'string' ? [] : [[i, part.expression]])));
    if (messageTexts.size >= MOST_MESSAGES) messageTexts.clear();
    messageTexts.set(message, texts);
  }
  return texts;
}

/** Returns whether what a step reads is declared as sensitive. */
export function isSensitive(step: DispatchedStep, read: Read): boolean {
  const { snapshot } = step.task;
  const { sensitive } = snapshot;
  if (!sensitive) return false;
  const { root, keys } = read;
  if (root === 'element') {
    const list = snapshot.graph.elementOf.get(step.templateIdx) ?? step.templateIdx;
    const elements = new Expression(snapshot.steps[list]!.forEach!.elements);
    return elements.reads.some((one) => isSensitive(step, one));
  }
  if (root === 'context') return leadsTo(sensitive?.context, keys);
  // The text of an error may have any value that its handler read.
  if (root === 'errors') return true;
  const [name, ...path] = keys;
  return root === 'steps' && typeof name === 'string' && leadsTo(pathsOfStep(sensitive, name), path);
}

/** Expressions that are ready to be evaluated, with the values that they read. */
export interface ReadValues {
  map: ExpressionMap;
  values: ExpressionValues;
}

/**
 * Reads the values for some expressions of a step, or returns its failure. With `elements`, results of the steps of its elements
 * are left to the caller.
 */
export async function valuesToRead(
  step: DispatchedStep,
  texts: Readonly<Record<string, string>>,
  { elements = false }: { elements?: boolean } = {},
): Promise<ReadValues | StepHandlerResult> {
  const map = orFailure(() => expressionMap(texts));
  if (map instanceof ExpressionFailed) return failureOf(step, map.message);
  const { graph } = step.task.snapshot;
  const isOfTask = (name: string) => !elements || !graph.elementOf.has(graph.indexOf.get(name) ?? -1);
  const [names, failed] = [map.steps.filter(isOfTask), map.failures.filter(isOfTask)];
  const results = await Promise.all(step.resultTexts(names).map((text) => Promise.resolve(text)));
  const read = names.flatMap((name, i) => {
    const text = results[i] ?? null;
    return text === null ? [] : [[name, JSON.parse(text) as unknown] as const];
  });
  const errors = failed.length > 0 ? await step.failures(failed) : {};
  return { map, values: valuesFor(step, Object.fromEntries(read), errors) };
}

/** Evaluates a map of expressions, with what they read, and calls `then` with the values. */
function evaluate(
  step: DispatchedStep,
  { texts, place }: { texts: Readonly<Record<string, string>>; place: string },
  then: (values: Fields, map: ExpressionMap) => BeforeStart | Promise<BeforeStart>,
): BeforeStart | Promise<BeforeStart> {
  const map = orFailure(() => expressionMap(texts));
  if (map instanceof ExpressionFailed) return failureOf(step, `${place}${map.message}`);
  const withValues = (results: readonly (string | null)[], errors: Fields) => {
    const read = map.steps.flatMap((name, i) => {
      const text = results[i] ?? null;
      return text === null ? [] : [[name, JSON.parse(text) as unknown] as const];
    });
    const values = orFailure(() => evaluateMap(map, valuesFor(step, Object.fromEntries(read), errors)));
    return values instanceof ExpressionFailed ? failureOf(step, `${place}${values.message}`) : then(values, map);
  };
  const results = step.resultTexts(map.steps);
  if (map.failures.length === 0 && results.every((text) => !(text instanceof Promise)))
    return withValues(results as (string | null)[], {});
  const loaded = Promise.all(results.map((text) => Promise.resolve(text)));
  const errors = map.failures.length > 0 ? step.failures(map.failures) : Promise.resolve({});
  return Promise.all([loaded, errors]).then(([texts, failures]) => withValues(texts, failures));
}

/** Returns the failure of a step whose expressions cannot be evaluated. */
export function failureOf(step: DispatchedStep, what: string): StepHandlerResult {
  const message = `step ${step.name}: ${what}`;
  return StepHandlerResult.failure({ message, errorType: EXPRESSION_FAILED, retryable: false });
}

/** The database writes fractions of a second in JSON without their last zeros. */
function toMicroseconds(json: string): string {
  const [whole, fraction = ''] = (JSON.parse(json) as string).split('.');
  return `${whole}.${fraction.padEnd(6, '0')}Z`;
}

function valuesFor(
  { task, taskUuid, taskContext, correlationId, element }: DispatchedStep,
  steps: Fields,
  errors: Fields,
): ExpressionValues {
  const { row, snapshot } = task;
  const { namespace, name, version } = snapshot.template;
  return {
    context: taskContext,
    steps,
    errors,
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
    ...(element && { element: JSON.parse(element.value) as unknown, index: element.element }),
  };
}
