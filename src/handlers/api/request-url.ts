import { invalidRequest } from '../misuse.ts';
import { redactedUrl } from './redaction.ts';
import type { RequestParams } from './request-options.ts';

/** Where a request goes. */
interface Destination {
  baseUrl: string;
  path: string | URL;
  params?: RequestParams | undefined;
}

const ABSOLUTE = /^[a-z][a-z\d+.-]*:\/\//i;

/**
 * The base URL, the path behind it with one slash between, and the query. A whole URL as path is let through when there
 * is no base URL or it leads to the same origin: the default headers, which are meant for the base, go with it.
 */
export function requestUrl({ baseUrl, path: given, params }: Destination): URL {
  const path = given instanceof URL ? given.href : given;
  if (typeof path !== 'string') throw invalidRequest(`the path of a request must be a text, not ${typeof path}`);
  const url = ABSOLUTE.test(path) ? absoluteUrl(baseUrl, path) : joinedUrl(baseUrl, path);
  const query = queryOf(params).join('&');
  if (query !== '') url.search = url.search === '' ? query : `${url.search}&${query}`;
  url.hash = '';
  return url;
}

/** Parses what must be the URL of an HTTP server. */
export function httpUrl(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw invalidRequest(`${what} ${redactedUrl(text)} is no http or https URL`);
}

/** `name=value` for each value of a query. */
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
    `the parameter ${name} is ${typeof value === 'object' ? 'an object' : `a ${typeof value}`}; give a text, a number, a boolean, a date, or a list of these`,
  );
}

function absoluteUrl(baseUrl: string, path: string): URL {
  const url = httpUrl(path, 'the path');
  if (baseUrl === '' || httpUrl(baseUrl, 'baseUrl').origin === url.origin) return url;
  throw invalidRequest(
    `${redactedUrl(path)} is not of the origin of baseUrl ${redactedUrl(baseUrl)}; give a path, or send it from a handler without baseUrl`,
  );
}

function joinedUrl(baseUrl: string, path: string): URL {
  if (baseUrl === '') {
    throw invalidRequest(`the path ${redactedUrl(path)} needs a baseUrl; set it on the handler, or give a whole URL`);
  }
  const url = httpUrl(baseUrl, 'baseUrl');
  const [, before = '', query = ''] = /^([^?#]*)(?:\?([^#]*))?/.exec(path)!;
  if (before !== '') {
    const folder = url.pathname.replace(/\/+$/, '');
    url.pathname = `${folder}/${before.replace(/^\/+/, '')}`;
    // An id with `..` in it, put into a path, must not reach what the base does not name.
    if (!`${url.pathname}/`.startsWith(`${folder}/`)) {
      throw invalidRequest(
        `the path ${redactedUrl(path)} leads out of baseUrl ${redactedUrl(baseUrl)}; encode what is put into it`,
      );
    }
  }
  if (query !== '') url.search = url.search === '' ? query : `${url.search}&${query}`;
  return url;
}
