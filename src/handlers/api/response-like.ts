import { invalidRequest, shown } from '../misuse.ts';

/**
 * A return value of `fetch`. A mocked `fetch` may return only the parts of a `Response` that its test needs, so each
 * part is read with the functions below.
 */
export type ResponseLike = Partial<Response>;

/** Returns the response of `fetch`. Throws `invalid_request` if the value is not a response. */
export function checkedResponse(returned: unknown, from: string): Response {
  if (typeof returned === 'object' && returned !== null) {
    const { status, ok } = returned as ResponseLike;
    if (typeof status === 'number' || typeof ok === 'boolean') return returned as Response;
  }
  throw invalidRequest(
    `${from}: fetch returned ${shown(returned)}, which is not a response; return a Response, or an object with status, headers and json() or text()`,
  );
}

/** Returns the status. Without one, returns 500 if `ok` is false, otherwise 200. */
export function statusOf({ status, ok }: ResponseLike): number {
  if (typeof status === 'number') return status;
  return ok === false ? 500 : 200;
}

const JSON_TYPE = /^\s*[\w.-]+\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/** Returns whether a content type is JSON. */
export function isJsonType(contentType: string | undefined): boolean {
  return JSON_TYPE.test(contentType ?? '');
}

/** The headers that this package reads. From an object that only has `get`, these headers are read by name. */
const READ_HEADERS = ['content-type', 'content-length', 'content-encoding', 'retry-after', 'date', 'location'];

/** Returns the headers by lower-case name, from `Headers`, a `Map`, a list, a plain object, or an object with `get`. */
export function headersOf({ headers }: ResponseLike): Record<string, string> {
  const all = new Map<string, string>();
  for (const [name, value] of entriesOf(headers)) {
    if (typeof name !== 'string' || value === undefined || value === null) continue;
    const key = name.toLowerCase();
    all.set(key, all.has(key) ? `${all.get(key)}, ${String(value)}` : String(value));
  }
  return Object.fromEntries(all);
}

function entriesOf(headers: unknown): Iterable<readonly [unknown, unknown]> {
  if (typeof headers !== 'object' || headers === null) return [];
  if (Symbol.iterator in headers) return headers as Iterable<[unknown, unknown]>;
  const { get } = headers as { get?: unknown };
  if (typeof get !== 'function') return Object.entries(headers);
  return READ_HEADERS.map((name) => [name, get.call(headers, name) as unknown] as const);
}
