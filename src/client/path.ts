import { InvalidRequestError } from './client-errors.ts';

/**
 * A value in a query. The values of a list repeat its key, objects are sent as JSON, undefined and null are omitted.
 */
export type QueryValue =
  | string
  | number
  | boolean
  | Date
  | readonly string[]
  | Readonly<Record<string, unknown>>
  | null
  | undefined;

/** The query of a request. */
export type Query = Readonly<Record<string, QueryValue>>;

/** A path, or the error in it. The call reports the error, because a function that returns a promise must not throw. */
export type Path = { text: string } | { mistake: InvalidRequestError };

/** Builds a path of encoded segments: `` path`/v1/tasks/${uuid}` ``. */
export function path(texts: TemplateStringsArray, ...segments: readonly string[]): Path {
  return joined(texts, segments);
}

/** Builds a path from a route such as `/v1/tasks/{uuid}`, and the value of each parameter. */
export function encodedPath(route: string, segments: readonly unknown[]): Path {
  return joined(
    route.split(/\{\w+\}/),
    segments.map((segment) => (typeof segment === 'number' ? String(segment) : segment)),
  );
}

function joined(texts: readonly string[], segments: readonly unknown[]): Path {
  const wrong = segments.findIndex((segment) => !isSegment(segment));
  if (wrong !== -1) {
    const message = `${JSON.stringify(segments[wrong]) ?? 'undefined'} is not an id or a name`;
    return { mistake: new InvalidRequestError(message, false, { code: 'BAD_REQUEST' }) };
  }
  return { text: texts.reduce((made, text, at) => `${made}${encodeURIComponent(segments[at - 1] as string)}${text}`) };
}

/**
 * A segment of dots would be removed from the path, so another route would be called. A lone surrogate cannot be
 * encoded.
 */
function isSegment(segment: unknown): boolean {
  return typeof segment === 'string' && !/^\.{0,2}$/.test(segment) && segment.isWellFormed();
}

/** Returns the query with its question mark, or an empty string. */
export function queryText(query: Query | undefined): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === null) continue;
    if (value instanceof Date) params.set(key, value.toISOString());
    else if (Array.isArray(value)) for (const one of value as readonly string[]) params.append(key, one);
    else params.set(key, typeof value === 'object' ? JSON.stringify(value) : String(value));
  }
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}
