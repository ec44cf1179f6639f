import { allowsKey, closedKeysOf } from '../model/closed-keys.ts';
import { type Fields, isFields } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { checkCel, TYPED_NAMES } from './cel.ts';
import { Expression, type TaskValues } from './expression.ts';
import { ExpressionError } from './expression-error.ts';
import { mistakeOf } from './messages.ts';
import type { Read } from './reads.ts';

/** The values that an expression may read, with their schemas. */
export interface ExpressionScope {
  /** The schema of the context. Null if the template has none. */
  context: Fields | null;
  /** The steps whose results and failures it may read, with the schemas of their results. */
  steps: ReadonlyMap<string, Fields | null>;
  /** Returns why a step that is not in {@link steps} cannot be read, for a message that begins with its name. */
  unreadable(step: string): string;
  /** The schema of the element of a list: null if it is unknown, undefined where no element exists. */
  element?: Fields | null;
  /** Whether the value must be a boolean. */
  condition?: boolean;
}

const OF_TASK: Readonly<Record<keyof TaskValues, Fields>> = {
  uuid: { type: 'string' },
  namespace: { type: 'string' },
  name: { type: 'string' },
  version: { type: 'string' },
  tags: { type: 'array' },
  priority: { type: 'integer' },
  created_at: { type: 'string' },
  correlation_id: { type: 'string' },
};
/** The schema of what every expression can read about its task. */
const TASK: Fields = { additionalProperties: false, properties: OF_TASK };

/** The schema of a step's failure. */
const FAILURE: Fields = {
  additionalProperties: false,
  properties: { type: {}, message: { type: 'string' }, code: {}, attempts: { type: 'integer' } },
};

/** Keywords that make it unknown which keys an object can have, and of which type. */
const OPEN_ENDED = ['$ref', '$dynamicRef', 'allOf', 'anyOf', 'oneOf', 'if', 'not'];

/**
 * Checks an expression against what its template knows: that it reads only steps that come before, only keys that closed
 * schemas have, and values of the types that operators take. Returns the expression.
 * @throws ExpressionError for the first mistake, with its place
 */
export function checkExpression(text: string, scope: ExpressionScope): Expression {
  const expression = new Expression(text);
  const schemas = expression.reads.map((read) => schemaAt(read, scope));
  const { valid, error, type = 'dyn' } = checkCel(withTypes(text, expression.reads, schemas));
  if (!valid && error) throw mistakeOf(error);
  if (scope.condition && type !== 'bool' && type !== 'dyn') {
    throw new ExpressionError('the condition must be true or false; compare the value, for example with == or >');
  }
  return expression;
}

/** Returns the schema of an expression that only reads one value. Undefined if it does more, or the schema is unknown. */
export function schemaOfRead(text: string, scope: ExpressionScope): Fields | undefined {
  try {
    const { reads } = new Expression(text);
    const [read] = reads;
    const isOnly = reads.length === 1 && read!.start === 0 && read!.end === text.trimEnd().length;
    return isOnly ? schemaAt(read!, scope) : undefined;
  } catch (error) {
    // Another check reports the mistake.
    if (error instanceof ExpressionError) return undefined;
    throw error;
  }
}

/** Returns the schema of what is read. Undefined if it is unknown. */
function schemaAt(read: Read, scope: ExpressionScope): Fields | undefined {
  const { root, keys, start } = read;
  if (root === 'context') return inSchema(scope.context, read, 0);
  if (root === 'task') return inSchema(TASK, read, 0);
  if (root === 'element' || root === 'index') {
    if (scope.element === undefined)
      throw new ExpressionError(`${root} exists only in the steps, \`key\` and \`output\` of a for_each step`, start);
    return root === 'index' ? { type: 'integer' } : inSchema(scope.element, read, 0);
  }
  const [step] = keys;
  if (step === undefined || step === null) {
    throw new ExpressionError(`${root} must be followed by the name of a step, such as ${root}.NAME`, start);
  }
  if (!scope.steps.has(step)) throw new ExpressionError(`\`${step}\` ${scope.unreadable(step)}`, start);
  return inSchema(root === 'steps' ? scope.steps.get(step)! : FAILURE, read, 1);
}

/** Follows the keys of a path from `at` on. */
function inSchema(root: Fields | null, { keys, start }: Read, at: number): Fields | undefined {
  let schema: unknown = root;
  for (const key of keys.slice(at)) {
    if (!isFields(schema) || OPEN_ENDED.some((keyword) => keyword in (schema as Fields))) return undefined;
    const { properties, items } = schema;
    const closed = closedKeysOf(schema);
    if (key !== null && closed && !allowsKey(closed, key)) {
      const near = nearNames(key, closed.names, 1)[0];
      const hint =
        near === undefined ? `; its keys are ${closed.names.join(', ') || 'none'}` : `; did you mean \`${near}\`?`;
      throw new ExpressionError(`\`${key}\` is not in the schema${hint}`, start);
    }
    if (key !== null && isFields(properties) && Object.hasOwn(properties, key)) schema = properties[key];
    else if (schema['type'] === 'array' && isFields(items)) schema = items;
    else return undefined;
  }
  return isFields(schema) ? schema : undefined;
}

/**
 * Returns the expression with a typed name in place of each value whose type is known. The name takes the same space, so
 * that places in the text stay the same.
 */
function withTypes(text: string, reads: readonly Read[], schemas: readonly (Fields | undefined)[]): string {
  let typed = '';
  let from = 0;
  for (const [index, { start, end, tested, keys, root }] of reads.entries()) {
    const type = schemas[index]?.['type'];
    const name = typeof type === 'string' && Object.hasOwn(TYPED_NAMES, type) ? TYPED_NAMES[type] : undefined;
    // A read inside the index of another one lies before the end of that one. The library has no overload of `in` for
    // a number and a list of whole numbers, but compares them when it evaluates.
    const isSearched = name === TYPED_NAMES['number'] && /^\s*in\b/.test(text.slice(end));
    if (tested || name === undefined || (keys.length === 0 && root !== 'element') || start < from || isSearched)
      continue;
    typed += text.slice(from, start) + name + text.slice(start + name.length, end).replace(/[^\n]/g, ' ');
    from = end;
  }
  return typed + text.slice(from);
}
