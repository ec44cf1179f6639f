import { camelCase, snakeCase } from '../../app/json/views.ts';
import type { Query } from '../../client/index.ts';

/**
 * Fields whose keys are not converted: users' JSON, maps by name, and objects that are already in the library's form.
 */
const KEPT = new Set([
  'context',
  'results',
  'result',
  'payload',
  'metadata',
  'execution_result',
  'envelope',
  'details',
  'form',
  'fields',
  'task_snapshot',
  'counts',
  'states',
  'error',
  'dropped_result',
  'settings',
  'progress',
]);

/** Converts a server's response to the library's form, with keys in camelCase. */
export function camelKeys<T>(json: unknown, kept: ReadonlySet<string> = KEPT): T {
  return converted(json, kept) as T;
}

function converted(value: unknown, kept: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((one) => converted(one, kept));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => {
      const name = camelCase(key);
      if (key === 'at_least') return [name, (one as string[]).map(camelCase)];
      if (kept.has(key)) return [name, one];
      // A filter can contain a user's JSON as a condition.
      return [name, converted(one, key === 'filter' ? new Set(['context']) : kept)];
    }),
  );
}

/** Converts the library's options to a query or to the fields of a body: keys in snake_case, no undefined values. */
export function snakeQuery(options: object): Query {
  return Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [snakeCase(key), value instanceof Date ? value.toISOString() : (value as string)]),
  );
}

/** Returns a filter of tasks as a query. */
export function filterQuery({ status, ...filter }: { status?: unknown; context?: unknown }): Query {
  return { ...snakeQuery(filter), ...(status !== undefined && { state: [status].flat().join(',') }) };
}
