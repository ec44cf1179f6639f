import { durationMs } from '../../app/schedules/duration.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import type { BodiesOf } from '../verb-routes.ts';

/** The bodies of the verbs for other systems that complete steps. The token is the credential. */
export function completionVerbs(tasker: Tasker): BodiesOf<'completions'> {
  return {
    complete: ({ token, result }) => tasker.completeByToken(token, result),
    fail: ({ token, message, error_type: errorType, retryable }) =>
      tasker.failByToken(token, { message, retryable, ...(errorType !== undefined && { errorType }) }),
    async extend({ token, timeout }) {
      const timeoutMs = durationMs(timeout);
      if (timeoutMs === undefined) {
        throw new TaskerError(
          'bad_request',
          `timeout: ${JSON.stringify(timeout)} is not a duration; use 90s, 15m or 2h`,
        );
      }
      return { until: await tasker.extendByToken(token, { timeoutMs }) };
    },
  };
}
