import { TaskerError } from '../../errors.ts';
import type { WaitEnd } from '../../model/waits.ts';

/** A wait that has ended before a signal or a vote arrived. */
export interface EndedFor {
  /** The name of its step. */
  step: string;
  taskUuid: string;
  until: string | null;
  endedAt: string | null;
  endedBy: string | null;
  /** How an approval was decided, such as `it was approved by ana`. */
  decided?: string | undefined;
}

const ENDS: Readonly<Record<WaitEnd, string>> = {
  elapsed: 'its time came',
  timeout: 'it timed out',
  signal: 'its signal arrived',
  vote: 'it was decided',
  child: 'its child task ended',
  token: 'its token was used',
  operator: 'an operator ended it',
  cancel: 'its task was cancelled',
  retry: 'its next attempt began',
};

/** Returns the error for a late signal or vote, with the time and the cause of the wait's end. */
export function waitOver({ step, taskUuid, until, endedAt, endedBy, decided }: EndedFor): TaskerError {
  const why = endedBy === null ? 'it timed out' : (decided ?? ENDS[endedBy as WaitEnd] ?? `it ended (${endedBy})`);
  const at = endedBy === 'timeout' || endedBy === null ? (until ?? endedAt) : endedAt;
  return new TaskerError('wait_over', `step ${step} of task ${taskUuid} no longer waits: ${why} at ${at}`, {
    details: { task_uuid: taskUuid, step, ended_by: endedBy ?? 'timeout', ended_at: at },
  });
}

/** Returns the error for a token or an action on a timer that came too late. */
export function tooLate(why: string): TaskerError {
  return new TaskerError('wait_over', `too late: ${why}; nothing was changed`);
}
