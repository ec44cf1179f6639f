import { LAST_MOVE } from '../stale-tasks.ts';
import { BEGUN_AT } from '../waits/start-tasks.ts';

/** When a task `t` last made progress, including its end. `moved` is its {@link LAST_MOVE}. */
export const MOVED_AT = 'greatest(moved.at, t.done_at)';

/**
 * Whether the task of an entry `d` has made progress: it was deleted, or moved after the entry was created. If the task
 * exceeds a limit on its duration, only its end or a rerun is progress.
 */
export const HAS_MOVED_ON = `coalesce((
  select case when d.rule = 'max_duration_minutes' then t.done_at is not null or ${BEGUN_AT} <> d.since
              else (select ${MOVED_AT} from (${LAST_MOVE}) moved) <> d.moved_at end
    from tasker.task t where t.task_uuid = d.task_uuid offset 0), true)`;

/** The head start of each reason in the queue, in minutes. */
export const HEAD_STARTS = {
  dependency_cycle_detected: 1000,
  max_retries_exceeded: 500,
  staleness_timeout: 100,
  worker_unavailable: 50,
  manual_dlq: 10,
} as const;

/** The head start of a reason, as an interval. */
export function HEAD_START(reason: string): string {
  const cases = Object.entries(HEAD_STARTS).map(([name, minutes]) => `when '${name}' then ${minutes}`);
  return `case ${reason} ${cases.join(' ')} end * interval '1 minute'`;
}
