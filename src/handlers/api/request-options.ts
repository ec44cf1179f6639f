import { invalidRequest } from '../misuse.ts';
import type { StepContext } from '../step-context.ts';

/** Parameters of a query or a form by name. Null and undefined are omitted, and a list repeats the parameter. */
export type RequestParams = Readonly<Record<string, unknown>> | URLSearchParams;

/** Headers by case-insensitive name, or any form that `fetch` accepts. A header with the value undefined is omitted. */
export type RequestHeaders = Readonly<Record<string, string | undefined>> | Headers | readonly (readonly string[])[];

/** Options of every request. */
export interface ApiRequestOptions {
  /** Query parameters, in addition to those in the path. */
  params?: RequestParams;
  /** Headers, in addition to the handler's default headers. A header with the same name replaces the default. */
  headers?: RequestHeaders;
  /**
   * Timeout in milliseconds for the whole request, from connecting to the last byte. 0 means no timeout. Default: the
   * handler's `timeout`.
   */
  timeout?: number;
  /** Aborts the request, in addition to the timeout and the signal of the running step. */
  signal?: AbortSignal;
  /** The step that the request belongs to. Default: the step for which the worker runs this handler. */
  context?: StepContext;
  /**
   * Sends the header `Idempotency-Key` with the step's id, which is the same for all its attempts. If a step sends
   * several requests with this header, pass a different string for each. The string is appended to the id.
   */
  idempotencyKey?: true | string;
  /**
   * Maximum size of the response body in bytes, after decompression. Default: the handler's `maxResponseBytes`, 10 MiB.
   */
  maxResponseBytes?: number;
  /** Maximum number of redirects to follow. Default 5. With 0, the redirect itself is the response. */
  maxRedirects?: number;
  /** Leaves the body unread, as a stream in `rawResponse.body`. The timeout then ends when the headers have arrived. */
  stream?: boolean;
}

/** Options of a request with a body. Pass one of `body`, `data`, `form`, or `json` with a value. */
export interface ApiBodyOptions extends ApiRequestOptions {
  /**
   * The body. Bytes, streams, `Blob`, `FormData` and `URLSearchParams` are sent as is, anything else as JSON. A string
   * is sent as is if the request sets a content type.
   */
  body?: unknown;
  /** Same as `body`. */
  data?: unknown;
  /** The body as JSON. `false` sends `body` as text instead of JSON. */
  json?: unknown;
  /** The body as `application/x-www-form-urlencoded`. */
  form?: RequestParams;
}

const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null;
const isNumber = (value: unknown): boolean => typeof value === 'number';
const isAny = (): boolean => true;

/**
 * Checks that distinguish options from a plain query or plain headers. Every key must be an option with a suitable
 * value.
 */
const PLAIN: Readonly<Record<string, (value: unknown) => boolean>> = {
  params: isRecord,
  headers: isRecord,
  timeout: isNumber,
  signal: (value) => value instanceof AbortSignal,
  context: (value) => isRecord(value) && 'stepUuid' in (value as object),
  idempotencyKey: (value) => value === true || typeof value === 'string',
  maxResponseBytes: isNumber,
  maxRedirects: isNumber,
  stream: (value) => typeof value === 'boolean',
};
const WITH_BODY: typeof PLAIN = { ...PLAIN, body: isAny, data: isAny, json: isAny, form: isRecord };
/** Options of `fetch` that `request` accepts but ignores, because it sets its own values. */
const FETCH_OPTIONS = ['method', 'redirect', 'duplex'];

/** Returns the options of `get(path, options)` or `get(path, params, headers)`. */
export function getOptions(first: object | undefined, headers: RequestHeaders | undefined): ApiRequestOptions {
  if (headers === undefined && areOptions(first, PLAIN)) return first ?? {};
  return { params: first as RequestParams | undefined, headers };
}

/** Returns the options of `delete(path, options)` or `delete(path, headers)`. */
export function deleteOptions(first: object | undefined): ApiBodyOptions {
  return areOptions(first, WITH_BODY) ? (first ?? {}) : { headers: first as RequestHeaders };
}

/**
 * Returns the checked options. Without the check, a body that a JavaScript caller passes under a wrong name would be
 * dropped silently.
 */
export function bodyOptions(given: ApiBodyOptions | undefined, { acceptFetchOptions = false } = {}): ApiBodyOptions {
  const options = given ?? {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || (acceptFetchOptions && FETCH_OPTIONS.includes(name))) continue;
    if (!Object.hasOwn(WITH_BODY, name)) {
      throw invalidRequest(`a request has no option ${name}; pass a body as body, json or form, and a query as params`);
    }
    if (!WITH_BODY[name]!(value)) throw invalidRequest(`the option ${name} of a request cannot be ${typeof value}`);
  }
  return options;
}

function areOptions(given: object | undefined, known: typeof PLAIN): given is ApiRequestOptions | undefined {
  if (given === undefined || given === null) return true;
  if (given instanceof Headers || given instanceof URLSearchParams || Array.isArray(given)) return false;
  return Object.entries(given).every(
    ([name, value]) => Object.hasOwn(known, name) && (value === undefined || known[name]!(value)),
  );
}
