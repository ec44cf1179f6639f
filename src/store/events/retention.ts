import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const FORGET_DEAD = sql('forget_event_deaths')`
delete from tasker.event_dead where died_at < now() - $1 * interval '1 ms'`;

/** Deletes dead deliveries that are older than `retentionMs`. */
export async function forgetDead(db: Db, retentionMs: number): Promise<void> {
  await db.query(FORGET_DEAD, [retentionMs]);
}

const OLD_PARTS = sql('old_event_parts')`
select p.part from generate_series(0, $1::int - 1) p (part)
 where exists (select 1 from (select k.made_at from tasker.event_chunk k where k.part = p.part order by k.chunk limit $3) k
                where k.made_at < now() - $2 * interval '1 ms')
 order by 1`;

/** Returns the parts of the log that have old events among their first `limit` lists. */
export async function oldParts(
  db: Db,
  { parts, retentionMs, limit }: { parts: number; retentionMs: number; limit: number },
): Promise<number[]> {
  return (await db.query<{ part: number }>(OLD_PARTS, [parts, retentionMs, limit])).rows.map(({ part }) => part);
}

// Keeps events that a group has not passed, or that have a waiting retry or a dead delivery. A list that is only partly
// deleted keeps the other ids.
const FORGET_EVENTS = sql('forget_events')`
with look as materialized (
  select k.chunk, k.made_at from tasker.event_chunk k
   where k.part = $1 and k.chunk > $2
     and k.chunk < coalesce((select min(c.chunk) from tasker.event_cursor c where c.part = $1), 9223372036854775807)
   order by k.chunk limit $4),
old as materialized (
  select k.ctid tid, k.chunk, k.ids from tasker.event_chunk k
   where k.part = $1 and k.chunk = any (array(select chunk from look where made_at < now() - $3 * interval '1 ms'))
   order by k.chunk for update),
e as materialized (
  select o.tid, i.id, e.kept
    from old o cross join unnest(o.ids) i (id) left join lateral (
      select exists (select 1 from tasker.event_group g join tasker.event_retry r on r.group_id = g.id
                      where r.task_uuid = x.task_uuid and r.id = x.id)
          or exists (select 1 from tasker.event_dead d where d.id = x.id) kept
        from tasker.domain_event x where x.id = i.id offset 0) e on true),
gone as (
  delete from tasker.domain_event where id = any (array(select id from e where not kept)) returning 1),
emptied as (
  delete from tasker.event_chunk where ctid = any (array(
    select tid from e group by tid having not coalesce(bool_or(kept), false)))),
shrunk as (
  update tasker.event_chunk k set ids = s.ids, size = cardinality(s.ids)
    from (select tid, array_agg(id order by id) ids from e where kept group by tid) s
   where k.ctid = s.tid and k.size > cardinality(s.ids))
select (select count(*) from gone)::int events, max(chunk) far from old`;

/**
 * Deletes old events of a part that every group has passed, from at most `limit` lists after `after`. `far` is the last
 * old list that was checked, or null if there is none. Call it after {@link lockGroups}.
 */
export async function forgetEvents(
  db: Db,
  { part, after, retentionMs, limit }: { part: number; after: number; retentionMs: number; limit: number },
): Promise<{ events: number; far: number | null }> {
  const values = [part, after, retentionMs, limit];
  return (await db.query<{ events: number; far: number | null }>(FORGET_EVENTS, values)).rows[0]!;
}

const LOCK_GROUPS = sql('lock_event_groups')`select id from tasker.event_group order by id for update`;

/** Prevents redeliveries and replays in all groups until the transaction ends. */
export async function lockGroups(db: Db): Promise<void> {
  await db.query(LOCK_GROUPS);
}
