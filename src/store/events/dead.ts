import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';
import { EVENT_COLUMNS, EVENT_NAMES, type EventRow } from './rows.ts';

const LIST_DEAD = sql('list_event_deaths')`
with page as materialized (
  select d.*, g.name group_name from tasker.event_dead d join tasker.event_group g on g.id = d.group_id
   where ($1::text is null or g.name = $1) and ($2::bigint is null or d.id = $2)
     and ($4::timestamptz is null or (d.died_at, d.id, g.name) < ($4, $5::bigint, $6::text))
   order by d.died_at desc, d.id desc, g.name desc limit $3)
select d.group_name "group", d.attempts "attemptsMade", d.error, tasker.iso(d.died_at) "diedAt", ${EVENT_COLUMNS}
  from page d cross join lateral (select * from tasker.domain_event x where x.id = d.id offset 0) e
  ${EVENT_NAMES}
 order by d.died_at desc, d.id desc, d.group_name desc`;

/** A dead delivery. */
export interface DeadRow extends EventRow {
  group: string;
  attemptsMade: number;
  error: string;
  diedAt: string;
}

/** The place of a dead delivery in the list. */
export interface DeadPlace {
  diedAt: string;
  group: string;
  event: { id: number };
}

/**
 * Returns dead deliveries, the newest first. Null matches all groups or all events. `before`: only deliveries after this
 * one in the order of the list.
 */
export async function listDead(
  db: Db,
  {
    group,
    id,
    limit,
    before,
  }: { group: string | null; id: number | null; limit: number; before?: DeadPlace | undefined },
): Promise<DeadRow[]> {
  const place = [before?.diedAt ?? null, before?.event.id ?? null, before?.group ?? null];
  return (await db.query<DeadRow>(LIST_DEAD, [group, id, limit, ...place])).rows;
}

const DISCARD = sql('discard_event_deaths')`
delete from tasker.event_dead where group_id = $1 and ($2::bigint is null or id = $2) returning 1`;

/** Deletes one or all dead deliveries of a group, and returns their number. */
export async function discardDead(db: Db, groupId: number, id: number | null): Promise<number> {
  return (await db.query(DISCARD, [groupId, id])).rows.length;
}

const FORGET_REVIVED = sql('forget_revived_event_deaths')`
delete from tasker.event_dead d where d.group_id = $1 and exists (
  select 1 from tasker.event_retry r where r.group_id = d.group_id and r.task_uuid = d.task_uuid and r.id = d.id offset 0)`;

/** Deletes dead deliveries of a group whose events will be delivered again. */
export async function forgetRevived(db: Db, groupId: number): Promise<void> {
  await db.query(FORGET_REVIVED, [groupId]);
}
