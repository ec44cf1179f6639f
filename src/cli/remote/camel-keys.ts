import type { TaskerStatus } from '../../app/overview/status.ts';
import type { TaskSummary } from '../../app/overview/task-summary.ts';
import type { TaskFilter } from '../../app/tasker-operations.ts';

/** Converts the keys of an object from snake_case. Values, which may be user data, are not changed, except waits and pauses. */
export function camelKeys(json: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [
      camel(key),
      key === 'paused' && Array.isArray(value)
        ? value.map((one) => camelKeys(one as object))
        : key === 'wait' && value
          ? camelKeys(value as object)
          : value,
    ]),
  );
}

function camel(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The fields of answers that are keyed by states or namespaces, whose names are not converted. */
const KEPT = new Set(['states', 'counts', 'open']);

/** Converts all keys of an answer that has no user data. */
function camelDeep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelDeep);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => {
      if (key === 'filter') return [key, camelKeys(one as object)];
      return [camel(key), KEPT.has(key) && !Array.isArray(one) ? one : camelDeep(one)];
    }),
  );
}

/** Returns the answer of `/v1/status` in the form of the library. */
export function statusOf(json: object): TaskerStatus {
  return camelDeep(json) as TaskerStatus;
}

/** Returns the answer of `/v1/summary` in the form of the library. */
export function summaryOf(json: object): TaskSummary {
  return camelDeep(json) as TaskSummary;
}

/** Returns a filter as a query: the long options of the command line in snake_case. */
export function queryOf(filter: TaskFilter): Record<string, string | number | boolean | readonly string[] | undefined> {
  return Object.fromEntries(
    Object.entries(filter)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => {
        const name =
          key === 'status'
            ? 'state'
            : key === 'source'
              ? 'source_system'
              : key.replace(/[A-Z]/g, (sign) => `_${sign.toLowerCase()}`);
        // States may be joined, but a tag may contain a comma.
        if (Array.isArray(value)) return [name, name === 'state' ? value.join(',') : (value as string[])];
        if (value instanceof Date) return [name, value.toISOString()];
        return [name, typeof value === 'object' ? JSON.stringify(value) : (value as string | number | boolean)];
      }),
  );
}
