import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const LOOK = sql('look_into_events')`
select g.id, coalesce((select max(e.id) from tasker.domain_event e) > (select h.last_id from tasker.event_head h)
          or exists (select 1 from tasker.event_gap), false) unplaced,
       exists (
         select 1 from tasker.event_cursor c
          where c.group_id = g.id and (c.held_until is null or c.held_until < now())
            and exists (select 1 from tasker.event_chunk k where k.part = c.part and k.chunk >= c.chunk)) waiting,
       (select greatest(0, extract(epoch from r.due_at - now()) * 1000)::float8
          from tasker.event_retry r
         where -r.group_id = -g.id and r.due_at < 'infinity'
         order by r.due_at limit 1) "dueMs"
  from tasker.event_group g where g.id = any ($1::int[])`;

/** What there is to do for a group. */
export interface GroupLook {
  /** Events have no place yet; the same for all groups. */
  unplaced: boolean;
  /** A part that nobody holds has events. */
  waiting: boolean;
  /** Until a delivery is due again; null: none is. */
  dueMs: number | null;
}

/** What there is to do, by group; one that was removed is not there. Writes nothing. */
export async function lookIntoEvents(db: Db, groupIds: readonly number[]): Promise<Map<number, GroupLook>> {
  const { rows } = await db.query<GroupLook & { id: number }>(LOOK, [`{${groupIds.join(',')}}`]);
  return new Map(rows.map(({ id, ...look }) => [id, look]));
}
