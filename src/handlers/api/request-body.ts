import { messageOf } from '../../errors.ts';
import { invalidRequest } from '../misuse.ts';
import type { NamedHeaders } from './request-headers.ts';
import type { ApiBodyOptions } from './request-options.ts';
import { queryOf } from './request-url.ts';

/** A body in a form that `fetch` accepts. */
export interface RequestBody {
  content: NonNullable<RequestInit['body']> | undefined;
  /** Whether it can only be sent once, and not again after a redirect. */
  once: boolean;
}

const NONE: RequestBody = { content: undefined, once: false };
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\b/i;

/** Options of {@link requestBody}. */
interface BodyOptions {
  /** All headers of the request. A content type is added if there is none. */
  headers: NamedHeaders;
  /** Whether a string body is sent as is and not as a JSON value, because the caller set a content type. */
  textIsBody: boolean;
}

/** Returns the body for the options. Sets the content type of JSON and forms unless the headers have one. */
export function requestBody(options: ApiBodyOptions, { headers, textIsBody }: BodyOptions): RequestBody {
  const { form, json } = options;
  const flag = typeof json === 'boolean' ? json : undefined;
  const given = [options.body, options.data, form, flag === undefined ? json : undefined].filter(isGiven);
  if (given.length > 1) throw invalidRequest('a request has one body; pass one of body, data, form and json');
  const [body] = given;
  if (body === undefined || body === '') return NONE;

  if (isGiven(form)) {
    if (form instanceof FormData)
      throw invalidRequest('the option form is for url-encoded fields; pass FormData as body');
    setType(headers, 'application/x-www-form-urlencoded');
    return text(queryOf(form).join('&'));
  }
  if (body === json) return jsonBody(body, headers);
  if (isStream(body)) return { content: body as ReadableStream, once: true };
  if (isWhole(body)) return { content: body, once: false };
  if (flag === false) return text(String(body));
  if (typeof body === 'string' && flag !== true && (textIsBody || isOtherType(headers))) return text(body);
  return jsonBody(body, headers);
}

function jsonBody(value: unknown, headers: NamedHeaders): RequestBody {
  let written: string | undefined;
  try {
    written = JSON.stringify(value);
  } catch (cause) {
    throw invalidRequest(`the body is not JSON: ${messageOf(cause)}`);
  }
  if (written === undefined) throw invalidRequest(`the body is not JSON: it is a ${typeof value}`);
  setType(headers, 'application/json');
  return text(written);
}

const text = (content: string): RequestBody => ({ content, once: false });
const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

function setType(headers: NamedHeaders, type: string): void {
  if (!headers.has('content-type')) headers.set('Content-Type', type);
}

function isOtherType(headers: NamedHeaders): boolean {
  const type = headers.get('content-type');
  return type !== null && !JSON_TYPE.test(type);
}

function isStream(body: unknown): boolean {
  return typeof body === 'object' && body !== null && (body instanceof ReadableStream || Symbol.asyncIterator in body);
}

function isWhole(body: unknown): body is NonNullable<RequestInit['body']> {
  return (
    ArrayBuffer.isView(body) ||
    body instanceof ArrayBuffer ||
    body instanceof Blob ||
    body instanceof FormData ||
    body instanceof URLSearchParams
  );
}
