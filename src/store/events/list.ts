import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';
import { EVENT_COLUMNS, EVENT_NAMES, type EventRow } from './rows.ts';

const FILTER = `
       ($1::text is null or x.name ~ $1) and ($2::timestamptz is null or x.fired_at > $2)
       and ($3::timestamptz is null or x.fired_at < $3) and x.id >= $4::bigint and x.id < $5::bigint`;

// Reads by key from the newest on, until the limit is reached.
const LIST_EVENTS = sql('list_events')`
with page as materialized (
  select x.* from tasker.domain_event x
   where ${FILTER}
   order by x.id desc limit $6)
select ${EVENT_COLUMNS} from page e ${EVENT_NAMES} order by e.id desc`;

// Reads all events of the task first. In key order, all events would be searched for them.
const LIST_EVENTS_OF_TASK = sql('list_events_of_task')`
with mine as materialized (
  select x.* from tasker.domain_event x where x.task_uuid = $7 and ${FILTER}),
page as materialized (
  select * from mine order by id desc limit $6)
select ${EVENT_COLUMNS} from page e ${EVENT_NAMES} order by e.id desc`;

/** Selects the events to list. */
export interface EventListFilter {
  taskUuid: string | null;
  /** A regular expression. */
  matching: string | null;
  after: string | null;
  before: string | null;
  /** Only ids from `fromId` up to, but not including, `beforeId`. The other filters apply within this range. */
  fromId: number;
  beforeId: number;
  limit: number;
}

/** Returns events, newest first. */
export async function listEvents(db: Db, filter: EventListFilter): Promise<EventRow[]> {
  const { taskUuid, matching, after, before, fromId, beforeId, limit } = filter;
  const values = [matching, after, before, fromId, beforeId, limit];
  const { rows } = await (taskUuid === null
    ? db.query<EventRow>(LIST_EVENTS, values)
    : db.query<EventRow>(LIST_EVENTS_OF_TASK, [...values, taskUuid]));
  return rows;
}

// Has no order, because an order would make the planner scan the table by key.
const GET_EVENT = sql('get_event')`
select ${EVENT_COLUMNS} from tasker.domain_event e ${EVENT_NAMES} where e.event_id = $1`;

/** Returns one event by its id. */
export async function getEvent(db: Db, eventId: string): Promise<EventRow | undefined> {
  return (await db.query<EventRow>(GET_EVENT, [eventId])).rows[0];
}

const HEAD = sql('event_head')`select chunk from tasker.event_head`;

/** Returns the number of the list that was written last. */
export async function headOfEvents(db: Db): Promise<number> {
  return (await db.query<{ chunk: number }>(HEAD)).rows[0]!.chunk;
}

/** Maximum number of lists per part that one call reads. */
const MOST_CHUNKS = 64;

// Follows the lists in the order in which they were written, so that a caller can continue from a position without
// missing earlier events. If a part has more lists than one read returns, the other parts are not followed further
// either.
const EVENTS_AFTER = sql('events_after')`
with k as materialized (
  select k.* from generate_series(0, 15) p (part) cross join lateral (
    select x.part, x.chunk, x.size, row_number() over (order by x.chunk) n
      from (select part, chunk, size from tasker.event_chunk x
             where x.part = p.part and x.chunk >= $1 order by x.chunk limit ${MOST_CHUNKS}) x) k),
whole as materialized (
  select chunk, sum(sum(size)) over (order by chunk) - sum(size) ahead from k
   where chunk <= coalesce((select min(chunk) from k where n = ${MOST_CHUNKS}), chunk) group by chunk),
i as materialized (
  select k.chunk, i.id
    from k cross join lateral (
      select ids from tasker.event_chunk x where x.part = k.part and x.chunk = k.chunk offset 0) x
    cross join unnest(x.ids) i (id)
   where k.chunk <= (select max(chunk) from whole where ahead <= $4) and (k.chunk > $1 or i.id > $2)
   order by k.chunk, i.id limit $4),
m as materialized (
  select i.chunk, i.id, row_number() over w n, sum(e.bytes) over w total
    from i cross join lateral (
      select pg_column_size(x.payload) + pg_column_size(x.execution) bytes from tasker.domain_event x
       where x.id = i.id and ($3::text is null or x.name ~ $3) offset 0) e
  window w as (order by i.chunk, i.id rows unbounded preceding)),
given as materialized (
  select chunk, id from m where n <= $5 and (n = 1 or total <= $6)),
far as (
  select chunk "farChunk", id "farId", (select count(*) from m) > (select count(*) from given) cut
    from i order by chunk desc, id desc limit 1)
select far.*, x.* from far left join lateral (
  select g.chunk, ${EVENT_COLUMNS}
    from given g cross join lateral (select * from tasker.domain_event x where x.id = g.id offset 0) e
    ${EVENT_NAMES}) x on true
 order by x.chunk, x.id`;

/** A position in the whole log: an event of a list, in the order of ids. All earlier lists are before it. */
export interface LogPlace {
  chunk: number;
  id: number;
}

type AfterRow = EventRow & { chunk: number; farChunk: number; farId: number; cut: boolean };

/** Returns the events after a position, and the position after them. */
export async function eventsAfter(
  db: Db,
  after: LogPlace,
  { matching, ...limits }: { matching: string | null; scan: number; events: number; bytes: number },
): Promise<{ events: EventRow[]; place: LogPlace }> {
  const values = [after.chunk, after.id, matching, limits.scan, limits.events, limits.bytes];
  const { rows } = await db.query<AfterRow>(EVENTS_AFTER, values);
  const [first] = rows;
  if (!first) return { events: [], place: after };
  const last = first.cut ? rows.at(-1)! : { chunk: first.farChunk, id: first.farId };
  return { events: first.id === null ? [] : rows, place: { chunk: last.chunk, id: last.id } };
}
