import { STATUS_CODES } from 'node:http';
import { type Fields, isFields, storableJson } from '../../model/json.ts';
import { classNameOf, messageOfThrown, storableText } from '../failures/thrown.ts';
import { type Failure, successOf as plainSuccess, StepHandlerResult } from '../step-handler.ts';
import { type ApiResponse, isApiResponse } from './api-response.ts';
import { redactedHeaders, redactedJson, redactedUrl } from './redaction.ts';

/** Overrides for the failure derived from a response. */
export type ApiFailureOptions = Partial<Failure>;

/** The argument forms of a success. */
export type ApiSuccessArguments =
  | [response: ApiResponse, result?: object, includeResponse?: boolean]
  | [success: { response: ApiResponse; result?: object; includeResponse?: boolean }]
  | [result: object];

/** The argument forms of a failure. */
export type ApiFailureArguments =
  | [response: ApiResponse, messageOrOptions?: string | ApiFailureOptions]
  | [failure: ApiFailureOptions & { response: ApiResponse }];

const TYPES: Readonly<Record<number, string>> = {
  400: 'bad_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  409: 'conflict',
  410: 'gone',
  422: 'unprocessable_entity',
  429: 'rate_limited',
  500: 'internal_server_error',
  502: 'bad_gateway',
  503: 'service_unavailable',
  504: 'gateway_timeout',
};

/** Keys under which servers report errors, in the order in which they are read. */
const MESSAGE_KEYS = ['error', 'message', 'detail', 'error_message', 'msg'];
const CODE_KEYS = ['error_code', 'code'];

/**
 * Maximum bytes of a JSON body, and maximum characters of a string, in a failure. Every attempt stores its own failure.
 */
const MAX_BODY = 16_384;
const MAX_SNIPPET = 2_000;
const MAX_MESSAGE = 1_000;

/**
 * Returns a success. Without an explicit result, an unsuccessful response or an unreadable JSON body results in a
 * failure.
 */
export function apiSuccess(...args: ApiSuccessArguments): StepHandlerResult {
  const { response, result, includeResponse = true } = successOf(args);
  if (!response) return plainSuccess(result ?? {});
  const { body, jsonError } = response;
  if (result === undefined && !response.ok) return apiFailure(response);
  if (result === undefined && jsonError !== null) {
    // Retryable: it may be a proxy's error page or a truncated response, and the next attempt may succeed.
    return apiFailure(response, { message: jsonError, errorType: 'invalid_json', retryable: true });
  }
  const value = result ?? (typeof body === 'object' && body !== null ? body : { data: body });
  return plainSuccess(value, includeResponse ? metadataOf(response) : undefined);
}

/** Returns the failure for the status of a response, with the delay that it requests. */
export function apiFailure(...args: ApiFailureArguments): StepHandlerResult {
  const { response, ...given } = failureOf(args);
  const { body, retryAfter, statusCode } = response;
  return new StepHandlerResult({
    success: false,
    errorMessage: given.message ?? `HTTP ${statusCode}: ${messageIn(response)}`,
    errorType: given.errorType ?? typeOf(statusCode),
    errorCode: given.errorCode ?? codeIn(body),
    retryable: given.retryable ?? response.isRetryable,
    metadata: {
      ...metadataOf(response),
      ...(retryAfter !== null && { retry_after_seconds: retryAfter }),
      ...shownBody(response),
      ...given.metadata,
    },
    retryAfter: given.retryAfter ?? retryAfter,
    statusCode,
  });
}

/** Returns the failure of a request that could not connect. */
export function connectionError(error: unknown, context?: string): StepHandlerResult {
  return lostRequest(error, { errorType: 'connection_error', prefix: 'Connection error', context });
}

/** Returns the failure of a request that timed out. */
export function timeoutError(error: unknown, context?: string): StepHandlerResult {
  return lostRequest(error, { errorType: 'timeout', prefix: 'Request timeout', context });
}

function lostRequest(error: unknown, what: { errorType: string; prefix: string; context?: string }): StepHandlerResult {
  return StepHandlerResult.failure({
    message: `${what.prefix}${what.context ? ` while ${what.context}` : ''}: ${messageOfThrown(error)}`,
    errorType: what.errorType,
    retryable: true,
    metadata: { exception_type: classNameOf(error) },
  });
}

function successOf(args: ApiSuccessArguments): { response?: ApiResponse; result?: object; includeResponse?: boolean } {
  const [first, result, includeResponse] = args;
  if (isApiResponse(first)) return { response: first, result, includeResponse };
  return 'response' in first && isApiResponse(first.response)
    ? (first as { response: ApiResponse })
    : { result: first };
}

function failureOf(args: ApiFailureArguments): ApiFailureOptions & { response: ApiResponse } {
  const [first, second] = args;
  if (!isApiResponse(first)) return first;
  return { ...(typeof second === 'string' ? { message: second } : second), response: first };
}

function typeOf(status: number): string {
  const known = TYPES[status];
  if (known) return known;
  if (status >= 400 && status < 500) return 'client_error';
  return status >= 500 && status < 600 ? 'server_error' : 'http_error';
}

function metadataOf({ statusCode, headers, url }: ApiResponse): Fields {
  return { status_code: statusCode, headers: redactedHeaders(headers), ...(url && { url: redactedUrl(url) }) };
}

function messageIn({ body, jsonError, rawResponse, statusCode }: ApiResponse): string {
  const found = jsonError ?? firstText(body, MESSAGE_KEYS, 'message');
  return storableText(found ?? (rawResponse.statusText || STATUS_CODES[statusCode] || 'HTTP Error'), MAX_MESSAGE);
}

function codeIn(body: unknown): string | null {
  const inError = isFields(body) && isFields(body.error) ? firstText(body.error, CODE_KEYS) : null;
  return firstText(body, CODE_KEYS) ?? inError;
}

/** Returns the first of these fields that is a string, or an object with a string under `inside`. */
function firstText(body: unknown, keys: readonly string[], inside?: string): string | null {
  if (!isFields(body)) return null;
  for (const key of keys) {
    const value = body[key];
    if (typeof value === 'string' && value !== '') return value;
    const inner = inside !== undefined && isFields(value) ? value[inside] : undefined;
    if (typeof inner === 'string' && inner !== '') return inner;
  }
  return null;
}

/** Returns the body for a failure: secrets are redacted, and a long body is truncated. */
function shownBody(response: ApiResponse): Fields {
  const { body } = response;
  if (typeof body !== 'object' || body === null) {
    return response.text === '' ? {} : { response_body: storableText(response.text, MAX_SNIPPET) };
  }
  const shown = redactedJson(body);
  const stored = storableJson(shown, { name: 'response_body', maxBytes: MAX_BODY });
  return { response_body: stored.ok ? shown : storableText(JSON.stringify(shown), MAX_SNIPPET) };
}
