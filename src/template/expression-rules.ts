import { checkExpression, type ExpressionScope, schemaOfRead } from '../expressions/check-expression.ts';
import { Expression, type ExpressionValues } from '../expressions/expression.ts';
import { ExpressionError, ExpressionFailed } from '../expressions/expression-error.ts';
import { messageParts } from '../expressions/message.ts';
import { allowsKey, closedKeysOf } from '../model/closed-keys.ts';
import { type Fields, isFields } from '../model/json.ts';
import { waitsByType } from '../model/waits.ts';
import { readableSteps } from './expression-scope.ts';
import { phraseOf } from './locate.ts';
import type { Path } from './spellings.ts';
import { type Finding, type StepSketch, suggester } from './step-rules.ts';

/** An expression of a file, and its place. */
export interface Placed {
  text: string;
  path: Path;
}

/** Checks all expressions: that they can be evaluated, and read only what exists and comes before. */
export function expressionRules(data: unknown, steps: readonly StepSketch[]): Finding[] {
  const task = isFields(data) ? data : {};
  const context = isFields(task.input_schema) ? task.input_schema : null;
  const readable = readableSteps(steps);
  const findings = (placed: readonly Placed[], scope: ExpressionScope) =>
    placed.flatMap((one) => expressionFindings(one, scope, data));
  const lists = new Map(steps.filter(({ type }) => type === 'for_each').map((step) => [step.name, step]));
  const elementOf = (list: StepSketch) => ({
    element: elementSchema(list.fields['elements'], { context, ...readable(list) }),
  });
  const elementIn = ({ elementOf: owner = '' }: StepSketch) => {
    const list = lists.get(owner);
    return list ? elementOf(list) : {};
  };
  const listFindings = (list: StepSketch): Finding[] => {
    const scope = { context, ...readable(list) };
    // The output of an element is evaluated after its steps.
    const inner = steps.filter((step) => step.elementOf === list.name);
    const last = { ...list, dependencies: [...list.dependencies, ...inner.map(({ name }) => ({ name, index: 0 }))] };
    return [
      ...findings(textAt(list, 'elements'), scope),
      ...findings(textAt(list, 'key'), { ...scope, ...elementOf(list) }),
      ...findings(textAt(list, 'output'), { context, ...readable(last), ...elementOf(list) }),
    ];
  };
  return [
    ...steps.flatMap((step) => {
      const { inputs: map, when, message, context: child } = step.fields;
      const inputs = expressionsIn(map, [...step.path, 'inputs']);
      const hasCondition = typeof when === 'string' || typeof when === 'boolean';
      const conditions = hasCondition ? [{ text: String(when), path: [...step.path, 'when'] }] : [];
      const childContext = step.type === 'task' ? expressionsIn(child, [...step.path, 'context']) : [];
      const ofList = step.type === 'for_each';
      if (inputs.length + conditions.length + childContext.length === 0 && typeof message !== 'string' && !ofList)
        return [];
      const scope = { context, ...readable(step), ...elementIn(step) };
      return [
        ...(inputs.length > 0 ? unusedInputs(step) : []),
        ...findings(inputs, scope),
        ...findings(childContext, scope),
        ...findings(conditions, { ...scope, condition: true }),
        ...conditions.flatMap((condition) => constantFindings(condition, step.name)),
        ...messageFindings(message, { path: [...step.path, 'message'], scope, data }),
        ...(ofList ? listFindings(step) : []),
      ];
    }),
    ...findings(expressionsIn(task.output, ['output']), { context, ...readable(undefined) }),
    ...outputKeys(task),
  ];
}

/** The expression in a field of a step. */
function textAt({ fields, path }: StepSketch, key: string): Placed[] {
  const text = fields[key];
  return typeof text === 'string' ? [{ text, path: [...path, key] }] : [];
}

/** Returns the schema of the elements of a list, if its expression only reads a list whose schema is known. */
function elementSchema(text: unknown, scope: ExpressionScope): Fields | null {
  const list = typeof text === 'string' ? schemaOfRead(text, scope) : undefined;
  return list && isFields(list.items) ? list.items : null;
}

function expressionsIn(map: unknown, path: Path): Placed[] {
  if (!isFields(map)) return [];
  return Object.entries(map).flatMap(([name, text]) =>
    typeof text === 'string' ? [{ text, path: [...path, name] }] : [],
  );
}

/** Returns the mistake of an expression, if it has one. */
export function expressionFindings({ text, path }: Placed, scope: ExpressionScope, data: unknown): Finding[] {
  try {
    checkExpression(text, scope);
    return [];
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const message = `${phraseOf(path, data)}: ${error.message}`;
    return [{ severity: 'error', code: 'bad_expression', message, path, inside: { text, offset: error.offset } }];
  }
}

/** Reports a condition that reads nothing, so that it always has the same value. */
function constantFindings({ text, path }: Placed, name: string): Finding[] {
  const value = constantOf(text);
  if (typeof value !== 'boolean') return [];
  if (value) {
    const message = `\`when\` of \`${name}\` has no effect, because it is always true; correct it, or remove it`;
    return [{ severity: 'warning', code: 'when_unused', message, path }];
  }
  const message = `step \`${name}\` can never run: its condition is always false; correct the condition, or remove the step`;
  return [{ severity: 'warning', code: 'unreachable_step', message, path }];
}

/** Returns the value of an expression that reads nothing. Undefined for any other. */
function constantOf(text: string): unknown {
  try {
    const expression = new Expression(text);
    return expression.reads.length === 0 ? expression.evaluate({} as ExpressionValues) : undefined;
  } catch (error) {
    if (error instanceof ExpressionError || error instanceof ExpressionFailed) return undefined;
    throw error;
  }
}

/** Checks the expressions of a message. Their places are inside its text. */
function messageFindings(
  message: unknown,
  { path, scope, data }: { path: Path; scope: ExpressionScope; data: unknown },
): Finding[] {
  if (typeof message !== 'string') return [];
  const wrong = (error: unknown, at: number): Finding[] => {
    if (!(error instanceof ExpressionError)) throw error;
    const text = `${phraseOf(path, data)}: ${error.message}`;
    const inside = { text: message, offset: at + error.offset };
    return [{ severity: 'error', code: 'bad_expression', message: text, path, inside }];
  };
  let parts: ReturnType<typeof messageParts>;
  try {
    parts = messageParts(message);
  } catch (error) {
    return wrong(error, 0);
  }
  return parts.flatMap((part) => {
    if (typeof part === 'string') return [];
    try {
      checkExpression(part.expression, scope);
      return [];
    } catch (error) {
      return wrong(error, part.offset);
    }
  });
}

/** Steps without a handler of the user have nothing that could read inputs. */
function unusedInputs({ type, name, path }: StepSketch): Finding[] {
  if (!waitsByType(type)) return [];
  const message = `inputs of \`${name}\` have no effect, because a ${type} step has no handler; remove them`;
  return [{ severity: 'error', code: 'inputs_unused', message, path: [...path, 'inputs'], atKey: true }];
}

/** Checks the names of the output against its schema. */
function outputKeys({ output, output_schema: schema }: Fields): Finding[] {
  if (!isFields(schema)) return [];
  if (!isFields(output)) {
    const message = 'output_schema has no effect without `output`; add the expressions, or remove it';
    return [{ severity: 'error', code: 'output_schema_unused', message, path: ['output_schema'], atKey: true }];
  }
  const closed = closedKeysOf(schema);
  const suggest = suggester(closed?.names ?? []);
  const unknown = Object.keys(output).flatMap((name): Finding[] => {
    if (!closed || allowsKey(closed, name)) return [];
    const message = `\`output.${name}\` is not allowed by output_schema${suggest(name) || '; add it there, or remove it'}`;
    return [{ severity: 'error', code: 'output_unknown', message, path: ['output', name], atKey: true }];
  });
  const required = Array.isArray(schema.required) ? schema.required : [];
  const missing = required.flatMap((name: unknown): Finding[] => {
    if (typeof name !== 'string' || Object.hasOwn(output, name)) return [];
    const message = `output_schema requires \`${name}\`, which \`output\` does not have; add an expression for it`;
    return [{ severity: 'error', code: 'output_missing', message, path: ['output'], atKey: true }];
  });
  return [...unknown, ...missing];
}
