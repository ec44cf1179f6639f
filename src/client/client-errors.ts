/** Details of a failed request. */
export interface ClientErrorFacts {
  /** The `error.code` of the response, or a code of the client: `CONNECTION_FAILED`, `TIMEOUT`, `INVALID_ANSWER`. */
  code?: string;
  /** The HTTP status. Undefined if there was no response. */
  status?: number | undefined;
  /** The `error.details` of the response. */
  details?: Record<string, unknown> | undefined;
  /** The `x-request-id` of the response, which the log of the server shows. */
  requestId?: string | undefined;
  /** Milliseconds that the server asks to wait before another attempt. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/**
 * The base class of every error of the client. If the caller's signal aborts the call, the signal's reason is thrown
 * instead.
 *
 * @example
 * try {
 *   await client.tasks.get(uuid);
 * } catch (error) {
 *   if (error instanceof TaskerClientError && error.code === 'NOT_FOUND') return undefined;
 *   throw error;
 * }
 */
export class TaskerClientError extends Error {
  override readonly name: string = 'TaskerClientError';
  /** Whether the same request may succeed later. */
  readonly recoverable: boolean;
  /** Such as `NOT_FOUND`, `CONFLICT` or `CONNECTION_FAILED`. `CLIENT_ERROR` if there is no other. */
  readonly code: string;
  /** The HTTP status. Undefined if there was no response. */
  readonly status: number | undefined;
  /** Machine-readable details; empty if there are none. */
  readonly details: Record<string, unknown>;
  /** The id of the request in the log of the server. */
  readonly requestId: string | undefined;
  /** Milliseconds that the server asks to wait before another attempt. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, recoverable = false, facts: ClientErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.recoverable = recoverable;
    this.code = facts.code ?? 'CLIENT_ERROR';
    this.status = facts.status;
    this.details = facts.details ?? {};
    this.requestId = facts.requestId;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/**
 * The server rejected the request as invalid (400, 413, 415, 422), or the client did before sending it.
 *
 * @example
 * if (error instanceof InvalidRequestError) console.error(error.details['problems']);
 */
export class InvalidRequestError extends TaskerClientError {
  override readonly name: string = 'InvalidRequestError';
}

/**
 * The credential is missing, unknown, expired or revoked (401).
 *
 * @example
 * if (error instanceof UnauthorizedError) logIn();
 */
export class UnauthorizedError extends TaskerClientError {
  override readonly name: string = 'UnauthorizedError';
}

/**
 * The credential lacks a permission or a namespace (403).
 *
 * @example
 * if (error instanceof ForbiddenError) console.error(error.message);
 */
export class ForbiddenError extends TaskerClientError {
  override readonly name: string = 'ForbiddenError';
}

/**
 * The task, step, template or route does not exist (404).
 *
 * @example
 * if (error instanceof NotFoundError) return undefined;
 */
export class NotFoundError extends TaskerClientError {
  override readonly name: string = 'NotFoundError';
}

/**
 * The request contradicts the current state (409). For a duplicate task, `details.task_uuid` is the existing task.
 *
 * @example
 * if (error instanceof ConflictError) console.log(error.details['task_uuid']);
 */
export class ConflictError extends TaskerClientError {
  override readonly name: string = 'ConflictError';
}

/**
 * The server has too many requests (429). `retryAfterMs` is the time to wait before another attempt.
 *
 * @example
 * if (error instanceof RateLimitedError) console.log(error.retryAfterMs);
 */
export class RateLimitedError extends TaskerClientError {
  override readonly name: string = 'RateLimitedError';
}

/**
 * The server failed (5xx), or took too long to respond (408).
 *
 * @example
 * if (error instanceof ServerError) console.error(error.status, error.requestId);
 */
export class ServerError extends TaskerClientError {
  override readonly name: string = 'ServerError';
}

/**
 * The connection failed, or was lost before the whole response arrived. The server may have carried out the request.
 *
 * @example
 * if (error instanceof ConnectionError) console.error(error.message, error.cause);
 */
export class ConnectionError extends TaskerClientError {
  override readonly name: string = 'ConnectionError';
}

/**
 * The response did not arrive in time. The server may still carry out the request.
 *
 * @example
 * if (error instanceof RequestTimeoutError) retryLater();
 */
export class RequestTimeoutError extends TaskerClientError {
  override readonly name: string = 'RequestTimeoutError';
}

/**
 * The response does not match this API: it is not JSON, is cut off, or is a redirect. Another program may listen at
 * this address.
 *
 * @example
 * if (error instanceof InvalidAnswerError) console.error(error.message);
 */
export class InvalidAnswerError extends TaskerClientError {
  override readonly name: string = 'InvalidAnswerError';
}

const BY_STATUS: Readonly<Record<number, { type: typeof TaskerClientError; code: string }>> = {
  400: { type: InvalidRequestError, code: 'BAD_REQUEST' },
  401: { type: UnauthorizedError, code: 'UNAUTHORIZED' },
  403: { type: ForbiddenError, code: 'FORBIDDEN' },
  404: { type: NotFoundError, code: 'NOT_FOUND' },
  405: { type: InvalidRequestError, code: 'METHOD_NOT_ALLOWED' },
  408: { type: ServerError, code: 'TIMEOUT' },
  409: { type: ConflictError, code: 'CONFLICT' },
  413: { type: InvalidRequestError, code: 'PAYLOAD_TOO_LARGE' },
  415: { type: InvalidRequestError, code: 'UNSUPPORTED_MEDIA_TYPE' },
  422: { type: InvalidRequestError, code: 'BAD_REQUEST' },
  429: { type: RateLimitedError, code: 'RATE_LIMITED' },
  502: { type: ServerError, code: 'BAD_GATEWAY' },
  503: { type: ServerError, code: 'SERVICE_UNAVAILABLE' },
  504: { type: ServerError, code: 'GATEWAY_TIMEOUT' },
};
const RECOVERABLE = new Set([408, 429, 502, 503, 504]);

/** Returns the error for a response with an error status. */
export function errorOfStatus(
  status: number,
  message: string,
  facts: Omit<ClientErrorFacts, 'status'>,
): TaskerClientError {
  const known = BY_STATUS[status] ?? {
    type: status >= 500 ? ServerError : TaskerClientError,
    code: status >= 500 ? 'INTERNAL_ERROR' : 'BAD_REQUEST',
  };
  const code = facts.code ?? known.code;
  return new known.type(message, RECOVERABLE.has(status), { ...facts, code, status });
}
