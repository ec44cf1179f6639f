import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

// A list is sorted, so its first id is its smallest. Events that are not in a list are above the last id, or in a gap.
const WAITING_EVENTS = sql('waiting_events')`
select g.matching, c.part::int, least(h.last_id + 1, gap.first, lists.first) low
  from tasker.event_head h
  cross join (select min(first_id) first from tasker.event_gap) gap
  cross join tasker.event_group g
  join tasker.event_cursor c on c.group_id = g.id
  cross join lateral (
    select min(case when k.chunk = c.chunk then k.ids[c.done + 1] else k.ids[1] end) first
      from tasker.event_chunk k where k.part = c.part and k.chunk >= c.chunk offset 0) lists`;

/**
 * For each group and part of the log: the patterns of the group, and an id below which it has passed all events. The
 * lists have the same length.
 */
export interface WaitingEvents {
  matching: string[];
  parts: number[];
  lows: number[];
}

/**
 * Returns the positions of the groups. Groups only advance, so with an outdated result, too many tasks are kept, but
 * never too few.
 */
export async function waitingEvents(db: Db): Promise<WaitingEvents> {
  const { rows } = await db.query<{ matching: string; part: number; low: number }>(WAITING_EVENTS);
  return {
    matching: rows.map((row) => row.matching),
    parts: rows.map((row) => row.part),
    lows: rows.map((row) => row.low),
  };
}
