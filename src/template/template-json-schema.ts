import { z } from 'zod';
import { type Spelling, STEP_SPELLINGS, TASK_SPELLINGS } from './spellings.ts';
import { handlerFile, stepFile, templateFile } from './template-file.ts';

type Schema = z.core.JSONSchema.JSONSchema;

/**
 * Returns the JSON Schema of a template file, for editors: completion, descriptions, and checks while typing. It is
 * generated from the form that the parser uses. Only the parser checks rules that need the whole file (names of
 * dependencies, cycles). Unknown keys, which are warnings in the parser, are errors here, so that editors show
 * misspellings.
 */
export function templateJsonSchema(): Schema {
  const schema = z.toJSONSchema(templateFile, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema === templateFile) addSpellings(jsonSchema, TASK_SPELLINGS);
      if (zodSchema === stepFile) addSpellings(jsonSchema, STEP_SPELLINGS);
      if (zodSchema === handlerFile) addBareName(jsonSchema);
    },
  });
  return {
    $schema: schema.$schema!,
    title: 'tasker-core task template',
    description: 'A directed acyclic graph of steps, and what each of them needs to run.',
    ...schema,
  };
}

/** Allows a field under either name, but not under both. */
function addSpellings(schema: Schema, spellings: readonly Spelling[]): void {
  const rules: Schema[] = [];
  for (const { first, other } of spellings) {
    schema.properties![other] = schema.properties![first]!;
    if (schema.required?.includes(first)) {
      schema.required = schema.required.filter((name) => name !== first);
      rules.push({ oneOf: [{ required: [first] }, { required: [other] }] });
    } else {
      rules.push({ not: { required: [first, other] } });
    }
  }
  schema.allOf = rules;
}

/** Allows `handler: name` instead of `handler: {callable: name}`. */
function addBareName(schema: Schema): void {
  const { description, ...whole } = schema;
  const callable = schema.properties!.callable;
  for (const key of Object.keys(schema)) delete schema[key];
  Object.assign(schema, { description, anyOf: [callable, whole] });
}
