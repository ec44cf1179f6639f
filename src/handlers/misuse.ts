import { ErrorType, PermanentError } from './failures/handler-errors.ts';

/** The error of a helper with invalid arguments. A retry would not help, so the step fails permanently. */
export function misuse(message: string, metadata: Record<string, unknown> = {}): PermanentError {
  return new PermanentError(message, { errorType: ErrorType.VALIDATION_ERROR, metadata });
}

/** The error of a request that cannot be sent. A retry would not help, so the step fails permanently. */
export function invalidRequest(message: string, metadata: Record<string, unknown> = {}): PermanentError {
  return new PermanentError(message, { errorType: 'invalid_request', metadata });
}

/** Formats a value as short text for a message. Never throws. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return value.length > 60 ? `'${value.slice(0, 59)}…'` : `'${value}'`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
