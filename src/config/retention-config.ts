import { z } from 'zod';
import { nearNames } from '../model/near-names.ts';
import { ENDED_STATES } from '../model/states.ts';
import { days, type ValueForm, word } from './value-forms.ts';

/** One `[[retention.rules]]` in the file. */
export interface RetentionRuleConfig {
  namespace?: string | undefined;
  /** The name of the template. */
  name?: string | undefined;
  /** A version, or a range. */
  version?: string | undefined;
  status?: string[] | undefined;
  /** Milliseconds after the end of a task; 0 means never. */
  keepMs: number;
}

const TABLE = z.strictObject({
  days: days.schema,
  namespace: word.schema.optional(),
  name: word.schema.optional(),
  version: word.schema.optional(),
  status: z
    .union([z.enum(ENDED_STATES).transform((state) => [state]), z.array(z.enum(ENDED_STATES)).min(1)])
    .optional(),
});

/** The description of each value, after "must be". */
const WORDS: Readonly<Record<keyof typeof TABLE.shape, string>> = {
  days: `${days.words}; 0 means never`,
  namespace: word.words,
  name: word.words,
  version: 'a version, or a range such as 1.x',
  status: `one or several of ${ENDED_STATES.join(', ')}`,
};

/** Describes an issue with one rule, or with the list. */
function explain(issue: z.core.$ZodIssue): string {
  const [, field] = issue.path;
  if (issue.code === 'unrecognized_keys') {
    const near = nearNames(issue.keys[0]!, Object.keys(TABLE.shape), 1)[0];
    return `has unknown key ${issue.keys.join(', ')}; ${near === undefined ? `the keys are ${Object.keys(TABLE.shape).join(', ')}` : `did you mean ${near}?`}`;
  }
  if (field !== undefined) return `must be ${WORDS[field as keyof typeof WORDS]}`;
  return `must be ${RULES}`;
}

const RULES = 'a list of tables, each with days';

/** The list of rules in the file. */
export const retentionRules: ValueForm<RetentionRuleConfig[]> = {
  schema: z.array(TABLE.transform(({ days: keepMs, ...rule }) => ({ ...rule, keepMs }))),
  words: RULES,
  inFile: (rules) => rules.map(({ keepMs, ...rule }) => ({ ...rule, days: keepMs / 86_400_000 })),
  explain,
};
