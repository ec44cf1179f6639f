import { snakeCase } from '../../app/json/views.ts';
import type { Act, Query } from '../../client/index.ts';

/** Options of the library with other names in requests. */
const OTHER_NAMES: Readonly<Record<string, string>> = { eventId: 'event', taskUuid: 'task' };

/**
 * Returns options of the library as a query or as the fields of a body: names in snake_case, without undefined values and
 * functions. Values, which may be user-defined JSON, are not changed. `acts`: whether `actor` is the operator of an action,
 * whom requests call `by`.
 */
export function requestOf(options: object, { acts = false } = {}): Query {
  return Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined && typeof value !== 'function')
      .map(([name, value]) => [
        acts && name === 'actor' ? 'by' : (OTHER_NAMES[name] ?? snakeCase(name)),
        value instanceof Date ? value.toISOString() : (value as string),
      ]),
  );
}

/** Returns a filter of tasks as a query. */
export function filterQuery({ status, ...filter }: { status?: unknown; context?: unknown }): Query {
  return { ...requestOf(filter), ...(status !== undefined && { state: [status].flat().join(',') }) };
}

/** Returns the operator of an action as the fields of its body. */
export function actOf({ actor, reason }: { actor?: string | undefined; reason?: string | undefined } = {}): Act {
  return requestOf({ actor, reason }, { acts: true });
}

/** Returns the cursor of a list whose cursors are positions. */
export function positionCursor(position: number): string {
  return Buffer.from(`at:${position}`).toString('base64url');
}

/** Returns milliseconds as a duration that the API accepts. */
export function spanText(ms: number): string {
  return `${ms / 1000}s`;
}
