import type { CallOptions } from './client-options.ts';
import { items } from './pages.ts';
import type { Path, Query } from './path.ts';
import type { Call, Transport } from './transport.ts';

/** Sends a request, and returns its JSON. `given` is the query of a GET request, and the body of any other. */
export type Send = <T>(
  method: Call['method'],
  path: string | Path,
  given?: object,
  options?: CallOptions & Pick<Call, 'headers'>,
) => Promise<T>;

/** Returns a function that sends requests. A request with `idempotency_key` has the same effect if it is repeated. */
export function sender(transport: Transport): Send {
  return (method, path, given, options = {}) => {
    if (method === 'GET') return transport.json({ method, path, query: given as Query, ...options });
    const repeatable = (given as { idempotency_key?: unknown } | undefined)?.idempotency_key != null;
    return transport.json({ method, path, body: given, repeatable, ...options });
  };
}

/** A page of a list. */
export type PageOf<Key extends string, Item> = { [Name in Key]: Item[] } & {
  /** The `cursor` of the next page. Null on the last page. */
  next_cursor: string | null;
};

/** The size and the place of a page. */
export interface PageQuery {
  /** Maximum number of items, from 1 to 1000. */
  limit?: number | undefined;
  /** `next_cursor` of another page. */
  cursor?: string | undefined;
}

/** The two ways to read a list. */
export interface Listing<Key extends string, Item, Given> {
  /** Returns one page. */
  list(query?: Given & PageQuery, options?: CallOptions): Promise<PageOf<Key, Item>>;
  /** Returns all items, and reads their pages as the loop needs them. */
  listAll(query?: Given & { limit?: number | undefined }, options?: CallOptions): AsyncGenerator<Item>;
}

/** Returns the methods that read a list. `key`: the name of the items in the response. */
export function listing<Key extends string, Item, Given extends object = object>(
  send: Send,
  path: string | Path,
  key: Key,
): Listing<Key, Item, Given> {
  const list: Listing<Key, Item, Given>['list'] = (query, options) => send('GET', path, query, options);
  return {
    list,
    listAll: (query, options) =>
      items(async (cursor) => {
        const page = await list({ ...query!, ...(cursor !== undefined && { cursor }) }, options);
        return { items: page[key], next: page.next_cursor };
      }),
  };
}
