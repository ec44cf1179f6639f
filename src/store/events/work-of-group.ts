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

/** The work that is available for a group. */
export interface GroupLook {
  /** Whether there are events without a position yet. The same for all groups. */
  unplaced: boolean;
  /** Whether a free part has events. */
  waiting: boolean;
  /** Milliseconds until the next retry is due. Null if there is none. */
  dueMs: number | null;
}

/** Returns the available work by group. Removed groups are omitted. Writes nothing. */
export async function workOfGroups(db: Db, groupIds: readonly number[]): Promise<Map<number, GroupLook>> {
  const { rows } = await db.query<GroupLook & { id: number }>(LOOK, [`{${groupIds.join(',')}}`]);
  return new Map(rows.map(({ id, ...look }) => [id, look]));
}
