import { createRequire } from 'node:module';
import type { Ajv, CodeOptions, ErrorObject, Options, ValidateFunction } from 'ajv';
import type { Ajv2020 } from 'ajv/dist/2020.js';
import { messageOf, TaskerError } from '../errors.ts';
import type { SchemaViolation } from '../model/schema-violations.ts';
import { linearPattern } from '../pattern/linear-pattern.ts';
import { patternProblems } from './schema-patterns.ts';
import { StepCounter, TooManySteps } from './schema-steps.ts';
import type { JsonSchema } from './task-template.ts';

/** A problem that prevents the use of a schema. */
export interface SchemaProblem extends SchemaViolation {
  /** Whether the schema is valid but rejected, because it could take very long to compile or to check. */
  refused?: boolean;
}

/** Checks a value. Returns an empty list if it is valid. */
export type SchemaCheck = (value: unknown) => readonly SchemaViolation[];

/** Shared, so that a valid value costs no allocation. */
const NONE: readonly SchemaViolation[] = Object.freeze([]);

/** Ajv copies a part of a schema to the references to it, if the number of references times the size is at most this. */
const MOST_INLINED = 1_000_000;
/** For `unevaluatedProperties`, Ajv generates code for each property at each keyword that applies another schema. */
const MOST_EVALUATED = 200_000;
const APPLICATOR = /"(?:\$ref|\$dynamicRef|anyOf|oneOf|allOf|if|then|else|dependentSchemas)":/g;
const KEY = /":/g;
/** The states of a pattern's program that cost a step for each character. */
const STATES_A_STEP = 2;
/** The length of texts whose test is part of the cost of the call. */
const SHORT = 16;

/** Maximum number of reported violations, for values with thousands of invalid items. */
const MOST_VIOLATIONS = 100;

const DRAFT_2020 = /^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;
const DRAFT_07 = /^https?:\/\/json-schema\.org\/draft-0[67]\/schema#?$/;

/** The ids of the drafts' own schemas in Ajv. */
const META = {
  'draft-07': 'http://json-schema.org/draft-07/schema',
  '2020-12': 'https://json-schema.org/draft/2020-12/schema',
} as const;
type Draft = keyof typeof META;

/** Tests patterns in linear time, because external input can make JavaScript's own engine backtrack for hours. */
function countedPattern(steps: StepCounter): NonNullable<CodeOptions['regExp']> {
  const compile = (source: string) => {
    const pattern = linearPattern(source);
    const perCharacter = 1 + Math.floor((pattern.states ?? 0) / STATES_A_STEP);
    const test = (text: string) => {
      if (text.length > SHORT) steps.spend(text.length * perCharacter);
      return pattern.test(text);
    };
    return { test, toString: () => source };
  };
  return Object.assign(compile, { code: 'testPattern' });
}

/** Unknown keywords and formats are annotations, as the standard requires. */
const OPTIONS: Options = {
  allErrors: true,
  strict: false,
  validateFormats: false,
  logger: false,
};

const compiled = new WeakMap<JsonSchema, SchemaCheck>();

/**
 * Compiles a JSON Schema to a check: draft-07 if its `$schema` is draft-07 or draft-06, else 2020-12. Each schema
 * object is compiled once. Throws `template_invalid` if the schema is invalid.
 *
 * @example
 * const check = compileSchema({ type: 'object', required: ['qty'] });
 * check({}); // [{ path: '', message: "must have required property 'qty'" }]
 */
export function compileSchema(schema: JsonSchema): SchemaCheck {
  const known = compiled.get(schema);
  if (known) return known;
  const [problem] = formProblems(schema);
  if (problem) {
    const what = problem.path === '' ? problem.message : `at ${problem.path} ${problem.message}`;
    throw problem.refused ? new TaskerError('template_invalid', `JSON Schema rejected: ${what}`) : notASchema(what);
  }
  return checkOf(schema);
}

/**
 * Like {@link compileSchema}, for a schema that was accepted before, maybe in another process. Its form is not checked.
 */
export function compileStored(schema: JsonSchema): SchemaCheck {
  const known = compiled.get(schema);
  if (known) return known;
  return draftOf(schema.$schema) === null ? compileSchema(schema) : checkOf(schema);
}

function checkOf(schema: JsonSchema): SchemaCheck {
  const steps = new StepCounter();
  const validate = validatorOf(schema, steps);
  const check: SchemaCheck = (value) => {
    steps.begin();
    try {
      return validate(value) ? NONE : violationsOf(validate.errors ?? []);
    } catch (thrown) {
      if (thrown instanceof TooManySteps) return [{ path: '', message: thrown.message }];
      throw thrown;
    }
  };
  compiled.set(schema, check);
  return check;
}

/** Returns the problems of a schema with their places. Empty if {@link compileSchema} accepts it. */
export function schemaProblems(schema: JsonSchema): SchemaProblem[] {
  const problems = formProblems(schema);
  if (problems.length > 0) return problems;
  try {
    compileSchema(schema);
    return [];
  } catch (thrown) {
    const cause = thrown instanceof TaskerError ? thrown.cause : thrown;
    return [{ path: '', message: messageOf(cause), refused: cause instanceof TooManySteps }];
  }
}

/** Returns violations of the draft's own schema, and problems of patterns. References are checked on compilation. */
function formProblems(schema: JsonSchema): SchemaProblem[] {
  const draft = draftOf(schema.$schema);
  if (draft === null) {
    const known =
      'remove it to use https://json-schema.org/draft/2020-12/schema, or write http://json-schema.org/draft-07/schema#';
    return [{ path: '/$schema', message: `is unknown: ${JSON.stringify(schema.$schema)}; ${known}` }];
  }
  // A keyword of Ajv. With it, checks would return promises, which are always truthy.
  if ('$async' in schema) return [{ path: '/$async', message: 'is not a keyword of JSON Schema; remove it' }];
  const { ajv, steps } = schemaValidatorOf(draft);
  steps.begin();
  try {
    return ajv.validate(META[draft], schema) ? patternProblems(schema) : innermost(ajv.errors ?? []);
  } catch (thrown) {
    if (!(thrown instanceof TooManySteps)) throw thrown;
    return [{ path: '', message: thrown.message, refused: true }];
  }
}

/** Returns the first error at each place. Skips errors that only report that no alternative matched. */
function innermost(errors: readonly ErrorObject[]): SchemaViolation[] {
  const byPath = new Map<string, SchemaViolation>();
  for (const error of errors) {
    if (error.keyword === 'anyOf' || byPath.has(error.instancePath)) continue;
    byPath.set(error.instancePath, { path: error.instancePath, message: sentenceOf(error) });
  }
  return [...byPath.values()];
}

/**
 * Compiles a schema with its own Ajv instance, because an instance remembers every `$id` and templates may share them.
 */
function validatorOf(schema: JsonSchema, steps: StepCounter): ValidateFunction {
  const text = JSON.stringify(schema);
  // The draft's own schema is added only if it is referenced. Adding it takes longer than compiling most schemas.
  const meta = text.includes('json-schema.org');
  // A part that many references name is compiled once. Ajv would copy it to each of them.
  const inlineRefs = text.split('"$ref":').length * text.length <= MOST_INLINED;
  const ajv = ajvOf(draftOf(schema.$schema), { ...OPTIONS, validateSchema: false, meta, inlineRefs }, steps);
  try {
    // Without these keywords, generated code does not have to record which properties were evaluated.
    if (!text.includes('"unevaluated')) ajv.opts.unevaluated = false;
    else if (count(text, APPLICATOR) * count(text, KEY) > MOST_EVALUATED) throw tooManyEvaluated();
    return ajv.compile(schema);
  } catch (thrown) {
    if (!(thrown instanceof TooManySteps)) throw notASchema(messageOf(thrown), thrown);
    throw new TaskerError('template_invalid', `JSON Schema rejected: ${thrown.message}`, { cause: thrown });
  }
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

function tooManyEvaluated(): TooManySteps {
  return new TooManySteps(
    'the schema is too large to compile with unevaluatedProperties or unevaluatedItems; use additionalProperties, or fewer $ref and anyOf',
  );
}

function notASchema(why: string, cause?: unknown): TaskerError {
  return new TaskerError('template_invalid', `not a JSON Schema: ${why}`, cause === undefined ? {} : { cause });
}

function draftOf($schema: unknown): Draft | null {
  if ($schema === undefined) return '2020-12';
  if (typeof $schema !== 'string') return null;
  if (DRAFT_2020.test($schema)) return '2020-12';
  return DRAFT_07.test($schema) ? 'draft-07' : null;
}

const require = createRequire(import.meta.url);

/** Loads Ajv when the first schema is checked. Most commands check none, and loading it would delay their start. */
function ajvOf(draft: Draft | null, given: Options, steps: StepCounter): Ajv | Ajv2020 {
  const options = { ...given, code: { regExp: countedPattern(steps), process: steps.process } };
  const ajv =
    draft === 'draft-07'
      ? new (require('ajv') as typeof import('ajv')).Ajv(options)
      : new (require('ajv/dist/2020.js') as typeof import('ajv/dist/2020.js')).Ajv2020(options);
  // Generated code reads it as `self.steps`.
  return Object.assign(ajv, { steps });
}

const schemaValidators = new Map<Draft, { ajv: Ajv | Ajv2020; steps: StepCounter }>();

/** Returns the Ajv instance that checks schemas. Shared, because compiling a draft's own schema is slow. */
function schemaValidatorOf(draft: Draft): { ajv: Ajv | Ajv2020; steps: StepCounter } {
  const known = schemaValidators.get(draft);
  if (known) return known;
  const steps = new StepCounter();
  const validator = { ajv: ajvOf(draft, OPTIONS, steps), steps };
  schemaValidators.set(draft, validator);
  return validator;
}

function violationsOf(errors: readonly ErrorObject[]): SchemaViolation[] {
  return errors.slice(0, MOST_VIOLATIONS).map((error) => ({ path: error.instancePath, message: sentenceOf(error) }));
}

/** Returns Ajv's message, with details that Ajv omits. */
function sentenceOf({ keyword, params, message = 'is not valid' }: ErrorObject): string {
  if (keyword === 'additionalProperties') return `must not have the property '${params.additionalProperty}'`;
  if (keyword === 'enum') return `must be one of ${JSON.stringify(params.allowedValues)}`;
  if (keyword === 'const') return `must be ${JSON.stringify(params.allowedValue)}`;
  return message;
}
