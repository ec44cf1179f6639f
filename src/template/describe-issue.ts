import { nearNames } from '../model/near-names.ts';
import type { FormIssue } from './check-form.ts';

/** The place of an issue, for its message. */
export interface IssuePlace {
  /** For example "`retry.backoff` of step `ship`". */
  where: string;
  /** The key or index, as the file spells it. */
  key: string | number;
  /** The scalar as written in the file. */
  source: string | undefined;
}

interface Described {
  code: string;
  message: string;
}

/** Descriptions of the values that list fields expect. */
const LISTS: Record<string, string> = {
  steps: 'a list of steps',
  dependencies: 'a list of step names',
  depends_on: 'a list of step names',
  publishes_events: 'a list of events',
  domain_events: 'a list of events',
  tags: 'a list of tags',
  sensitive: 'a list of paths',
  secondary: 'a list of names',
  assignees: 'a list of users or roles',
  escalate_to: 'a list of users or roles',
  rules: 'a list of rules',
  names: 'a list of names',
};

/** Examples of fields that are maps. */
const MAPS: Record<string, string> = {
  until: 'until: {context: KEY}',
  form: 'form: {type: object}',
};

/** Examples of required fields. Other fields are shown as `key: …`. */
const EXAMPLES: Record<string, string> = {
  version: 'version: "1.0.0"',
  steps: 'steps: […]',
  schema: 'schema: {type: object}',
  error: 'error: rate_limited',
  batch_size: 'batch_size: 1000',
  parallelism: 'parallelism: 10',
  cursor_field: 'cursor_field: id',
  failure_strategy: 'failure_strategy: continue_on_failure',
};

/** Describes an issue of the form: the place, what is wrong, and how to fix it. */
export function describeIssue(issue: FormIssue, place: IssuePlace): Described {
  switch (issue.code) {
    case 'invalid_type':
      return isMissing(issue.input) ? missing(place) : wrongType(issue.expected, issue.input, place);
    case 'invalid_value':
      return isMissing(issue.input)
        ? missing(place)
        : { code: 'unknown_value', message: notOneOf(issue.values.map(String), issue.input, place) };
    case 'too_small':
    case 'too_big':
      return { code: issue.origin === 'string' ? 'bad_length' : 'out_of_range', message: outOfRange(issue, place) };
    case 'invalid_format':
      return { code: 'bad_text', message: badText(issue, place) };
    case 'invalid_union':
      if (place.key === 'error' && isMissing(issue.input)) return missing(place);
      return { code: 'bad_value', message: `${place.where}: ${issue.message}` };
    case 'not_multiple_of':
    case 'unrecognized_keys':
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
      return { code: 'bad_value', message: `${place.where}: ${issue.message}` };
  }
}

function isMissing(input: unknown): boolean {
  return input === undefined || input === null;
}

function missing({ where, key }: IssuePlace): Described {
  if (typeof key === 'number')
    return { code: 'missing_value', message: `${where} is empty; give it a value or remove it` };
  const example = EXAMPLES[key];
  return { code: 'missing_field', message: `${where} is missing; add \`${example ?? `${key}: …`}\`` };
}

function wrongType(expected: string, input: unknown, place: IssuePlace): Described {
  const { where, key, source } = place;
  const message = `${where}: expected ${wanted(expected, key)}, got ${given(input, source)}`;
  const hint = suggestionFor(expected, input, place);
  return { code: 'wrong_type', message: hint ? `${message}; ${hint}` : message };
}

function wanted(expected: string, key: string | number): string {
  switch (expected) {
    case 'array':
      return LISTS[key] ?? 'a list';
    case 'object':
    case 'record':
      return 'a map of fields';
    case 'int':
      return 'a whole number';
    case 'boolean':
      return '`true` or `false`';
    case 'number':
    case 'string':
      return `a ${expected}`;
    default:
      return expected;
  }
}

function given(input: unknown, source: string | undefined): string {
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'object') return 'a map';
  if (typeof input === 'string') return 'a string';
  return `the ${typeof input} ${source ?? String(input)}`;
}

/** Returns the text to write instead, if known. */
function suggestionFor(expected: string, input: unknown, { key, source }: IssuePlace): string | null {
  const before = typeof key === 'string' ? `${key}: ` : '';
  if (expected === 'array' && typeof input === 'string') return `write \`${before}[${input}]\``;
  if ((expected === 'object' || expected === 'record') && MAPS[key] !== undefined)
    return `write, for example, \`${MAPS[key]}\``;
  if (expected === 'array' && typeof input === 'object') return 'start each entry with `- `';
  if (expected === 'string' && typeof input !== 'object')
    return `put it in quotes: \`${before}"${source ?? String(input)}"\``;
  if (typeof input !== 'string') return null;
  if ((expected === 'int' || expected === 'number') && /^\d+$/.test(input))
    return `write \`${before}${input}\`, without quotes`;
  if (expected === 'boolean' && /^(yes|on|true)$/i.test(input)) return `write \`${before}true\``;
  if (expected === 'boolean' && /^(no|off|false)$/i.test(input)) return `write \`${before}false\``;
  return null;
}

function notOneOf(values: string[], input: unknown, { where, source }: IssuePlace): string {
  const shown = typeof input === 'string' ? `\`${input}\`` : given(input, source);
  const [near] = typeof input === 'string' ? nearNames(input, values, 1) : [];
  const list = `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
  return `${where}: ${shown} is not one of ${list}${near ? `; did you mean \`${near}\`?` : ''}`;
}

type RangeIssue = Extract<FormIssue, { code: 'too_small' | 'too_big' }>;

function outOfRange(issue: RangeIssue, { where, key }: IssuePlace): string {
  const { origin, input } = issue;
  const limit = issue.code === 'too_big' ? issue.maximum : issue.minimum;
  const bound = issue.code === 'too_big' ? `at most ${limit}` : `at least ${limit}`;
  if (origin === 'array') {
    const count = Array.isArray(input) ? input.length : 0;
    return count === 0 && key === 'steps'
      ? 'the template has no steps; it needs at least one'
      : count === 0 && key === 'assignees'
        ? `${where} is empty; name users or roles, or remove it to let everyone vote`
        : `${where} has ${count} entries, but must have ${bound}`;
  }
  if (origin === 'string') {
    const length = typeof input === 'string' ? input.length : 0;
    return length === 0 ? `${where} is empty` : `${where} is ${length} characters long, but must have ${bound}`;
  }
  return `${where} is ${String(input)}; it must be ${bound}`;
}

function badText(issue: Extract<FormIssue, { code: 'invalid_format' }>, { where }: IssuePlace): string {
  const shown = typeof issue.input === 'string' && issue.input.length <= 60 ? ` \`${issue.input}\`` : '';
  if (issue.format === 'datetime')
    return `${where}:${shown} is not a date and time with a time zone, such as 2026-01-31T12:00:00Z`;
  return `${where}:${shown} ${issue.message}`;
}
