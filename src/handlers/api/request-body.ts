import { messageOf } from '../../errors.ts';
import { invalidRequest } from '../misuse.ts';
import type { NamedHeaders } from './request-headers.ts';
import type { ApiBodyOptions } from './request-options.ts';
import { queryOf } from './request-url.ts';

/** A body as `fetch` takes it. */
export interface RequestBody {
  content: NonNullable<RequestInit['body']> | undefined;
  /** Whether it can be sent once only, and so not again after a redirect. */
  once: boolean;
}

const NONE: RequestBody = { content: undefined, once: false };
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\b/i;

/** How the body of a request is read. */
interface BodyOptions {
  /** All that is sent; a content type is added when there is none. */
  headers: NamedHeaders;
  /** Whether a bare text is itself, and not a JSON value: whoever names a content type has written it already. */
  textIsBody: boolean;
}

/** The body that options ask for. Sets the content type of JSON and forms unless the headers name one. */
export function requestBody(options: ApiBodyOptions, { headers, textIsBody }: BodyOptions): RequestBody {
  const { form, json } = options;
  const flag = typeof json === 'boolean' ? json : undefined;
  const given = [options.body, options.data, form, flag === undefined ? json : undefined].filter(isGiven);
  if (given.length > 1) throw invalidRequest('a request has one body; give one of body, data, form and json');
  const [body] = given;
  if (body === undefined || body === '') return NONE;

  if (isGiven(form)) {
    if (form instanceof FormData) throw invalidRequest('the option form is url-encoded; give FormData as body');
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
    throw invalidRequest(`the body is no JSON: ${messageOf(cause)}`);
  }
  if (written === undefined) throw invalidRequest(`the body is no JSON: it is a ${typeof value}`);
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
