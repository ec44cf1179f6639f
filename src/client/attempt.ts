import {
  ConnectionError,
  errorOfStatus,
  InvalidAnswerError,
  RequestTimeoutError,
  type TaskerClientError,
} from './client-errors.ts';
import { wayOut } from './way-out.ts';

/** One attempt at a request. */
export interface Attempt {
  /** `GET http://127.0.0.1:8080/v1/tasks`, for messages. */
  what: string;
  /** The address of the server, for messages. */
  server: string;
  timeoutMs: number;
  signal: AbortSignal | undefined;
}

/** A signal that ends with the caller's signal or after a time, and the function that releases its timer. */
interface Limit {
  signal: AbortSignal;
  timedOut(): boolean;
  release(): void;
}

/**
 * Does not use `AbortSignal.any`: in some versions of Node, its sources keep every derived signal as long as they live.
 */
function limitOf({ timeoutMs, signal }: Pick<Attempt, 'timeoutMs' | 'signal'>): Limit {
  const ending = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    ending.abort();
  }, timeoutMs);
  const end = () => ending.abort(signal?.reason);
  signal?.addEventListener('abort', end, { once: true });
  return {
    signal: ending.signal,
    timedOut: () => late,
    release: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    },
  };
}

/** Sends a request, and reads its response with `read`, within the limits of the attempt. */
export async function attempt<T>(
  { what, server, timeoutMs, signal }: Attempt,
  send: (signal: AbortSignal) => Promise<Response>,
  read: (response: Response) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const limit = limitOf({ timeoutMs, signal });
  try {
    const response = await send(limit.signal);
    return await read(response);
  } catch (error) {
    signal?.throwIfAborted();
    if (limit.timedOut()) {
      throw new RequestTimeoutError(`${what}: no response within ${timeoutMs / 1000} seconds`, true, {
        code: 'TIMEOUT',
        cause: error,
      });
    }
    throw isOurs(error) ? error : connectionError({ what, server }, error);
  } finally {
    limit.release();
  }
}

function isOurs(error: unknown): error is TaskerClientError {
  return error instanceof Error && 'recoverable' in error;
}

/** Codes of failures that occur before the request is sent, when the server cannot have done anything. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'EAI_AGAIN',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Returns whether the request never reached a server. */
export function wasNotSent(error: ConnectionError): boolean {
  const code = error.details.cause_code;
  return typeof code === 'string' && NOT_SENT.has(code);
}

/** Explains fetch's `bad port` error. */
const BLOCKED =
  'fetch blocks this port, which belongs to another protocol; let the server listen on another port, such as 8080';

/** Browsers hide the reason for a failure. Node puts it in the causes. */
function connectionError({ what, server }: Pick<Attempt, 'what' | 'server'>, error: unknown): ConnectionError {
  let deepest = error;
  let code: string | undefined;
  for (let depth = 0; deepest instanceof Error && depth < 5; depth++) {
    code ??= codeOf(deepest);
    if (deepest.cause === undefined) break;
    deepest = deepest.cause;
  }
  const text = deepest instanceof Error ? deepest.message || deepest.name : String(deepest);
  const why = text === 'bad port' ? BLOCKED : code !== undefined && !text.includes(code) ? `${code} ${text}` : text;
  return new ConnectionError(`${what}: the connection failed: ${why}${wayOut(code, server)}`, true, {
    code: 'CONNECTION_FAILED',
    details: code === undefined ? {} : { cause_code: code },
    cause: error,
  });
}

function codeOf(error: Error): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** Reads a JSON response, or throws the error that it reports. */
export async function readJson<T>(what: string, response: Response): Promise<T> {
  if (!response.ok) throw await readError(what, response);
  const text = await response.text();
  if (text === '' && response.status === 204) return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new InvalidAnswerError(`${what}: the response is not JSON: ${excerptOf(text)}`, false, {
      code: 'INVALID_ANSWER',
      status: response.status,
      requestId: requestIdOf(response),
      cause,
    });
  }
}

/** Returns the error of a response that is not a success. */
export async function readError(what: string, response: Response): Promise<TaskerClientError> {
  const { status } = response;
  const requestId = requestIdOf(response);
  // A browser hides the status of a redirect.
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    const target = response.headers.get('location');
    const message = `${what}: the server redirects${target === null ? '' : ` to ${target}`}; pass the final address as baseUrl, because a credential is not sent on`;
    await response.body?.cancel();
    return new InvalidAnswerError(message, false, { code: 'INVALID_ANSWER', status, requestId });
  }
  const text = await response.text();
  const { code, message, details, retryAfterSeconds } = bodyOf(text);
  const retryAfterMs =
    retryAfterOf(response.headers.get('retry-after')) ??
    (retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1000);
  return errorOfStatus(status, message ?? `${what}: status ${status}: ${excerptOf(text)}`, {
    ...(code !== undefined && { code }),
    details,
    requestId,
    retryAfterMs,
  });
}

function requestIdOf(response: Response): string | undefined {
  return response.headers.get('x-request-id') ?? undefined;
}

interface ErrorBody {
  code?: string;
  message?: string;
  details?: Record<string, unknown>;
  retryAfterSeconds?: number;
}

/** Returns the known fields of an error body. A proxy may send a body of any kind. */
function bodyOf(text: string): ErrorBody {
  let error: unknown;
  try {
    error = (JSON.parse(text) as { error?: unknown } | null)?.error;
  } catch {
    return {};
  }
  if (typeof error !== 'object' || error === null) return {};
  const { code, message, details, retry_after_seconds: seconds } = error as Record<string, unknown>;
  return {
    ...(typeof code === 'string' && { code }),
    ...(typeof message === 'string' && { message }),
    ...(typeof details === 'object' && details !== null && { details: details as Record<string, unknown> }),
    ...(typeof seconds === 'number' && seconds >= 0 && { retryAfterSeconds: seconds }),
  };
}

/** Reads `Retry-After`: seconds, or a date. */
function retryAfterOf(header: string | null): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const time = Date.parse(header);
  return Number.isNaN(time) ? undefined : Math.max(0, time - Date.now());
}

const EXCERPT = 200;

function excerptOf(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  if (line === '') return 'it is empty';
  return line.length > EXCERPT ? `${line.slice(0, EXCERPT)}…` : line;
}
