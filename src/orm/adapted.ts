import { ADAPTER, type AdaptedClient, type Adapter, type UserClient } from '../db/user-client.ts';
import { TaskerError } from '../errors.ts';

/** Runs a statement with text parameters in a transaction. Resolves with the rows, or with an object that has them. */
type Run = (text: string, values: readonly unknown[]) => PromiseLike<unknown>;

/** Returns a client that runs statements in the transaction of another library. */
export function adapted(adapter: Adapter, run: Run): UserClient {
  const client: AdaptedClient = {
    [ADAPTER]: adapter,
    query: async <Row extends object>(text: string, values: readonly unknown[] = []) => {
      const rows = rowsOf(await run(text, values)) as Row[];
      return { rows, rowCount: rows.length };
    },
  };
  return client;
}

function rowsOf(result: unknown): unknown[] {
  if (Array.isArray(result)) return Array.from(result as unknown[]);
  const { rows } = (result ?? {}) as { rows?: unknown };
  return Array.isArray(rows) ? (rows as unknown[]) : [];
}

/** Returns the error for an object that is not a transaction of the library. */
export function notTransaction({ name, expected }: Adapter, got: string): TaskerError {
  return new TaskerError('bad_request', `${name} got ${got}; pass ${expected}`);
}

/** Returns an object's property. Undefined for a value that is not an object. */
export function propertyOf(value: unknown, key: string): unknown {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject ? (value as Record<string, unknown>)[key] : undefined;
}
