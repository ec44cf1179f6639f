import { invalidRequest } from '../misuse.ts';
import type { StepContext } from '../step-context.ts';

/** Values of a query or a form by name: null and undefined are left out, a list is repeated. */
export type RequestParams = Readonly<Record<string, unknown>> | URLSearchParams;

/** Headers by name, in whatever case; undefined leaves one out. Or anything that `fetch` takes. */
export type RequestHeaders = Readonly<Record<string, string | undefined>> | Headers | readonly (readonly string[])[];

/** What every request may be given. */
export interface ApiRequestOptions {
  /** The query, besides what the path has of it. */
  params?: RequestParams;
  /** Added to the handler's default headers; the same name replaces. */
  headers?: RequestHeaders;
  /** Milliseconds for the whole of it, from connecting to the last byte; 0: none. Default: the handler's `timeout`. */
  timeout?: number;
  /** Ends the request too, besides the timeout and the signal of the running step. */
  signal?: AbortSignal;
  /** The step that the request is made for. Default: the one that the worker runs this handler for. */
  context?: StepContext;
  /**
   * Sends the header `Idempotency-Key`: the step's id, the same in all its attempts. A step that makes several such
   * requests gives each a text of its own, which is added.
   */
  idempotencyKey?: true | string;
  /** How many bytes the answer may have, unpacked. Default: the handler's `maxResponseBytes`, 10 MiB. */
  maxResponseBytes?: number;
  /** How many redirects are followed; default 5. With 0 the redirect itself is the answer. */
  maxRedirects?: number;
  /** Leaves the body unread, as a stream in `rawResponse.body`; then the timeout ends with the answer's head. */
  stream?: boolean;
}

/** What a request with a body may be given. One of `body`, `data`, `form`, or `json` with a value. */
export interface ApiBodyOptions extends ApiRequestOptions {
  /**
   * Bytes, streams, `Blob`, `FormData` and `URLSearchParams` go as they are, anything else as JSON. A text goes as it is
   * when the request names its content type.
   */
  body?: unknown;
  /** The same as `body`. */
  data?: unknown;
  /** The body as JSON; or false: `body` is no JSON but its text. */
  json?: unknown;
  /** The body as `application/x-www-form-urlencoded`. */
  form?: RequestParams;
}

const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null;
const isNumber = (value: unknown): boolean => typeof value === 'number';
const isAny = (): boolean => true;

/** What tells options from a bare query or bare headers: each key is an option's, with a value that can be its. */
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
/** `request` takes what `fetch` does; these it decides itself. */
const OF_FETCH = ['method', 'redirect', 'duplex'];

/** `get(path, options)` or `get(path, params, headers)`. */
export function getOptions(first: object | undefined, headers: RequestHeaders | undefined): ApiRequestOptions {
  if (headers === undefined && areOptions(first, PLAIN)) return first ?? {};
  return { params: first as RequestParams | undefined, headers };
}

/** `delete(path, options)` or `delete(path, headers)`. */
export function deleteOptions(first: object | undefined): ApiBodyOptions {
  return areOptions(first, WITH_BODY) ? (first ?? {}) : { headers: first as RequestHeaders };
}

/** Options as they are; JavaScript may have given others, and a body under a wrong name would be left out unseen. */
export function bodyOptions(given: ApiBodyOptions | undefined, { alsoOfFetch = false } = {}): ApiBodyOptions {
  const options = given ?? {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || (alsoOfFetch && OF_FETCH.includes(name))) continue;
    if (!Object.hasOwn(WITH_BODY, name)) {
      throw invalidRequest(
        `a request has no option ${name}; a body goes under body, json or form, a query under params`,
      );
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
