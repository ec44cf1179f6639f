import { z } from 'zod';
import type { Condition, Conditions } from '../filters/condition.ts';
import { flag, jsonObject, listed, several, time } from './query.ts';

/** The schema of a condition, by its kind. A choice has a schema of its own. */
const KINDS = {
  text: z.string(),
  texts: several,
  states: listed,
  number: z.coerce.number().int().min(1),
  flag,
  after: time,
  before: time,
  object: jsonObject,
} as const;

type SchemaOf<One extends Condition> = One extends {
  kind: 'choice';
  choices: readonly (infer Choice extends string)[];
}
  ? z.ZodEnum<{ [Name in Choice]: Name }>
  : (typeof KINDS)[Exclude<One['kind'], 'choice'>];

/** Returns conditions as parameters of a query. */
export function queryOf<All extends Conditions>(all: All) {
  const parameters = Object.entries(all).map(([name, { kind, choices, description, example }]) => {
    const schema = (kind === 'choice' ? z.enum(choices as [string, ...string[]]) : KINDS[kind]).optional();
    const about = { ...(description && { description }), ...(example && { example }) };
    return [name, Object.keys(about).length > 0 ? schema.meta(about) : schema];
  });
  return Object.fromEntries(parameters) as { [Name in keyof All]: z.ZodOptional<SchemaOf<All[Name]>> };
}
