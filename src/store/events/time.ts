import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/**
 * Minutes at most between the time of an event, which is when its transaction began, and its id, which is given when it is
 * written: statements of a recording are ended long before, and so are its pauses.
 */
const RECORDED_WITHIN = 5;

// Ids are given in the order of time, and each event's own time is a little earlier than that. So the key is halved until
// it is known from where on events are at least this old: a place for which that holds is found, though the times next to
// it are not quite in order. Events that are gone are passed over by those behind them.
const EVENT_AT = sql('event_at_time')`
with recursive half as (
  select min(id) low, max(id) + 1 high from tasker.domain_event
  union all
  select case when earlier then mid + 1 else low end, case when earlier then high else mid end
    from (select m.*, (select x.fired_at < $1::timestamptz + $2 * interval '1 minute'
                         from tasker.domain_event x where x.id >= m.mid order by x.id limit 1) earlier
            from (select low, high, (low + high) / 2 mid from half where low < high) m) h)
select low id from half where low >= high`;

async function eventAt(db: Db, time: string, minutes: number): Promise<number> {
  return (await db.query<{ id: number }>(EVENT_AT, [time, minutes])).rows[0]?.id ?? 0;
}

/** An id such that none below it is of an event after this time, close to the first that is. */
export function firstAfter(db: Db, time: string): Promise<number> {
  return eventAt(db, time, -RECORDED_WITHIN);
}

/** An id such that neither it nor any above it is of an event before this time, close to the last that is. */
export function endBefore(db: Db, time: string): Promise<number> {
  return eventAt(db, time, RECORDED_WITHIN);
}
