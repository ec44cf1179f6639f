import { PermanentError } from 'tasker-core';

/** The failure of a step that the shop's rules refuse: no further attempt would come to another answer. */
export function refuse(code: string, why: string): never {
  throw new PermanentError(why, { errorType: 'business_rule', errorCode: code });
}
