import type { Context } from 'hono';
import { type ErrorCode, TaskerError } from '../../errors.ts';

/** Why a credential is not accepted, as clients of the described API read it. */
export type FailureReason = 'missing' | 'expired' | 'invalid' | 'malformed' | 'forbidden';

/** A credential that is not accepted. The middleware turns it into a response. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

const CODES: Readonly<Record<FailureReason, ErrorCode>> = {
  missing: 'unauthorized',
  expired: 'authentication_failed',
  invalid: 'authentication_failed',
  malformed: 'authentication_failed',
  forbidden: 'forbidden',
};
const SEVERITY: Readonly<Record<FailureReason, 'low' | 'medium'>> = {
  missing: 'low',
  expired: 'low',
  invalid: 'medium',
  malformed: 'medium',
  forbidden: 'medium',
};
const RETRY_AFTER_SECONDS = { low: undefined, medium: 5, high: 60 } as const;

/** Adds the headers of a failed authentication to the response. */
export function failureHeaders(c: Context, reason: FailureReason, severity: 'low' | 'medium' | 'high'): void {
  c.header('x-auth-failure-reason', reason);
  c.header('x-auth-failure-severity', severity);
  const seconds = RETRY_AFTER_SECONDS[severity];
  if (seconds !== undefined && reason !== 'forbidden') c.header('retry-after', String(seconds));
}

/** Refuses the request, with the headers and the code for the reason. */
export function refuse(c: Context, reason: FailureReason, message: string): never {
  failureHeaders(c, reason, SEVERITY[reason]);
  const code = CODES[reason];
  if (code !== 'forbidden') c.header('www-authenticate', 'Bearer realm="tasker"');
  throw new TaskerError(code, message);
}
