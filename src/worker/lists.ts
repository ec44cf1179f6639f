import type { Engine, Recording } from '../engine/engine.ts';
import { ExpressionFailed } from '../expressions/expression-error.ts';
import { type ExpressionMap, orFailure } from '../expressions/expression-map.ts';
import { StepHandlerResult } from '../handlers/step-handler.ts';
import {
  ELEMENTS_IN_PAGE,
  elementNumber,
  elementStepName,
  isListOver,
  type ListNow,
  MOST_ELEMENTS,
} from '../model/for-each.ts';
import { templateIndex } from '../model/ids.ts';
import { type Fields, MOST_RESULT_BYTES } from '../model/json.ts';
import { HIDDEN } from '../model/sensitive.ts';
import type { ForEachConfig } from '../template/task-template.ts';
import type { DispatchedStep } from './dispatched-step.ts';
import { failureOf, isSensitive, type ReadValues, valuesToRead } from './step-expressions.ts';

// A step of the type `for_each` is started twice: to evaluate its list, and to compute its result once its elements have ended.

/** Maximum number of failures in the result. */
const MOST_FAILURES = 100;
/** Maximum length of a label. */
const LONGEST_KEY = 200;

type Begun = NonNullable<Recording['list']> | StepHandlerResult;

/** Evaluates the list of a step, or computes its result. */
export async function listOf(engine: Engine, step: DispatchedStep): Promise<Begun> {
  const lists = await engine.listsOfTasks([step.taskUuid]);
  const list = lists.find(({ idx }) => idx === step.idx);
  if (!list) return begin(step);
  // An operator has let the step continue before its elements have ended.
  if (!isListOver(list)) return { ...placeOf(step), total: 0, parallelism: 1, onFailure: list.onFailure, pages: [] };
  return resultOf(engine, step, list);
}

/** Returns the template steps that run for each element of a list: they follow each other. */
function placeOf({ task, templateIdx }: DispatchedStep) {
  const steps = [...task.snapshot.graph.elementOf].flatMap(([idx, list]) => (list === templateIdx ? [idx] : []));
  return { firstStep: Math.min(...steps), nSteps: steps.length };
}

const textsOf = new WeakMap<ForEachConfig, { list: Readonly<Fields>; output: Readonly<Fields> }>();

/** Returns the expressions of a list: two for its start, and the output of an element. */
function expressionsOf(forEach: ForEachConfig): Record<'list' | 'output', Readonly<Record<string, string>>> {
  const { elements, key, output } = forEach;
  const texts = textsOf.get(forEach) ?? {
    list: { elements, ...(key !== null && { key }) },
    output: output === null ? {} : { output },
  };
  textsOf.set(forEach, texts);
  return texts as Record<'list' | 'output', Readonly<Record<string, string>>>;
}

async function begin(step: DispatchedStep): Promise<Begun> {
  const forEach = step.template.forEach!;
  const read = await valuesToRead(step, expressionsOf(forEach).list);
  if (read instanceof StepHandlerResult) return read;
  const { map, values } = read;
  const elements = orFailure(() => map.expressions.get('elements')!.evaluate(values));
  if (elements instanceof ExpressionFailed) return failureOf(step, `elements: ${elements.message}`);
  if (!Array.isArray(elements)) return failureOf(step, `elements: the value is ${kindOf(elements)}; it must be a list`);
  if (elements.length > MOST_ELEMENTS) {
    return failureOf(
      step,
      `elements: the list has ${elements.length} elements; at most ${MOST_ELEMENTS} are allowed, so let each element stand for several items, or use a batch`,
    );
  }
  if (elements.length === 0) return StepHandlerResult.success(summary({ total: 0, completed: 0, failed: 0 }, forEach));
  const keys = forEach.key === null ? null : keysOf(step, read, elements);
  if (keys instanceof StepHandlerResult) return keys;
  const { parallelism, onElementFailure: onFailure } = forEach;
  return { ...placeOf(step), total: elements.length, parallelism, onFailure, pages: pagesOf(elements, keys) };
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function keysOf(step: DispatchedStep, { map, values }: ReadValues, elements: readonly unknown[]) {
  const expression = map.expressions.get('key')!;
  const ofElements = map.expressions.get('elements')!;
  if ([...expression.reads, ...ofElements.reads].some((read) => isSensitive(step, read)))
    return elements.map(() => HIDDEN);
  const keys: string[] = [];
  for (const [index, element] of elements.entries()) {
    const key = orFailure(() => expression.evaluate({ ...values, element, index }));
    if (key instanceof ExpressionFailed) return failureOf(step, `key of element ${index}: ${key.message}`);
    keys.push((typeof key === 'string' ? key : JSON.stringify(key)).slice(0, LONGEST_KEY));
  }
  return keys;
}

function pagesOf(elements: readonly unknown[], keys: readonly string[] | null): string[] {
  const pages: string[] = [];
  for (let first = 0; first < elements.length; first += ELEMENTS_IN_PAGE) {
    const end = first + ELEMENTS_IN_PAGE;
    pages.push(JSON.stringify({ elements: elements.slice(first, end), keys: keys?.slice(first, end) ?? null }));
  }
  return pages;
}

type Failure = { element: number; key: string | null; step: string; message: string };

function summary(
  { total, completed, failed }: Pick<ListNow, 'total' | 'completed' | 'failed'>,
  { output }: ForEachConfig,
  { outputs = [], failures = [] }: { outputs?: unknown[]; failures?: Failure[] } = {},
) {
  return { total, completed, failed, ...(output !== null && { outputs }), failures };
}

async function resultOf(engine: Engine, step: DispatchedStep, list: ListNow & { firstStep: number }): Promise<Begun> {
  const forEach = step.template.forEach!;
  const read = await valuesToRead(step, expressionsOf(forEach).output, { elements: true });
  if (read instanceof StepHandlerResult) return read;
  const failed = new Set(await failedIn(engine, step, list));
  const outputs: unknown[] = [];
  const failures: Failure[] = [];
  let size = 0;
  for (let page = 0; page * ELEMENTS_IN_PAGE < list.started; page++) {
    const elements = await pageOf(engine, step, { list, page, read, failed });
    for (const { element, value, failure, key } of elements) {
      if (failure) {
        if (failures.length < MOST_FAILURES) failures.push({ element, key, ...failure });
        if (list.stoppedBy === element) return stopped(step, { element, key, ...failure });
      }
      if (value instanceof ExpressionFailed) return failureOf(step, `output of element ${element}: ${value.message}`);
      if (forEach.output === null) continue;
      outputs.push(value);
      size += JSON.stringify(value).length + 1;
      if (size > MOST_RESULT_BYTES) return tooLarge(step);
    }
  }
  return StepHandlerResult.success(summary(list, forEach, { outputs, failures }));
}

async function failedIn(engine: Engine, step: DispatchedStep, { idx, failed }: ListNow): Promise<number[]> {
  const { taskUuid } = step;
  return failed === 0 ? [] : engine.failedElements({ taskUuid, list: idx, after: -1, limit: failed });
}

interface EndedElement {
  element: number;
  key: string | null;
  value: unknown;
  failure: Pick<Failure, 'step' | 'message'> | undefined;
}

async function pageOf(
  engine: Engine,
  step: DispatchedStep,
  {
    list,
    page,
    read,
    failed,
  }: { list: ListNow & { firstStep: number }; page: number; read: ReadValues; failed: ReadonlySet<number> },
): Promise<EndedElement[]> {
  const { taskUuid, task } = step;
  const { names } = task.snapshot.graph;
  const first = page * ELEMENTS_IN_PAGE;
  const end = Math.min(first + ELEMENTS_IN_PAGE, list.started);
  const [rows, stored] = await Promise.all([
    engine.elementResults({ taskUuid, ...placeOf(step), first, end }),
    engine.listPage({ taskUuid, list: list.idx, page }),
  ]);
  const values = JSON.parse(stored!.elements) as unknown[];
  const keys = stored!.keys === null ? null : (JSON.parse(stored!.keys) as string[]);
  const results = new Map<number, Fields>();
  const failures = new Map<number, EndedElement['failure']>();
  for (const { idx, state, result, message } of rows) {
    const element = elementNumber(idx);
    const name = names[templateIndex(idx)]!;
    if (state === 'error') {
      if (failed.has(element) && !failures.has(element)) failures.set(element, { step: name, message: message ?? '' });
      continue;
    }
    const own = results.get(element) ?? {};
    if (result !== null && read.map.steps.includes(name)) own[name] = JSON.parse(result);
    results.set(element, own);
  }
  return Array.from({ length: end - first }, (_, i): EndedElement => {
    const element = first + i;
    const failure = failed.has(element) ? (failures.get(element) ?? { step: '', message: '' }) : undefined;
    const value = failure
      ? null
      : outputOf(read, { steps: results.get(element) ?? {}, element: values[i], index: element });
    return { element, key: keys?.[i] ?? null, value, failure };
  });
}

/** Returns the output of an element. */
function outputOf(
  { map, values }: { map: ExpressionMap; values: ReadValues['values'] },
  { steps, element, index }: { steps: Fields; element: unknown; index: number },
): unknown {
  const expression = map.expressions.get('output');
  if (!expression) return null;
  return orFailure(() => expression.evaluate({ ...values, steps: { ...values.steps, ...steps }, element, index }));
}

function stopped(step: DispatchedStep, { element, key, step: name, message }: Failure): StepHandlerResult {
  const label = key === null ? '' : ` (${key})`;
  return StepHandlerResult.failure({
    message: `step ${step.name}: element ${element}${label} failed, so the others were stopped: ${elementStepName(name, element)}: ${message}`,
    errorType: 'element_failed',
    retryable: false,
  });
}

function tooLarge(step: DispatchedStep): StepHandlerResult {
  const message = `step ${step.name}: the outputs of its elements are larger than ${MOST_RESULT_BYTES / 1024 / 1024} MiB together; let \`output\` return less, such as the id of what a step has stored, or remove it`;
  return StepHandlerResult.failure({ message, errorType: 'outputs_too_large', retryable: false });
}
