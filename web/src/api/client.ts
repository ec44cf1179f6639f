import { allowedAge, noteOwnChange } from './quiet.ts';

/** The root of the page and of the API. The server writes it into the document, relative to its address. */
export const ROOT = new URL('.', document.baseURI);

/** A response with an error status, or no response at all (status 0). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;
  readonly details: Record<string, unknown> | undefined;

  constructor(status: number, code: string, message: string, details?: Record<string, unknown>) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** Returns a path in which values are encoded, so that they cannot change the other parts. */
export function pathOf(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return String.raw({ raw: parts }, ...values.map(encodeURIComponent));
}

export type Query = Record<string, string | number | boolean | undefined>;

/** Returns the address of a route below the root of the page. Parts without a value are omitted. */
export function addressOf(path: string, query: Query = {}): URL {
  const url = new URL(path.replace(/^\//, ''), ROOT);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') url.searchParams.set(name, String(value));
  }
  return url;
}

interface Sending {
  method?: string;
  query?: Query;
  body?: unknown;
  /** An API key or token, instead of the session. */
  credential?: string;
  signal?: AbortSignal;
}

interface Failure {
  code?: string;
  message?: string;
  details?: Record<string, unknown>;
}

/** Sends a request to the API and returns the JSON of the response. */
export async function ask<Answer>(path: string, sending: Sending = {}): Promise<Answer> {
  return parsed(await askText(path, sending)) as Answer;
}

/** Sends a request to the API and returns the text of the response. */
export async function askText(
  path: string,
  { method = 'GET', query, body, credential, signal }: Sending = {},
): Promise<string> {
  const age = method === 'GET' ? allowedAge(path) : undefined;
  const answer = await sent(addressOf(path, query), {
    method,
    credentials: 'same-origin',
    headers: {
      accept: 'application/json',
      ...(age !== undefined && { 'cache-control': `max-age=${age}` }),
      // A form of another site cannot send this header.
      ...(method !== 'GET' && { 'x-tasker-csrf': '1' }),
      ...(credential !== undefined && { authorization: `Bearer ${credential}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  });
  if (method !== 'GET') noteOwnChange();
  const text = await answer.text();
  if (answer.ok) return text;
  const { code, message, details } = (parsed(text) as { error?: Failure } | undefined)?.error ?? {};
  throw new ApiError(answer.status, code ?? 'HTTP', message ?? `the server answered ${answer.status}`, details);
}

async function sent(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'NO_ANSWER', 'the server does not answer');
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy sent another body
  }
}

/** Returns the rows of a list. The response is the list itself, or an object with the list under this name. */
export function rowsOf<Row>(answer: unknown, name: string): Row[] {
  if (Array.isArray(answer)) return answer as Row[];
  const rows = (answer as Record<string, unknown> | undefined)?.[name];
  return Array.isArray(rows) ? (rows as Row[]) : [];
}
