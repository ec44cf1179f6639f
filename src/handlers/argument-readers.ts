import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type Fields, isFields } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { ErrorType, PermanentError } from './failures/handler-errors.ts';

import type { DependencySource, InputSource } from './handler-arguments.ts';
import type { StepContext } from './step-context.ts';
import type { ExecutableHandler } from './step-handler.ts';

/**
 * A function that reads one argument and assigns it, or several for a schema of the whole context. Returns a promise if
 * the schema is asynchronous.
 */
export type ArgumentReader = (
  context: StepContext,
  into: Fields,
  handler: ExecutableHandler,
) => undefined | Promise<undefined>;

/** Returns a reader that gets the argument `name` from a function of the context and the handler. */
export function reader(
  name: string,
  read: (context: StepContext, handler: ExecutableHandler) => unknown,
): ArgumentReader {
  return (context, into, handler) => put(into, name, read(context, handler));
}

/** Returns a reader that gets the argument `name` from a key of the task's context. */
export function inputReader(name: string, source: InputSource): ArgumentReader {
  const { key, schema } = inputOf(name, source);
  if (!schema) return (context, into) => put(into, name, context.getInput(key));
  return (context, into) => checked(context.getInput(key), schema, `input ${key}`, (value) => put(into, name, value));
}

/** Returns a reader that gets all arguments from the output of one schema for the whole task context. */
export function contextReader(schema: StandardSchemaV1): ArgumentReader {
  return (context, into) =>
    checked(context.inputData, schema, 'input', (value) => {
      for (const [name, part] of Object.entries(value as object)) if (name !== 'context') put(into, name, part);
      return undefined;
    });
}

/** Returns a reader that gets the argument `name` from the result of a step. */
export function dependencyReader(name: string, source: DependencySource): ArgumentReader {
  const { step, schema } = dependencyOf(source);
  if (!schema) return (context, into) => put(into, name, context.getDependencyResult(step));
  return (context, into) => {
    const result = context.getDependencyResult(step);
    const what = `result of step ${step}${result === null ? ifUnknown(context, step) : ''}`;
    return checked(result, schema, what, (value) => put(into, name, value));
  };
}

/** Returns a note that the template has no such step. Empty if it has the step, or if its steps are unknown. */
function ifUnknown(context: StepContext, step: string): string {
  const names = context.templateNames?.steps;
  if (!names || names.includes(step) || context.getDependencyResultKeys().includes(step)) return '';
  const near = nearNames(step, names, 1)[0];
  return ` (its template has no such step${near === undefined ? '' : `; did you mean ${near}?`})`;
}

/** Returns whether a value is a schema of any library that implements Standard Schema (zod, valibot, arktype …). */
export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  return ((typeof value === 'object' && value !== null) || typeof value === 'function') && '~standard' in value;
}

/** Returns whether a value is a valid source of an input. JavaScript callers can pass anything. */
export function isInputSource(value: unknown): value is InputSource {
  if (typeof value === 'string' || isStandardSchema(value)) return true;
  return isFields(value) && typeof value.key === 'string' && isStandardSchema(value.schema);
}

/** Returns whether a value is a valid source of a dependency. JavaScript callers can pass anything. */
export function isDependencySource(value: unknown): value is DependencySource {
  if (typeof value === 'string') return true;
  if (Array.isArray(value)) return typeof value[0] === 'string' && isStandardSchema(value[1]);
  return isFields(value) && typeof value.step === 'string' && isStandardSchema(value.schema);
}

/** The key of an input, and the schema for its value. */
export function inputOf(name: string, source: InputSource): { key: string; schema?: StandardSchemaV1 } {
  if (typeof source === 'string') return { key: source };
  return isStandardSchema(source) ? { key: name, schema: source } : source;
}

/** The step of a dependency, and the schema for its result. */
export function dependencyOf(source: DependencySource): { step: string; schema?: StandardSchemaV1 } {
  if (typeof source === 'string') return { step: source };
  return 'step' in source ? source : { step: source[0], schema: source[1] };
}

/** Names that the arguments object already inherits, so that assigning to them would fail. */
const INHERITED: ReadonlySet<string> = new Set(['signal', 'logger', '__proto__']);

/** Assigns an argument. */
export function put(into: Fields, name: string, value: unknown): undefined {
  if (INHERITED.has(name)) Object.defineProperty(into, name, { value, enumerable: true });
  else into[name] = value;
}

/**
 * Validates a value and passes the output of the schema to `use`. Throws a permanent `validation_error` if the value is
 * invalid.
 */
export function checked(
  value: unknown,
  schema: StandardSchemaV1,
  what: string,
  use: (value: unknown) => undefined,
): undefined | Promise<undefined> {
  const verdict = schema['~standard'].validate(value);
  return verdict instanceof Promise ? verdict.then((late) => accept(late, what, use)) : accept(verdict, what, use);
}

function accept(
  verdict: StandardSchemaV1.Result<unknown>,
  what: string,
  use: (value: unknown) => undefined,
): undefined {
  if (!verdict.issues) return use(verdict.value);

  const violations = verdict.issues.map(({ path = [], message }) => ({ path: path.map(keyOf).join('.'), message }));
  const problems = violations.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  throw new PermanentError(`${what}: ${problems}`, {
    errorType: ErrorType.VALIDATION_ERROR,
    metadata: { what, violations },
  });
}

function keyOf(segment: PropertyKey | StandardSchemaV1.PathSegment): string {
  return String(typeof segment === 'object' ? segment.key : segment);
}
