import { invalidRequest } from '../misuse.ts';
import { redactedUrl } from './redaction.ts';
import type { RequestParams } from './request-options.ts';

/** The destination of a request. */
interface Destination {
  baseUrl: string;
  path: string | URL;
  params?: RequestParams | undefined;
}

const ABSOLUTE = /^[a-z][a-z\d+.-]*:\/\//i;

/**
 * Returns the base URL and the path, joined by one slash, with the query. An absolute URL as path must have the origin
 * of the base URL, if there is one, because the default headers are meant for the base URL.
 */
export function requestUrl({ baseUrl, path: given, params }: Destination): URL {
  const path = given instanceof URL ? given.href : given;
  if (typeof path !== 'string') throw invalidRequest(`the path of a request must be a string, not ${typeof path}`);
  const url = ABSOLUTE.test(path) ? absoluteUrl(baseUrl, path) : joinedUrl(baseUrl, path);
  const query = queryOf(params).join('&');
  if (query !== '') url.search = url.search === '' ? query : `${url.search}&${query}`;
  url.hash = '';
  return url;
}

/** Parses an HTTP or HTTPS URL. Throws `invalid_request` for anything else. */
export function httpUrl(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw invalidRequest(`${what} ${redactedUrl(text)} is not an http or https URL`);
}

/** Returns `name=value` for each value of a query. */
export function queryOf(params: RequestParams = {}): string[] {
  const entries: Iterable<[string, unknown]> = params instanceof URLSearchParams ? params : Object.entries(params);
  return [...entries].flatMap(([name, value]) =>
    (Array.isArray(value) ? (value as unknown[]) : [value])
      .filter((item) => item !== null && item !== undefined)
      .map((item) => `${encodeURIComponent(name)}=${encodeURIComponent(textOf(name, item))}`),
  );
}

function textOf(name: string, value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') return String(value);
  throw invalidRequest(
    `the parameter ${name} is ${typeof value === 'object' ? 'an object' : `a ${typeof value}`}; pass a string, a number, a boolean, a date, or a list of these`,
  );
}

function absoluteUrl(baseUrl: string, path: string): URL {
  const url = httpUrl(path, 'the path');
  if (baseUrl === '' || httpUrl(baseUrl, 'baseUrl').origin === url.origin) return url;
  throw invalidRequest(
    `${redactedUrl(path)} has a different origin from baseUrl ${redactedUrl(baseUrl)}; pass a path, or use a handler without baseUrl`,
  );
}

function joinedUrl(baseUrl: string, path: string): URL {
  if (baseUrl === '') {
    throw invalidRequest(
      `the path ${redactedUrl(path)} needs a baseUrl; set it on the handler, or pass an absolute URL`,
    );
  }
  const url = httpUrl(baseUrl, 'baseUrl');
  const [, before = '', query = ''] = /^([^?#]*)(?:\?([^#]*))?/.exec(path)!;
  if (before !== '') {
    const folder = url.pathname.replace(/\/+$/, '');
    url.pathname = `${folder}/${before.replace(/^\/+/, '')}`;
    // An id that contains `..` must not lead the path outside the base URL.
    if (!`${url.pathname}/`.startsWith(`${folder}/`)) {
      throw invalidRequest(
        `the path ${redactedUrl(path)} leads outside baseUrl ${redactedUrl(baseUrl)}; encode the values in the path`,
      );
    }
  }
  if (query !== '') url.search = url.search === '' ? query : `${url.search}&${query}`;
  return url;
}
