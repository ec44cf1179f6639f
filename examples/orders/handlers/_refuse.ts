import { PermanentError } from 'tasker-core';

/** Fails a step that violates a rule of the shop. A retry would not change the outcome. */
export function refuse(code: string, why: string): never {
  throw new PermanentError(why, { errorType: 'business_rule', errorCode: code });
}
