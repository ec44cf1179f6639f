import { z } from 'zod';
import { camelCase, snakeCase } from '../model/key-case.ts';
import { FIELD_NAMES, USER_JSON } from './schemas/user-json.ts';

type Encode = (value: unknown) => unknown;

const AS_IS: Encode = (value) => value;

/**
 * Returns a value of the program as the JSON that a schema describes: `createdAt` becomes `created_at`, at every depth.
 * Fields without a schema are left out, so that nothing leaves the program that the contract does not list. User-defined
 * JSON keeps its keys, and so do maps such as the numbers of tasks by state.
 *
 * @throws TypeError if a union has no option for the value
 */
export function encode<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  return encoderOf(schema)(value) as z.output<Schema>;
}

const known = new WeakMap<z.ZodType, Encode>();

/** Returns the encoder of a schema. It is made once. */
function encoderOf(schema: z.ZodType): Encode {
  const found = known.get(schema);
  if (found) return found;
  const made = makeEncoder(schema);
  known.set(schema, made);
  return made;
}

function makeEncoder(schema: z.ZodType): Encode {
  if (FIELD_NAMES.has(schema)) return schema instanceof z.ZodRecord ? snakeKeys : snakeNames;
  if (USER_JSON.has(schema)) return AS_IS;
  if (schema instanceof z.ZodObject) return objectEncoder(schema);
  if (schema instanceof z.ZodArray) return arrayEncoder(encoderOf(schema.element as z.ZodType));
  if (schema instanceof z.ZodRecord) return mapEncoder(encoderOf(schema.valueType as z.ZodType));
  if (schema instanceof z.ZodUnion) return unionEncoder(schema.options as z.ZodType[]);
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodReadonly
  ) {
    const inner = encoderOf(schema.unwrap() as z.ZodType);
    return inner === AS_IS ? AS_IS : (value) => (value === null || value === undefined ? value : inner(value));
  }
  return AS_IS;
}

function objectEncoder(schema: z.ZodObject): Encode {
  const fields = Object.entries(schema.shape).map(([name, field]) => ({
    name,
    own: camelCase(name),
    encodeField: encoderOf(field as z.ZodType),
  }));
  return (value) => {
    const from = value as Record<string, unknown>;
    const json: Record<string, unknown> = {};
    for (const { name, own, encodeField } of fields) {
      const given = from[own] === undefined ? from[name] : from[own];
      if (given !== undefined) json[name] = encodeField(given);
    }
    return json;
  };
}

function arrayEncoder(encodeItem: Encode): Encode {
  if (encodeItem === AS_IS) return AS_IS;
  return (value) => (value as readonly unknown[]).map(encodeItem);
}

function mapEncoder(encodeValue: Encode): Encode {
  if (encodeValue === AS_IS) return AS_IS;
  return (value) => Object.fromEntries(Object.entries(value as object).map(([key, one]) => [key, encodeValue(one)]));
}

/** Scalars and null are the same in every form. An object has the first option that is an object. */
function unionEncoder(options: readonly z.ZodType[]): Encode {
  const encoders = options.map(encoderOf).filter((one) => one !== AS_IS);
  if (encoders.length === 0) return AS_IS;
  if (encoders.length > 1)
    throw new TypeError('a union of several objects has no encoder; give it a schema of its own');
  const [encodeObject] = encoders as [Encode];
  return (value) => (typeof value === 'object' && value !== null ? encodeObject(value) : value);
}

const snakeNames: Encode = (value) => (value as readonly string[]).map(snakeCase);

const snakeKeys: Encode = (value) =>
  Object.fromEntries(Object.entries(value as object).map(([key, one]) => [snakeCase(key), one]));
