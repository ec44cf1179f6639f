import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { messageOf, TaskerError } from '../errors.ts';
import type { JsonSchema } from './task-template.ts';

/** One place where a value does not meet its schema. */
export interface SchemaViolation {
  /** JSON pointer into the value; empty for the value itself. */
  path: string;
  /** As `must be >= 1`. */
  message: string;
}

/** Checks one value; the list is empty when it is valid. */
export type SchemaCheck = (value: unknown) => readonly SchemaViolation[];

/** Shared: a valid value costs no allocation. */
const NONE: readonly SchemaViolation[] = Object.freeze([]);

/** A value with thousands of bad items is told about the first of them. */
const MOST_VIOLATIONS = 100;

const DRAFT_2020 = /^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;
const DRAFT_07 = /^https?:\/\/json-schema\.org\/draft-0[67]\/schema#?$/;

/**
 * `strict: false` and formats unchecked: keywords and formats that we don't know are annotations, as the standard says.
 * Schemas are not kept by their `$id`: two templates may use the same one.
 */
const OPTIONS: Options = {
  allErrors: true,
  strict: false,
  validateFormats: false,
  addUsedSchema: false,
  logger: false,
};

const compiled = new WeakMap<JsonSchema, SchemaCheck>();

/**
 * The check that a JSON Schema describes: draft-07 if its `$schema` says so (draft-06 counts as that), else 2020-12.
 * Compiled once for each schema object. Throws `template_invalid` for what is not a schema.
 *
 * @example
 * const check = compileSchema({ type: 'object', required: ['qty'] });
 * check({}); // [{ path: '', message: "must have required property 'qty'" }]
 */
export function compileSchema(schema: JsonSchema): SchemaCheck {
  const known = compiled.get(schema);
  if (known) return known;
  const validate = validatorOf(schema);
  const check: SchemaCheck = (value) => (validate(value) ? NONE : violationsOf(validate.errors ?? []));
  compiled.set(schema, check);
  return check;
}

function validatorOf(schema: JsonSchema): ValidateFunction {
  const ajv = ajvFor(schema.$schema);
  try {
    return ajv.compile(schema);
  } catch (thrown) {
    throw new TaskerError('template_invalid', `not a JSON Schema: ${messageOf(thrown)}`, { cause: thrown });
  } finally {
    ajv.removeSchema(schema); // its own cache would keep every schema for ever
  }
}

/**
 * What keeps a schema from being one, by its place in the schema; empty when {@link compileSchema} takes it.
 */
export function schemaProblems(schema: JsonSchema): SchemaViolation[] {
  try {
    const ajv = ajvFor(schema.$schema);
    if (ajv.validateSchema(schema) !== true) return innermost(ajv.errors ?? []);
    compileSchema(schema);
    return [];
  } catch (thrown) {
    const path = '$schema' in schema && messageOf(thrown).includes('$schema') ? '/$schema' : '';
    return [{ path, message: messageOf(thrown).replace(/^not a JSON Schema: /, '') }];
  }
}

/** The first error of each place, without what only says that an alternative inside did not fit. */
function innermost(errors: readonly ErrorObject[]): SchemaViolation[] {
  const byPath = new Map<string, SchemaViolation>();
  for (const error of errors) {
    if (error.keyword === 'anyOf' || byPath.has(error.instancePath)) continue;
    byPath.set(error.instancePath, { path: error.instancePath, message: sentenceOf(error) });
  }
  return [...byPath.values()];
}

let draft2020: Ajv2020 | undefined;
let draft07: Ajv | undefined;

function ajvFor($schema: unknown): Ajv | Ajv2020 {
  if ($schema === undefined || (typeof $schema === 'string' && DRAFT_2020.test($schema))) {
    draft2020 ??= new Ajv2020(OPTIONS);
    return draft2020;
  }
  if (typeof $schema === 'string' && DRAFT_07.test($schema)) {
    draft07 ??= new Ajv(OPTIONS);
    return draft07;
  }
  throw new TaskerError(
    'template_invalid',
    `unknown $schema ${JSON.stringify($schema)}; leave it out for https://json-schema.org/draft/2020-12/schema, or write http://json-schema.org/draft-07/schema#`,
  );
}

function violationsOf(errors: readonly ErrorObject[]): SchemaViolation[] {
  return errors.slice(0, MOST_VIOLATIONS).map((error) => ({ path: error.instancePath, message: sentenceOf(error) }));
}

/** Ajv's words, with what they leave out. */
function sentenceOf({ keyword, params, message = 'is not valid' }: ErrorObject): string {
  if (keyword === 'additionalProperties') return `must not have the property '${params.additionalProperty}'`;
  if (keyword === 'enum') return `must be one of ${JSON.stringify(params.allowedValues)}`;
  if (keyword === 'const') return `must be ${JSON.stringify(params.allowedValue)}`;
  return message;
}
