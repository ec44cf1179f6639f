import type { Context } from 'hono';
import { type ErrorCode, TaskerError } from '../../errors.ts';

/** The reason why a credential is not accepted, as clients of the original API read it. */
export type FailureReason = 'missing' | 'expired' | 'invalid' | 'malformed' | 'forbidden';

/** An error for a credential that is not accepted. The middleware converts the error into a response. */
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
/** Seconds after which the client can try again. */
const RETRY_AFTER: Readonly<Record<FailureReason, number | undefined>> = {
  missing: undefined,
  expired: undefined,
  invalid: 5,
  malformed: 5,
  forbidden: undefined,
};

/** The header with the reason. */
export const REASON_HEADER = 'x-auth-failure-reason';

/** The name of the request variable for the permission that the caller lacks. */
export const LACKED = 'lackedPermission';

/** Rejects the request, with the headers and the code for the reason. */
export function refuse(c: Context, reason: FailureReason, message: string): never {
  c.header(REASON_HEADER, reason);
  c.header('x-auth-failure-severity', SEVERITY[reason]);
  const seconds = RETRY_AFTER[reason];
  if (seconds !== undefined) c.header('retry-after', String(seconds));
  const code = CODES[reason];
  if (code !== 'forbidden') c.header('www-authenticate', 'Bearer realm="tasker"');
  throw new TaskerError(code, message);
}
