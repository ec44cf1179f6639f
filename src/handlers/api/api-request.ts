import { openTracing } from '../../tracing/tracing.ts';
import {
  isStepExecutionError,
  NetworkError,
  type StepExecutionError,
  StepTimeoutError,
} from '../failures/handler-errors.ts';
import { classNameOf, messageOfThrown, read } from '../failures/thrown.ts';
import { invalidRequest } from '../misuse.ts';
import type { StepContext } from '../step-context.ts';
import { ApiResponse } from './api-response.ts';
import { readBody } from './read-body.ts';
import { redactedUrl } from './redaction.ts';
import { requestBody } from './request-body.ts';
import { RequestDeadline } from './request-deadline.ts';
import { type NamedHeaders, namedHeaders } from './request-headers.ts';
import type { ApiBodyOptions } from './request-options.ts';
import { requestUrl } from './request-url.ts';
import { statusOf } from './response-like.ts';
import { type Answer, type PreparedRequest, sendRequest } from './send-request.ts';

/** A request of a handler. */
export interface ApiRequest {
  method: string;
  path: string | URL;
  options: ApiBodyOptions;
  client: HttpClient;
  /** The step that the request belongs to. The options can override it. */
  step: StepContext | undefined;
  /** Maximum size of the response body in bytes. The options can override it. */
  maxResponseBytes: number | undefined;
  /** Whether a string body is sent as is, like in `fetch`, instead of as a JSON value. */
  textIsBody?: boolean;
}

/**
 * Sends a request and reads the response, regardless of its status. Throws a `StepExecutionError` if there is none.
 * `timeout` and `connection_error` are retryable. Requests that cannot be sent and responses that cannot be read are
 * not. If the running step ends, rejects with the reason of its signal.
 */
export async function apiRequest(request: ApiRequest): Promise<ApiResponse> {
  const { options, client } = request;
  const step = options.context ?? request.step;
  const timeoutMs = options.timeout ?? client.timeout;
  const prepared = prepare(request, step);
  const deadline = new RequestDeadline({ timeoutMs, signals: [step?.signal, options.signal] });
  try {
    deadline.signal.throwIfAborted();
    const response = await answerTo(request, { ...prepared, signal: deadline.signal });
    if (options.stream) deadline.stopClock();
    else deadline.end();
    return response;
  } catch (thrown) {
    deadline.end();
    if (deadline.signal.aborted && !deadline.timedOut) throw deadline.signal.reason;
    if (isStepExecutionError(thrown) && !deadline.timedOut) throw thrown;
    throw requestError(thrown, { ...prepared, timeoutMs, timedOut: deadline.timedOut });
  }
}

async function answerTo(request: ApiRequest, prepared: PreparedRequest): Promise<ApiResponse> {
  const { options } = request;
  const { response, url } = await tracedRequest(prepared, options.context ?? request.step);
  if (options.stream) return new ApiResponse(response, undefined, { url: url.href });
  const maxBytes = options.maxResponseBytes ?? request.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;
  const { method } = prepared;
  const content = await readBody(response, { maxBytes, method, from: `${method} ${redactedUrl(url.href)}` });
  return new ApiResponse(response, undefined, { ...content, url: url.href });
}

/**
 * Sends a request in its own span, if an OpenTelemetry SDK is registered. The `traceparent` header names that span, or
 * otherwise the step's span. A `traceparent` in the request's own headers is kept.
 */
async function tracedRequest(request: PreparedRequest, step: StepContext | undefined): Promise<Answer> {
  const { method, url, headers } = request;
  const tracing = await openTracing();
  const span = tracing?.start(method, {
    kind: 'CLIENT',
    parent: tracing.active ? undefined : step?.traceparent,
    attributes: { 'http.request.method': method, 'server.address': url.hostname, 'url.full': redactedUrl(url.href) },
  });
  const traceparent = (span && tracing?.traceparentOf(span)) ?? step?.traceparent;
  if (traceparent !== undefined && !headers.has('traceparent')) headers.set('traceparent', traceparent);
  if (!tracing || !span) return sendRequest(request);
  try {
    const answer = await sendRequest(request);
    const status = statusOf(answer.response);
    const error = status >= 400 ? { message: `HTTP ${status}`, type: String(status) } : undefined;
    tracing.end(span, { error, attributes: { 'http.response.status_code': status } });
    return answer;
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    tracing.end(span, { error: { message, type: thrown instanceof Error ? thrown.name : undefined } });
    throw thrown;
  }
}

function prepare(request: ApiRequest, step: StepContext | undefined): Omit<PreparedRequest, 'signal'> {
  const { options, client } = request;
  const url = requestUrl({ baseUrl: client.baseUrl, path: request.path, params: options.params });
  const own = namedHeaders(options.headers);
  const headers = namedHeaders(client.defaultHeaders).setAll(own);
  useUserOf(url, headers);
  if (options.idempotencyKey !== undefined) {
    headers.set('Idempotency-Key', idempotencyKey(options.idempotencyKey, step));
  }
  const textIsBody = request.textIsBody || own.has('content-type');
  return {
    method: request.method.toUpperCase(),
    url,
    headers,
    body: requestBody(options, { headers, textIsBody }),
    maxRedirects: options.maxRedirects ?? DEFAULT_MAX_REDIRECTS,
    fetch: (to, init) => client.fetch(to, init),
  };
}

/** Moves the URL's user and password to a header, because `fetch` rejects a URL with credentials. */
function useUserOf(url: URL, headers: NamedHeaders): void {
  const { username, password } = url;
  if (username === '' && password === '') return;
  url.username = '';
  url.password = '';
  if (headers.has('authorization')) return;
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  headers.set('Authorization', `Basic ${Buffer.from(user).toString('base64')}`);
}

function idempotencyKey(given: true | string, step: StepContext | undefined): string {
  if (!step) {
    throw invalidRequest('an idempotency key requires a running step; pass its context in the options');
  }
  return given === true ? step.stepUuid : `${step.stepUuid}:${encodeURIComponent(given)}`;
}

/** The failed request, for the message. */
type FailedRequest = Pick<PreparedRequest, 'method' | 'url'> & { timeoutMs: number; timedOut: boolean };

/** Error codes of the timeouts of `fetch`. */
const TIMEOUT_CODES = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

/**
 * Returns the error for a request without a response. `timeout` and `connection_error` are retryable.
 * `invalid_request`, for a request that `fetch` refused to send, is not.
 */
function requestError(thrown: unknown, { method, url, timeoutMs, timedOut }: FailedRequest): StepExecutionError {
  const what = `${method} ${redactedUrl(url.href)}`;
  const { code, text } = rootOf(thrown);
  const metadata = { method, url: redactedUrl(url.href), exception_type: classNameOf(thrown), ...(code && { code }) };
  if (timedOut) {
    return new StepTimeoutError(`${what}: no response within ${timeoutMs} ms`, {
      metadata: { ...metadata, timeout_ms: timeoutMs },
    });
  }
  if (code !== undefined && TIMEOUT_CODES.has(code)) {
    return new StepTimeoutError(`${what}: ${text}`, { metadata, cause: thrown });
  }
  if (code === undefined && thrown instanceof TypeError && read(thrown, 'cause') === undefined) {
    return invalidRequest(`${what}: cannot be sent: ${text}`, metadata);
  }
  return new NetworkError(`${what}: connection failed: ${text}`, { metadata, cause: thrown });
}

/** Returns the innermost cause. The message `fetch failed` gives no reason. */
function rootOf(thrown: unknown): { code: string | undefined; text: string } {
  let root = thrown;
  for (let depth = 0; depth < 5; depth++) {
    const cause = read(root, 'cause');
    if (cause === undefined || cause === null) break;
    root = cause;
  }
  const code = read(root, 'code');
  return { code: typeof code === 'string' ? code : undefined, text: messageOfThrown(root) };
}

/** The client with which an API handler sends its requests. */
export interface HttpClient {
  /** Like the platform's `fetch`: supports `redirect: 'manual'`, and rejects if there is no response. */
  fetch(url: URL, init: RequestInit): Promise<Response>;
  readonly baseUrl: string;
  /** Timeout of a request in milliseconds. 0 means no timeout. */
  readonly timeout: number;
  readonly defaultHeaders: Readonly<Record<string, string>>;
}

/** Default timeout of a request in milliseconds. */
export const DEFAULT_TIMEOUT = 30_000;
export const DEFAULT_MAX_RESPONSE_BYTES = 10 * 1024 * 1024;
export const DEFAULT_MAX_REDIRECTS = 5;

/**
 * Calls the platform's `fetch`, looked up on each call so that mocks work. Passes the URL as a string, as mocks expect.
 */
export function platformFetch(url: URL, init: RequestInit): Promise<Response> {
  return globalThis.fetch(url.href, init);
}
