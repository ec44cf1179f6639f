import { Ajv, type CodeOptions, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { messageOf, TaskerError } from '../errors.ts';
import { type LinearPattern, linearPattern } from './pattern/linear-pattern.ts';
import { UnsupportedPattern } from './pattern/parse-pattern.ts';
import { patternProblems } from './pattern/schema-patterns.ts';
import type { JsonSchema } from './task-template.ts';

/** One place where a value does not meet its schema. */
export interface SchemaViolation {
  /** JSON pointer into the value; empty for the value itself. */
  path: string;
  /** As `must be >= 1`. */
  message: string;
}

/** A problem that keeps a schema from being used. */
export interface SchemaProblem extends SchemaViolation {
  /** It is a valid JSON Schema, but is refused because a pattern may take exponential time. */
  refused?: boolean;
}

/** Checks one value; the list is empty when it is valid. */
export type SchemaCheck = (value: unknown) => readonly SchemaViolation[];

/** Shared: a valid value costs no allocation. */
const NONE: readonly SchemaViolation[] = Object.freeze([]);

/** A value with thousands of bad items is told about the first of them. */
const MOST_VIOLATIONS = 100;

const DRAFT_2020 = /^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;
const DRAFT_07 = /^https?:\/\/json-schema\.org\/draft-0[67]\/schema#?$/;

/** The drafts' own schemas, under the names that Ajv knows them by. */
const META = {
  'draft-07': 'http://json-schema.org/draft-07/schema',
  '2020-12': 'https://json-schema.org/draft/2020-12/schema',
} as const;
type Draft = keyof typeof META;

/**
 * Patterns are tested in linear time, because a text from outside can make JavaScript's own engine backtrack for
 * hours. A snapshot that was stored before patterns were checked may have one that only that engine can test.
 */
const testPattern: NonNullable<CodeOptions['regExp']> = Object.assign(
  (source: string) => {
    const { test } = patternOf(source);
    return { test, toString: () => source };
  },
  { code: 'testPattern' },
);

function patternOf(source: string): LinearPattern {
  try {
    const pattern = linearPattern(source);
    return { test: (text) => pattern.test(text) };
  } catch (error) {
    if (!(error instanceof UnsupportedPattern)) throw error;
    const native = new RegExp(source, 'u');
    return { test: (text) => native.test(text) };
  }
}

/** Keywords and formats that we don't know are annotations, as the standard says. */
const OPTIONS: Options = {
  allErrors: true,
  strict: false,
  validateFormats: false,
  logger: false,
  code: { regExp: testPattern },
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
  const [problem] = formProblems(schema);
  if (problem) {
    const what = problem.path === '' ? problem.message : `at ${problem.path} ${problem.message}`;
    throw problem.refused ? new TaskerError('template_invalid', `JSON Schema refused: ${what}`) : notASchema(what);
  }
  return checkOf(schema);
}

/** As {@link compileSchema}, of a schema that it has taken before, perhaps in another process: its form is not looked at again. */
export function compileStored(schema: JsonSchema): SchemaCheck {
  const known = compiled.get(schema);
  if (known) return known;
  return draftOf(schema.$schema) === null ? compileSchema(schema) : checkOf(schema);
}

function checkOf(schema: JsonSchema): SchemaCheck {
  const validate = validatorOf(schema);
  const check: SchemaCheck = (value) => (validate(value) ? NONE : violationsOf(validate.errors ?? []));
  compiled.set(schema, check);
  return check;
}

/** What keeps a schema from being one, by its place in the schema; empty when {@link compileSchema} takes it. */
export function schemaProblems(schema: JsonSchema): SchemaProblem[] {
  const problems = formProblems(schema);
  if (problems.length > 0) return problems;
  try {
    compileSchema(schema);
    return [];
  } catch (thrown) {
    const cause = thrown instanceof TaskerError ? thrown.cause : thrown;
    return [{ path: '', message: messageOf(cause) }];
  }
}

/** Violations of the draft's own schema, and problems of patterns. References are checked when it is compiled. */
function formProblems(schema: JsonSchema): SchemaProblem[] {
  const draft = draftOf(schema.$schema);
  if (draft === null) {
    const known =
      'leave it out for https://json-schema.org/draft/2020-12/schema, or write http://json-schema.org/draft-07/schema#';
    return [{ path: '/$schema', message: `is unknown: ${JSON.stringify(schema.$schema)}; ${known}` }];
  }
  // Ajv's own keyword: its checks would answer with promises, which are always true.
  if ('$async' in schema) return [{ path: '/$async', message: 'is not a keyword of JSON Schema; remove it' }];
  const judge = judgeOf(draft);
  return judge.validate(META[draft], schema) ? patternProblems(schema) : innermost(judge.errors ?? []);
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

/** An Ajv of its own: instances remember every `$id` they have seen, and templates may use the same ones. */
function validatorOf(schema: JsonSchema): ValidateFunction {
  // A draft's own schema is in it only for those that refer to it: adding it takes longer than compiling most schemas.
  const meta = JSON.stringify(schema).includes('json-schema.org');
  const options = { ...OPTIONS, validateSchema: false, meta };
  const ajv = draftOf(schema.$schema) === 'draft-07' ? new Ajv(options) : new Ajv2020(options);
  try {
    return ajv.compile(schema);
  } catch (thrown) {
    throw notASchema(messageOf(thrown), thrown);
  }
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

const judges = new Map<Draft, Ajv | Ajv2020>();

/** Compiling a draft's own schema is slow, and these see nothing but schemas: shared. */
function judgeOf(draft: Draft): Ajv | Ajv2020 {
  const known = judges.get(draft);
  if (known) return known;
  const judge = draft === 'draft-07' ? new Ajv(OPTIONS) : new Ajv2020(OPTIONS);
  judges.set(draft, judge);
  return judge;
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
