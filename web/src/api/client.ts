import { type DerivedVerbs, derivedVerbs } from '../../../src/client/derived-verbs.ts';
import { type Query, queryText } from '../../../src/client/path.ts';
import type { Send } from '../../../src/client/send.ts';
import type { Call } from '../../../src/client/transport.ts';
import {
  bulkActVerbs,
  configVerbs,
  healthVerbs,
  sessionVerbs,
  stepVerbs,
} from '../../../src/client/verbs/other-verbs.ts';
import { allowedAge, noteOwnChange } from './quiet.ts';
import type { Session } from './types.ts';

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

/** Returns the address of a route below the root of the page. */
export function addressOf(path: Call['path'], query?: Query): URL {
  return new URL(`${textOf(path).replace(/^\//, '')}${queryText(query)}`, ROOT);
}

function textOf(path: Call['path']): string {
  if (typeof path === 'string') return path;
  if ('mistake' in path) throw path.mistake;
  return path.text;
}

interface Failure {
  code?: string;
  message?: string;
  details?: Record<string, unknown>;
}

/** Sends a request, and returns the JSON of the response. */
export const send: Send = async (method, path, given, options = {}) => {
  const [query, body] = method === 'GET' ? [given as Query | undefined, undefined] : [undefined, given];
  return parsed(await sendForText({ ...options, method, path, query, body })) as never;
};

/** Sends a request, and returns the text of the response. */
export async function sendForText({ method, path, query, body, headers, signal }: Call): Promise<string> {
  const url = addressOf(path, query);
  const age = method === 'GET' ? allowedAge(textOf(path)) : undefined;
  const answer = await sent(url, {
    method,
    credentials: 'same-origin',
    headers: {
      accept: 'application/json',
      ...(age !== undefined && { 'cache-control': `max-age=${age}` }),
      // A form of another site cannot send this header.
      ...(method !== 'GET' && { 'x-tasker-csrf': '1' }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
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

/** The methods of the client, by noun. As properties, because none of them uses `this`. */
export type Api = {
  readonly [Noun in keyof DerivedVerbs]: { readonly [Name in keyof DerivedVerbs[Noun]]: DerivedVerbs[Noun][Name] };
};

/** The methods of the client, which send the requests of the page. */
export const api: Api = derivedVerbs(send);

/** The actions on a step that share a route. */
export const stepActs = stepVerbs(api.steps);

/** Returns a preview of a bulk action. */
export const { preview: previewBulkAct } = bulkActVerbs(send, api.bulkActs);

/** Starts a session with an API key or a token. */
export function beginSession(credential: string): Promise<Session> {
  return send('POST', '/v1/session', undefined, { headers: { authorization: `Bearer ${credential}` } });
}

/** The methods of the client for routes outside the contract. */
export const server = { ...sessionVerbs(send), ...configVerbs(send), ...healthVerbs(send) };
