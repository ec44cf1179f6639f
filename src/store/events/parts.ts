import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';
import type { Holds } from './holds.ts';
import { EVENT_COLUMNS, EVENT_NAMES, type EventRow } from './rows.ts';

// Updates by key instead of ctid, because the locked row may be newer than the snapshot. The part that is furthest
// behind comes first.
const HOLD_PART = sql('hold_event_part')`
with free as materialized (
  select c.part from tasker.event_cursor c
   where c.group_id = $1 and (c.held_until is null or c.held_until < now())
     and exists (select 1 from tasker.event_chunk k where k.part = c.part and k.chunk >= c.chunk)
   order by c.chunk limit 1 for update skip locked)
update tasker.event_cursor c set holder = $2, hold = $3, held_until = now() + $4 * interval '1 ms'
 where c.group_id = $1 and c.part = any (array(select part from free))`;

/** A process that takes a part, and for how long. */
export interface PartHold extends Holds {
  /** The fence of this hold. */
  hold: string;
  leaseMs: number;
}

/** Takes a free part of the log with events for the group, if there is one. */
export async function holdPart(db: Db, { groupId, holder, hold, leaseMs }: PartHold): Promise<void> {
  await db.query(HOLD_PART, [groupId, holder, hold, leaseMs]);
}

/** Maximum number of lists that one call reads. */
const MOST_CHUNKS = 256;

// Names are matched for many more events than are returned, so that a group for rare events can advance through the
// log. Contents are read only for the returned events. The size of a value in the TOAST table is known without reading
// it.
const READ_PART = sql('read_event_part')`
with c as materialized (
  select c.part, c.chunk, c.done, g.matching
    from tasker.event_cursor c join tasker.event_group g on g.id = c.group_id
   where c.group_id = $1 and c.hold = $2),
k as materialized (
  select c.part, c.matching, c.done before, k.chunk, k.size, case when k.chunk = c.chunk then c.done else 0 end done,
         (sum(k.size) over (order by k.chunk))::int - k.size - c.done ahead
    from c cross join lateral (
      select x.chunk, x.size from tasker.event_chunk x where x.part = c.part and x.chunk >= c.chunk
       order by x.chunk limit ${MOST_CHUNKS}) k),
p as materialized (
  select k.chunk, k.size, k.matching, i.id, (k.done + i.ord)::int done
    from k cross join lateral (
      select x.ids[k.done + 1 : k.done + $3] ids from tasker.event_chunk x
       where x.part = k.part and x.chunk = k.chunk offset 0) x
    cross join lateral unnest(x.ids) with ordinality i (id, ord)
   where k.ahead < $3),
m as materialized (
  select p.chunk, p.size, p.done, p.id, row_number() over w n, sum(e.bytes) over w total
    from p cross join lateral (
      select pg_column_size(x.payload) + pg_column_size(x.execution) bytes
        from tasker.domain_event x where x.id = p.id and x.name ~ p.matching offset 0) e
  window w as (order by p.chunk, p.done rows unbounded preceding)),
given as materialized (
  select m.chunk, m.size, m.done, m.id from m where m.n <= $4 and (m.n = 1 or m.total <= $5)),
far as (
  select k.chunk, k.size, coalesce((select max(p.done) from p where p.chunk = k.chunk), k.size) done
    from k where k.ahead < $3 order by k.chunk desc limit 1)
select c.part, far.chunk "farChunk", far.size "farSize", far.done "farDone",
       (select count(*) from m) > (select count(*) from given) cut, x.*
  from c left join far on true left join lateral (
    select g.chunk, g.size, g.done,
           exists (select 1 from tasker.event_retry r
                    where r.group_id = $1 and r.task_uuid = e.task_uuid and r.id < e.id) parked, ${EVENT_COLUMNS}
      from given g cross join lateral (select * from tasker.domain_event x where x.id = g.id offset 0) e
      ${EVENT_NAMES}) x on true
 order by x.chunk, x.done`;

/** Limits of one call. */
export interface PartLimits {
  /** Maximum number of ids to read. */
  scan: number;
  events: number;
  /** Maximum bytes of payloads and execution results together. The first event is returned regardless of its size. */
  bytes: number;
}

/** An event and its position: number `done` of the `size` ids of a list. */
export interface PlacedEventRow extends EventRow {
  chunk: number;
  size: number;
  done: number;
  /** Whether an earlier event of its task waits for a retry. */
  parked: boolean;
}

/**
 * The events of a held part. `far` is the last position read. `cut` means that not all matching events up to there are
 * in `events`.
 */
export interface PartRows {
  part: number;
  far: { chunk: number; size: number; done: number } | null;
  cut: boolean;
  events: PlacedEventRow[];
}

interface AnswerRow extends PlacedEventRow {
  part: number;
  farChunk: number | null;
  farSize: number;
  farDone: number;
  cut: boolean;
}

/** Returns the next events of the held part. Undefined if no part is held under this fence. */
export async function readPart(
  db: Db,
  { groupId, hold }: { groupId: number; hold: string },
  limits: PartLimits,
): Promise<PartRows | undefined> {
  const { rows } = await db.query<AnswerRow>(READ_PART, [groupId, hold, limits.scan, limits.events, limits.bytes]);
  const [first] = rows;
  if (!first) return undefined;
  const { part, farChunk: chunk, farSize: size, farDone: done, cut } = first;
  return { part, far: chunk === null ? null : { chunk, size, done }, cut, events: first.id === null ? [] : rows };
}
