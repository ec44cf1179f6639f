import { attempt, readError, readJson, wasNotSent } from './attempt.ts';
import { ConnectionError, InvalidRequestError, RequestTimeoutError, TaskerClientError } from './client-errors.ts';
import { amountOf, baseUrlOf, type CallOptions, type ClientOptions, secretOf } from './client-options.ts';
import { type Path, type Query, queryText } from './path.ts';
import { pause } from './pause.ts';

/** A request. */
export interface Call extends CallOptions {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Encoded, such as `/v1/tasks`. */
  path: string | Path;
  query?: Query | undefined;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent unchanged, instead of `body`. */
  text?: string | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  /** Whether the request may be repeated although the first may have been carried out. Default: for GET. */
  repeatable?: boolean | undefined;
  /** Called before each attempt. */
  onAttempt?: (() => void) | undefined;
}

/** A response with its headers. */
export interface Reply<T> {
  /** Undefined for 304. */
  body: T | undefined;
  headers: Headers;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A gateway returns 502 or 504 if it does not know whether the request was carried out. */
const MAY_PASS = new Set([408, 502, 503, 504]);

/** Sends requests to a server, and repeats a request if that is safe. */
export class Transport {
  readonly baseUrl: string;
  readonly #options: ClientOptions;
  readonly #timeoutMs: number;
  readonly #totalMs: number;
  readonly #maxRetries: number;

  /** @throws InvalidRequestError `INVALID_OPTION` */
  constructor(options: ClientOptions) {
    this.baseUrl = baseUrlOf(options.baseUrl);
    this.#options = options;
    this.#timeoutMs = amountOf('timeoutMs', options.timeoutMs, { byDefault: 30_000, min: 1 });
    this.#totalMs = amountOf('totalTimeoutMs', options.totalTimeoutMs, { byDefault: 60_000, min: 1 });
    this.#maxRetries = amountOf('maxRetries', options.maxRetries, { byDefault: 3, min: 0 });
  }

  /** Sends a request, and returns the body of its response. */
  async json<T>(call: Call): Promise<T> {
    return (await this.send<T>(call)).body as T;
  }

  /** Sends a request, and returns its response. */
  send<T>(call: Call): Promise<Reply<T>> {
    return this.#repeated(call, async (response, what) => ({
      body: response.status === 304 ? undefined : await readJson<T>(what, response),
      headers: response.headers,
    }));
  }

  /** Sends a request, and returns the body of its response as text. */
  text(call: Call): Promise<string> {
    return this.#repeated(call, async (response, what) => {
      if (!response.ok) throw await readError(what, response);
      return response.text();
    });
  }

  /** Opens a stream, and returns its response as soon as its headers have arrived. The rest has no timeout. */
  stream(call: Call): Promise<Response> {
    return this.#repeated(call, async (response, what) => {
      if (!response.ok) throw await readError(what, response);
      return response;
    });
  }

  async #repeated<T>(call: Call, read: (response: Response, what: string) => Promise<T>): Promise<T> {
    const path = textOfPath(call.path);
    const url = `${this.baseUrl}${path}${queryText(call.query)}`;
    const what = `${call.method} ${this.baseUrl}${path}`;
    const timeoutMs = amountOf('timeoutMs', call.timeoutMs, { byDefault: this.#timeoutMs, min: 1 });
    const body = call.body === undefined ? call.text : textOf(call.body);
    const end = performance.now() + this.#totalMs;
    for (let attempts = 1; ; attempts++) {
      const headers = await this.#headers(call);
      call.onAttempt?.();
      try {
        const left = Math.max(1, Math.min(timeoutMs, end - performance.now()));
        const one = { what, server: this.baseUrl, timeoutMs: left, signal: call.signal };
        return await attempt(
          one,
          (signal) => this.#fetch(url, { method: call.method, headers, body: body ?? null, signal }),
          (response) => read(response, what),
        );
      } catch (error) {
        const wait = attempts > this.#maxRetries ? undefined : pauseAfter(error, call, attempts);
        if (wait === undefined || performance.now() + wait >= end) throw error;
        await pause(wait, call.signal);
      }
    }
  }

  #fetch(url: string, request: RequestInit): Promise<Response> {
    const { credentials = 'same-origin', fetch: send = fetch } = this.#options;
    // Following a redirect would send the credential to another address.
    return send(url, { credentials, redirect: 'manual', ...request });
  }

  async #headers({ body, headers }: Call): Promise<Record<string, string>> {
    const { apiKey, token, headers: own } = this.#options;
    const [key, bearer] = await Promise.all([secretOf('apiKey', apiKey), secretOf('token', token)]);
    return {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...own,
      ...(key !== undefined && { 'x-api-key': key }),
      ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
      ...headers,
    };
  }
}

/** @throws InvalidRequestError */
function textOfPath(path: string | Path): string {
  if (typeof path === 'object' && 'mistake' in path) throw path.mistake;
  const text = typeof path === 'object' ? path.text : path;
  if (text.startsWith('/') && !text.startsWith('//')) return text;
  throw new InvalidRequestError(`the path ${text} must begin with one /`, false, { code: 'BAD_REQUEST' });
}

/** Returns a body as JSON. */
function textOf(body: unknown): string {
  try {
    return JSON.stringify(body);
  } catch (cause) {
    const message = `the request cannot be written as JSON: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new InvalidRequestError(message, false, { code: 'BAD_REQUEST', cause });
  }
}

/** Returns the milliseconds to wait before another attempt. Undefined if the request must not be repeated. */
function pauseAfter(error: unknown, call: Call, attempts: number): number | undefined {
  if (!(error instanceof TaskerClientError) || !mayRepeat(error, call)) return undefined;
  const backOff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1));
  return error.retryAfterMs ?? backOff * (0.5 + Math.random() / 2);
}

function mayRepeat(error: TaskerClientError, { method, repeatable = method === 'GET' }: Call): boolean {
  const { status, retryAfterMs } = error;
  // The server rejected requests with these statuses before it did anything.
  if (status === 429 || (status === 503 && retryAfterMs !== undefined)) return true;
  if (error instanceof ConnectionError && wasNotSent(error)) return true;
  if (!repeatable) return false;
  return error instanceof ConnectionError || error instanceof RequestTimeoutError || MAY_PASS.has(status ?? 0);
}
