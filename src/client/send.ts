import type { CallOptions } from './client-options.ts';
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
