import { PermanentError } from '../failures/handler-errors.ts';

/** The error of a request that cannot be sent as it is written: no further attempt would help. */
export function invalidRequest(message: string, metadata: Record<string, unknown> = {}): PermanentError {
  return new PermanentError(message, { errorType: 'invalid_request', metadata });
}
