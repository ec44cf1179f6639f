import { ATTEMPT } from './aggregate.ts';

/** The lock of the process that counts. Transactions that delete uncounted tasks take it too. */
export const COUNTING_LOCK = 7_303_014_010;

/** The CTE `counted`: all transactions below `next`, except those in `running`. */
export const COUNTED = `
counted as materialized (
  select counted_at, coalesce(after, '-infinity') after, pg_snapshot_xmax(counted)::text::bigint next,
         array(select x::text::bigint from pg_snapshot_xip(counted) x) running
    from tasker.analytics_state)`;

/** The condition that the transaction `tx` is not counted, with {@link COUNTED} as `c`. */
export const uncounted = (tx: string) => `(${tx} >= c.next or ${tx} = any (c.running))`;

/** The CTEs `a` and `act`: the uncounted attempts and actions of the tasks `tasks`, and where they are stored. */
export const uncountedOf = (tasks: string) => `
a as materialized (
  select ${ATTEMPT}, h.place from ${tasks} cross join counted c cross join lateral (
    select x.*, x.ctid place from tasker.history x
     where x.task_uuid = d.task_uuid and ${uncounted('x.tx')} and x.ended_at > c.after offset 0) h),
act as materialized (
  select o.task_uuid, o.at, o.id from ${tasks} cross join counted c cross join lateral (
    select * from tasker.operator_action o
     where o.task_uuid = d.task_uuid and ${uncounted('o.tx')} and o.at > c.after offset 0) o)`;
