import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/** The advisory lock of the process that assigns positions to events. */
const LOCK_ID = 7_303_014_004;

// A separate statement, because the next one must see what the previous holder has committed. It is not a row lock,
// which would assign the transaction id too early. A gap's `since` must be an id that was assigned after the snapshot
// with the gap.
const LOCK_SEQUENCE = sql('lock_event_sequence')`select pg_advisory_xact_lock(${LOCK_ID})`;

// Events in gaps receive positions before new events. Within a task, the event with the lower id is committed first, so
// it is visible whenever the later one is. A transaction that took an id from the sequence already had a transaction
// id. That transaction id is lower than the one that this transaction receives here, after its snapshot. So once no
// running transaction has a lower transaction id, every transaction that could fill the gap has ended, and the gap can
// be closed.
const SEQUENCE_EVENTS = sql('sequence_events')`
with h as materialized (
  select last_id, chunk from tasker.event_head),
late as materialized (
  select g.ctid tid, g.first_id, g.last_id, g.since, e.id, e.task_uuid
    from tasker.event_gap g cross join lateral (
      select x.id, x.task_uuid from tasker.domain_event x where x.id >= g.first_id and x.id <= g.last_id offset 0) e),
fresh as materialized (
  select e.id, e.task_uuid, lag(e.id, 1, h.last_id) over (order by e.id) before
    from h cross join lateral (
      select x.id, x.task_uuid from tasker.domain_event x where x.id > h.last_id order by x.id limit $1) e),
placed as (
  insert into tasker.event_chunk (part, chunk, ids, size, total)
  select p.part, h.chunk + 1, p.ids, cardinality(p.ids), coalesce(x.total, 0) + cardinality(p.ids)
    from h cross join (
      select (get_byte(uuid_send(task_uuid), 15) & 15)::smallint part, array_agg(id order by id) ids
        from (select id, task_uuid from late union all select id, task_uuid from fresh) e group by 1) p
    left join lateral (
      select total from tasker.event_chunk x where x.part = p.part order by x.chunk desc limit 1) x on true),
closed as (
  delete from tasker.event_gap where ctid = any (array(
    select tid from late
    union select ctid from tasker.event_gap where since <= pg_snapshot_xmin(pg_current_snapshot())))),
opened as (
  insert into tasker.event_gap (first_id, last_id, since)
  select first_id, last_id, since from (
    select lag(id, 1, first_id - 1) over (partition by first_id order by id) + 1 first_id, id - 1 last_id, since from late
    union all select max(id) + 1, last_id, since from late group by first_id, last_id, since) rest
   where first_id <= last_id and since > pg_snapshot_xmin(pg_current_snapshot())
  union all
  select before + 1, id - 1, pg_current_xact_id() from fresh where id > before + 1),
moved as (
  update tasker.event_head set chunk = h.chunk + 1, last_id = coalesce((select max(id) from fresh), h.last_id)
    from h where exists (select 1 from late) or exists (select 1 from fresh))
select (select count(*) from late)::int late, (select count(*) from fresh)::int fresh`;

/** Waits until no other transaction assigns positions to events. Must be the first statement of the transaction. */
export async function lockSequence(db: Db): Promise<void> {
  await db.query(LOCK_SEQUENCE);
}

/**
 * Assigns positions to events that became visible, at most `limit` new ones, and returns their number. `full` means
 * that there may be more. Call it after {@link lockSequence} in the same transaction, which must not have written
 * anything before.
 */
export async function sequenceEvents(db: Db, limit: number): Promise<{ placed: number; full: boolean }> {
  const { rows } = await db.query<{ late: number; fresh: number }>(SEQUENCE_EVENTS, [limit]);
  const { late, fresh } = rows[0]!;
  return { placed: late + fresh, full: fresh === limit };
}
