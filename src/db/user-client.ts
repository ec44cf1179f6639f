/**
 * A client in a transaction. A client of `pg` is one, and the adapters of `tasker-core/orm` make one from the transaction of
 * another library. For any other library, write an object with this function. `createTask` and `signal` pass parameters `$1`,
 * `$2` … that are strings or null.
 *
 * @example
 * const client: UserClient = {
 *   query: async (text, values = []) => {
 *     const rows = await transaction.run(text, values);
 *     return { rows, rowCount: rows.length };
 *   },
 * };
 * await tasker.createTask({ name: 'fulfil' }, { client });
 */
export interface UserClient {
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number | null }>;
}

/** The property of a client that an adapter of `tasker-core/orm` has made. */
export const ADAPTER: unique symbol = Symbol.for('tasker-core.orm') as never;

/** The adapter that made a client, for error messages. */
export interface Adapter {
  /** The name of the function. */
  name: string;
  /** How to call it, as a phrase that follows "pass". */
  expected: string;
}

/** A client for one transaction of another library. */
export interface AdaptedClient extends UserClient {
  readonly [ADAPTER]: Adapter;
}

/** Returns the adapter that made a client. Undefined for a client of the driver. */
export function adapterOf(client: UserClient): Adapter | undefined {
  return (client as Partial<AdaptedClient>)[ADAPTER];
}
