import { z } from 'zod';
import { type Spelling, STEP_SPELLINGS, TASK_SPELLINGS } from '../spellings.ts';
import { WAIT_FIELDS } from '../task-template.ts';
import { handlerFile, stepFile, templateFile } from '../template-file.ts';
import { approvalFile, signalFile, timerFile, untilFile } from '../waits/wait-file.ts';

type Schema = z.core.JSONSchema.JSONSchema;

/**
 * Returns the JSON Schema of a template file, for editors: completion, descriptions, and checks while typing. The
 * schema is generated from the form that the parser uses. Only the parser checks rules that need the whole file (names
 * of dependencies, cycles). Unknown keys, which are warnings in the parser, are errors here, so that editors show
 * misspellings.
 */
export function templateJsonSchema(): Schema {
  const schema = z.toJSONSchema(templateFile, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema === templateFile) addSpellings(jsonSchema, TASK_SPELLINGS);
      if (zodSchema === stepFile) {
        addSpellings(jsonSchema, STEP_SPELLINGS);
        addWaits(jsonSchema);
      }
      if (zodSchema === timerFile) jsonSchema.oneOf = TIMER_TIMES;
      if (zodSchema === untilFile) jsonSchema.oneOf = UNTIL_PLACES;
      if (zodSchema === signalFile) Object.assign(jsonSchema, NEEDS_DEFAULT, NEEDS_NAME);
      if (zodSchema === approvalFile) Object.assign(jsonSchema, NEEDS_ESCALATION_TIME);
      if (zodSchema === handlerFile) addBareName(jsonSchema);
    },
  });
  return {
    $schema: schema.$schema!,
    title: 'tasker-core task template',
    description: 'A directed acyclic graph of steps, with the settings of each.',
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

/** Returns whether fields have values. An empty field is treated as missing. */
function having({ some, none = [] }: { some: readonly string[]; none?: readonly string[] }): Schema {
  const properties: Record<string, Schema> = {};
  for (const name of some) properties[name] = { not: { type: 'null' } };
  for (const name of none) properties[name] = { type: 'null' };
  return { ...(some.length > 0 && { required: [...some] }), properties };
}

const TIMER_TIMES = [having({ some: ['for'], none: ['until'] }), having({ some: ['until'], none: ['for'] })];
const UNTIL_PLACES = [
  having({ some: ['context'], none: ['step', 'field'] }),
  having({ some: ['step', 'field'], none: ['context'] }),
];
const NEEDS_DEFAULT: Schema = {
  if: { required: ['on_timeout'], properties: { on_timeout: { const: 'complete' } } },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: having({ some: ['default'] }),
};
const NEEDS_NAME: Schema = { anyOf: [having({ some: ['name'] }), having({ some: ['names'] })] };
const NEEDS_ESCALATION_TIME: Schema = {
  if: { required: ['escalate_to'], properties: { escalate_to: { type: 'array', minItems: 1 } } },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: having({ some: ['escalate_after'] }),
};

/** Requires a handler, or the settings that a waiting step needs instead. */
function addWaits(schema: Schema): void {
  const types = Object.keys(WAIT_FIELDS);
  const isOfType = (...wanted: string[]): Schema => ({
    anyOf: ['type', 'step_type'].map((key) => ({ required: [key], properties: { [key]: { enum: wanted } } })),
  });
  const rules = Object.entries(WAIT_FIELDS).map(([type, own]): Schema => {
    const others = Object.values(WAIT_FIELDS).filter((other) => other !== own);
    const waiting = having({ some: [own], none: ['handler', 'wait', ...others] });
    return {
      if: isOfType(type),
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: {
        ...waiting,
        properties: { ...waiting.properties, publishes_events: { type: ['array', 'null'], maxItems: 0 } },
      },
      else: having({ some: [], none: [own] }),
    };
  });
  schema.allOf!.push(...rules, { if: isOfType(...types), else: having({ some: ['handler'] }) });
}
