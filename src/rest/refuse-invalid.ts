import type { Hook } from '@hono/zod-openapi';
import type { Env } from 'hono';
import { z } from 'zod';
import type { Verb } from '../contract/verb.ts';
import { TaskerError } from '../errors.ts';
import { describeUnknown } from '../model/near-names.ts';

type Issue = z.core.$ZodIssue;

/** Rejects a request that does not match its schema, with the place of each problem. */
export const refuseInvalid: Hook<unknown, Env, string, unknown> = (result, c) => {
  if (result.success) return undefined;
  const { takes } = (c.get('verb' as never) ?? {}) as Partial<Verb>;
  const problems = problemsOf(result.error.issues, { what: 'field', known: fieldsOf(takes) });
  const [first] = problems;
  const text = first ? problemText(first) : '';
  throw new TaskerError('bad_request', problems.length > 1 ? `${text} (and ${problems.length - 1} more)` : text, {
    details: { problems },
  });
};

/** A value that does not match its schema. */
export interface Problem {
  path: string;
  message: string;
}

/** The names at the root of a value, for near names: `what` is the word for one of them. */
interface Names {
  what: string;
  known: readonly string[];
}

/** Returns the problems that a schema found, in words. */
export function problemsOf(issues: readonly Issue[], names: Names): Problem[] {
  return issues.flatMap(mostSpecific).map((issue) => ({ path: pathOf(issue), message: plainText(issue, names) }));
}

/** Returns a problem with its place, on one line. */
export function problemText({ path, message }: Problem): string {
  return `${path}${message.startsWith('is missing') ? ' ' : path && ': '}${message}`;
}

const pathOf = ({ path }: Issue) => path.map(String).join('.');

/** A value that no option of a union accepts has the problems of the option that comes nearest. */
function mostSpecific(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const depth = (found: readonly Issue[]) => Math.max(...found.map(({ path }) => path.length));
  const options = issue.errors.filter((found) => found.some(({ code }) => code !== 'invalid_type') || depth(found) > 0);
  const [nearest] = options.sort((a, b) => depth(b) - depth(a));
  if (!nearest) return [issue];
  return nearest.map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
}

const A_TYPE: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
};

/** Returns the problem in words, without the path. */
function plainText(issue: Issue, { what, known }: Names): string {
  switch (issue.code) {
    case 'invalid_type':
      if (/received undefined$/.test(issue.message)) return 'is missing';
      return `must be ${A_TYPE[issue.expected] ?? issue.expected}${receivedBy(issue.message)}`;
    case 'invalid_value':
      return issue.values.length === 1
        ? `must be ${shown(issue.values[0])}`
        : `must be one of ${issue.values.map(shown).join(', ')}`;
    case 'unrecognized_keys':
      if (issue.path.length === 0) return describeUnknown(what, issue.keys, known);
      // The message of a `closedObject` has near names.
      return issue.message.startsWith('unknown ') ? issue.message : `unknown field ${issue.keys.join(', ')}`;
    case 'too_small':
      return `must ${sized(issue.origin)} at least ${issue.minimum}${unitOf(issue.origin, issue.minimum)}`;
    case 'too_big':
      return `must ${sized(issue.origin)} at most ${issue.maximum}${unitOf(issue.origin, issue.maximum)}`;
    case 'invalid_format':
      return issue.format === 'uuid' ? 'must be a UUID' : issue.message;
    case 'invalid_union':
      return 'has a type that is not allowed here';
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'custom':
    case 'invalid_key':
    case 'invalid_element':
      return issue.message.replace(/^Invalid input: expected /, 'must be ');
  }
}

function receivedBy(message: string): string {
  const [, received] = /received (\w+)$/.exec(message) ?? [];
  return received === undefined || received === 'NaN' ? '' : `, not ${A_TYPE[received] ?? received}`;
}

const shown = (value: unknown) => (typeof value === 'string' ? value : String(value));
const isText = (origin: string) => origin === 'string';
const isList = (origin: string) => origin === 'array' || origin === 'set';
const sized = (origin: string) => (isText(origin) || isList(origin) ? 'have' : 'be');

function unitOf(origin: string, count: number | bigint): string {
  const unit = isText(origin) ? ' character' : isList(origin) ? ' item' : '';
  return unit === '' || count === 1 ? unit : `${unit}s`;
}

/** Returns the names of the fields of a body. */
export function fieldsOf(takes: Verb['takes'] = {}): string[] {
  const body = takes.body ?? takes.optionalBody;
  if (body instanceof z.ZodObject) return Object.keys(body.shape);
  if (!(body instanceof z.ZodUnion)) return [];
  return [...new Set(body.options.flatMap((one) => (one instanceof z.ZodObject ? Object.keys(one.shape) : [])))];
}
