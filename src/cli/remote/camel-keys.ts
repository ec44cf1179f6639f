import type { Query } from '../../client/index.ts';

/**
 * Fields whose keys are not converted: JSON of users, maps by name, and objects that already have the form of the
 * library.
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

/** Returns an answer of a server in the form of the library: with keys in camelCase. */
export function camelKeys<T>(json: unknown, kept: ReadonlySet<string> = KEPT): T {
  return converted(json, kept) as T;
}

function converted(value: unknown, kept: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((one) => converted(one, kept));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => {
      const name = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      if (kept.has(key)) return [name, one];
      // One of the conditions of a filter may be JSON of a user.
      return [name, converted(one, key === 'filter' ? new Set(['context']) : kept)];
    }),
  );
}

/**
 * Returns options of the library as a query, or as the fields of a body: with keys in snake_case, without undefined
 * values.
 */
export function snakeQuery(options: object): Query {
  return Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [
        key.replace(/[A-Z]/g, (sign) => `_${sign.toLowerCase()}`),
        value instanceof Date ? value.toISOString() : (value as string),
      ]),
  );
}

/** Returns a filter of tasks as a query. */
export function filterQuery({ status, ...filter }: { status?: unknown; context?: unknown }): Query {
  return { ...snakeQuery(filter), ...(status !== undefined && { state: [status].flat().join(',') }) };
}
