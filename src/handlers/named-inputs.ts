import type { StandardSchemaV1 } from '@standard-schema/spec';
import { allowsKey, type ClosedKeys } from '../model/closed-keys.ts';
import { type Fields, isFields } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { type ArgumentReader, inputOf, isInputSource, isStandardSchema } from './argument-readers.ts';
import type { AnyInputs, InputSource } from './handler-arguments.ts';
import { misuse } from './misuse.ts';

/** A key of the context that a handler names in its options. */
export interface NamedInput {
  readonly key: string;
  /** Undefined if any value is accepted. */
  readonly schema?: StandardSchemaV1 | undefined;
}

/** A key that a handler reads and the template's `input_schema` does not allow. */
interface UnknownInput {
  readonly key: string;
  readonly message: string;
  /** Whether the key may be left out on purpose: its schema accepts that, and no allowed key has a similar name. */
  readonly optional: boolean;
}

/**
 * Returns the keys that are named in `inputs`: in its sources, or in one schema of an object for the whole context. Not
 * called while a handler is defined, because a getter of that schema may refer to a schema that is defined later.
 */
export function inputsNamedIn(inputs: AnyInputs = {}): NamedInput[] {
  if (!isStandardSchema(inputs)) {
    return Object.entries(inputs).flatMap(([name, source]: [string, InputSource]) =>
      isInputSource(source) ? [inputOf(name, source)] : [],
    );
  }
  // The names that zod and valibot give to the schemas of an object's keys.
  const { shape, entries } = inputs as { shape?: unknown; entries?: unknown };
  const schemas = [shape, entries].find(isFields) ?? ({} as Fields);
  return Object.entries(schemas).flatMap(([key, schema]) => (isStandardSchema(schema) ? [{ key, schema }] : []));
}

/** Returns the inputs that a template's `input_schema` does not allow. */
export function unknownInputs(
  inputs: readonly NamedInput[],
  closed: ClosedKeys,
  place = 'its template',
): UnknownInput[] {
  const read = new Set(inputs.map(({ key }) => key));
  const others = closed.names.filter((name) => !read.has(name));
  return inputs.flatMap(({ key, schema }) => {
    if (allowsKey(closed, key)) return [];
    const near = nearNames(key, others, 1)[0];
    const advice = near === undefined ? 'add it there, or remove it from the inputs' : `did you mean ${near}?`;
    const message =
      closed.by === 'inputs'
        ? `input ${key} is not among the inputs that its step has in ${place}; ${advice}`
        : `input ${key} is not allowed by the input_schema of ${place}; ${advice}`;
    return [{ key, message, optional: near === undefined && acceptsNothing(schema) }];
  });
}

/**
 * Returns a reader that fails the step if a key is missing because the template's `input_schema` does not allow it. A
 * misspelt key would otherwise be undefined, or have its default.
 */
export function unknownInputsReader(inputs: AnyInputs): ArgumentReader {
  const known = new WeakMap<ClosedKeys, readonly UnknownInput[]>();
  return (context) => {
    const closed = context.templateNames?.inputs;
    if (!closed) return undefined;
    let unknown = known.get(closed);
    if (!unknown) {
      unknown = unknownInputs(inputsNamedIn(inputs), closed);
      known.set(closed, unknown);
    }
    const missing = unknown.find(({ key, optional }) => !optional && context.getInput(key) === undefined);
    if (missing) throw misuse(missing.message);
    return undefined;
  };
}

/** Returns whether a schema accepts undefined. */
function acceptsNothing(schema: StandardSchemaV1 | undefined): boolean {
  if (!schema) return false;
  try {
    const verdict = schema['~standard'].validate(undefined);
    if (!(verdict instanceof Promise)) return !verdict.issues;
    verdict.catch(() => undefined); // only a step waits for the answer of an asynchronous schema
    return true;
  } catch {
    return false;
  }
}
