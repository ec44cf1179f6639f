import type { Db } from '../../db/statement.ts';
import { WAIT_KINDS, type WaitKind } from '../../model/waits.ts';
import { sql } from '../sql.ts';

/** A wait is late if it has been due for this many seconds. */
export const LATE_SECONDS = 5;
/** Late waits are counted up to this number. */
export const MOST_LATE = 100_000;
/** Open approvals are counted up to this number. */
export const MOST_APPROVALS = 10_000;
/** Maximum number of failed steps of a template to examine. */
const MOST_FAILED = 10_000;

const KINDS = `'{${WAIT_KINDS.join(',')}}'::text[]`;

// Reads a range of `wait_open` for each kind, and the beginning of `wait_due` once.
const WAITS_BY_KIND = sql('waits_by_kind')`
select k.kind, c.n count, tasker.iso(o.since) "oldestSince", (extract(epoch from now() - o.since) * 1000)::float8 "oldestMs",
       (select count(*)::int from (
          select 1 from tasker.wait
           where ended_at is null and due_at < now() - interval '${LATE_SECONDS} seconds' limit ${MOST_LATE}) x) late
  from unnest(${KINDS}) k (kind)
 cross join lateral (
   select count(*)::int n from (
     select 1 from tasker.wait x where x.kind = k.kind and x.ended_at is null limit $1::int) y) c
  left join lateral (
   select x.since from tasker.wait x where x.kind = k.kind and x.ended_at is null order by x.since limit 1) o on true`;

/** The open waits of one kind. */
export interface WaitsRow {
  kind: WaitKind;
  /** The number of open waits, counted up to the given maximum. */
  count: number;
  /** When the oldest of them began. Null if there is none. */
  oldestSince: string | null;
  oldestMs: number | null;
}

/**
 * Counts the open waits of each kind, up to `most` of each. `late`: the number of waits that have been due for more
 * than five seconds, up to 100,000.
 */
export async function waitsByKind(db: Db, most: number): Promise<{ kinds: WaitsRow[]; late: number }> {
  const { rows } = await db.query<WaitsRow & { late: number }>(WAITS_BY_KIND, [most]);
  return { kinds: rows, late: rows[0]!.late };
}

// The condition on waits is evaluated once, so that nothing else is read if no step waits. Each kind is looked up in
// `wait_open`, because a search in the order of the table would read all ended waits before it finds an open one.
const FAILED_WAITING = sql('failed_waiting_tasks')`
with q as materialized (
  select m.id, x.task_uuid from tasker.template m cross join lateral (
    select x.task_uuid from tasker.step_search x where x.template_id = m.id and x.state = 'error' limit ${MOST_FAILED} offset 0) x
   where exists (
     select 1 from unnest(${KINDS}) k (kind) cross join lateral (
       select 1 from tasker.wait x where x.kind = k.kind and x.ended_at is null limit 1) w))
select count(*)::int failed, not exists (select 1 from q group by id having count(*) >= ${MOST_FAILED}) exact
  from (select distinct task_uuid from q) f
 cross join lateral (
   select 1 from tasker.task t where t.task_uuid = f.task_uuid and t.state = 'blocked_by_failures' and t.n_wait > 0 offset 0) t`;

/**
 * Counts the waiting tasks in which a step has failed. The search tables list the failed steps. `exact` is false if a
 * template has too many of them.
 */
export async function failedWaitingTasks(db: Db): Promise<{ failed: number; exact: boolean }> {
  return (await db.query<{ failed: number; exact: boolean }>(FAILED_WAITING)).rows[0]!;
}

const OPEN_APPROVALS = sql('open_approvals')`
select n.name namespace, sum(c.approvals)::int approvals
  from (select template_id, count(*) approvals
          from (select template_id from tasker.wait where kind = 'approval' and ended_at is null limit ${MOST_APPROVALS}) w
         group by 1) c
  join tasker.template m on m.id = c.template_id
  join tasker.namespace n on n.id = m.namespace_id
 group by 1`;

/** Counts by namespace the approvals that wait for a decision, up to 10,000 in all namespaces together. */
export async function openApprovals(db: Db): Promise<{ namespace: string; approvals: number }[]> {
  return (await db.query<{ namespace: string; approvals: number }>(OPEN_APPROVALS)).rows;
}
