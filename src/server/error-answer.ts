import type { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ErrorSchema } from '../contract/schemas/server.ts';
import { ERRORS, isTaskerError, type TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';

/** The body of every error. */
type ErrorBody = z.infer<typeof ErrorSchema>;

/** The error code in the response for each status. A few errors have their own code. */
const BY_STATUS: Readonly<Record<number, string>> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  408: 'TIMEOUT',
  409: 'CONFLICT',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'RATE_LIMITED',
  503: 'SERVICE_UNAVAILABLE',
};
const OF_THEIR_OWN = new Set([
  'invalid_uuid',
  'json_error',
  'database_error',
  'backpressure',
  'unsupported_media_type',
  'authentication_failed',
  // The reaction of workers over HTTP depends on these codes.
  'step_taken_away',
  'worker_lost',
]);

/** Converts any error into a response. An unexpected error is logged, and its response contains no details. */
export function answerError(c: Context, thrown: unknown, logger: Logger): Response {
  if (isTaskerError(thrown)) return answerKnown(c, thrown);
  if (thrown instanceof HTTPException) {
    const { status, message } = thrown;
    const code = BY_STATUS[status] ?? 'INTERNAL_ERROR';
    return c.json<ErrorBody>({ error: { code, message } }, status as ContentfulStatusCode);
  }
  const requestId = c.get('requestId') as string | undefined;
  logger.error(
    { err: thrown, method: c.req.method, path: c.req.path, ...(requestId !== undefined && { requestId }) },
    'unexpected error in a request',
  );
  const message = 'internal error; see the log of the process';
  return c.json<ErrorBody>({ error: { code: 'INTERNAL_ERROR', message } }, 500);
}

function answerKnown(c: Context, known: TaskerError): Response {
  const error = wireError(known);
  if (error.retry_after_seconds !== undefined) c.header('retry-after', String(error.retry_after_seconds));
  return c.json<ErrorBody>({ error }, ERRORS[known.code]);
}

/** Returns an error as responses show it. */
export function wireError({ code, message, details }: TaskerError): ErrorBody['error'] {
  const wireCode = OF_THEIR_OWN.has(code) ? code.toUpperCase() : (BY_STATUS[ERRORS[code]] ?? 'INTERNAL_ERROR');
  const { retry_after_seconds: after, ...rest } = details;
  return {
    code: wireCode,
    message,
    ...(Object.keys(rest).length > 0 && { details: rest }),
    ...(typeof after === 'number' && { retry_after_seconds: after }),
  };
}
