import { ErrorType, PermanentError } from './failures/handler-errors.ts';

/** What a helper throws when it is given something that makes no sense. No retry mends that, so the step fails for good. */
export function misuse(message: string, metadata: Record<string, unknown> = {}): PermanentError {
  return new PermanentError(message, { errorType: ErrorType.VALIDATION_ERROR, metadata });
}

/** The error of a request that cannot be sent as it is written: no further attempt would help. */
export function invalidRequest(message: string, metadata: Record<string, unknown> = {}): PermanentError {
  return new PermanentError(message, { errorType: 'invalid_request', metadata });
}

/** A value as a message shows it: short, and never a reason to fail itself. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return value.length > 60 ? `'${value.slice(0, 59)}…'` : `'${value}'`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
