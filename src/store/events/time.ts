import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/**
 * Maximum minutes between the time of an event, which is the start of its transaction, and the assignment of its id. The
 * timeouts of a recording are much shorter.
 */
const RECORDED_WITHIN = 5;

// Ids are assigned in the order of time, and the time of an event is slightly earlier than that of its id. A binary
// search over the key therefore finds an id after which no event is earlier than the given time. Times close to each
// other may be out of order. For a deleted event, the next event is compared. Restored events have negative ids in no
// order, so they are not found by time.
const EVENT_AT = sql('event_at_time')`
with recursive half as (
  select min(id) low, max(id) + 1 high from tasker.domain_event where id > 0
  union all
  select case when earlier then mid + 1 else low end, case when earlier then high else mid end
    from (select m.*, (select x.fired_at < $1::timestamptz + $2 * interval '1 minute'
                         from tasker.domain_event x where x.id >= m.mid order by x.id limit 1) earlier
            from (select low, high, (low + high) / 2 mid from half where low < high) m) h)
select low id from half where low >= high`;

async function eventAt(db: Db, time: string, minutes: number): Promise<number> {
  return (await db.query<{ id: number }>(EVENT_AT, [time, minutes])).rows[0]?.id ?? 0;
}

/** Returns an id close to the first event after this time. No event with a lower id is after it. */
export function firstAfter(db: Db, time: string): Promise<number> {
  return eventAt(db, time, -RECORDED_WITHIN);
}

/** Returns an id close to the last event before this time. No event with this or a higher id is before it. */
export function endBefore(db: Db, time: string): Promise<number> {
  return eventAt(db, time, RECORDED_WITHIN);
}
