import type { Db } from '../../db/statement.ts';
import { columns, sql } from '../sql.ts';
import type { GroupPart } from './replay.ts';

/**
 * What comes of a delivery, as the statement takes it. `after`: it is repeated after its delay. `behind`: once earlier
 * events of its task are over. `held`: it runs, and its holder keeps it for the delay. `dead`: there is none.
 */
const KIND = { behind: 0, after: 1, held: 2, dead: 3 } as const;

// Whoever ends the delivery before one that is parked locks it too, and looks only afterwards for what is next: so either
// this waits and finds it gone, or the other waits and finds what was put behind it. The position is locked first, as by
// whoever removes the group: neither waits for the other for ever.
const LOCK_EARLIER = sql('lock_earlier_deliveries')`
select count(*)
  from (select group_id from tasker.event_cursor where group_id = $1 and part = $4 and hold = $5 for update) c
  cross join (select task_uuid, min(id) id from unnest($2::uuid[], $3::bigint[]) d (task_uuid, id) group by 1 order by 1) d
  cross join lateral (
    select 1 from tasker.event_retry x
     where x.group_id = c.group_id and x.task_uuid = d.task_uuid and x.id < d.id order by x.id desc limit 1 for update) r`;

// A group that was removed, or a part that another process has taken over, changes nothing; nor does one that was let go
// already, under this fence. What was set aside by the same before, whose answer was lost, may be over by now: it is not set
// aside anew. Of a task only the first is due.
const FINISH_PART = sql('finish_event_part')`
with c as materialized (
  select part, holder, chunk, done from tasker.event_cursor where group_id = $1 and part = $2 and hold = $3 for update),
d as materialized (
  select * from unnest($4::uuid[], $5::bigint[], $6::smallint[], $7::int[], $8::float8[], $9::text[])
    d (task_uuid, id, kind, attempts, delay, error)
   where exists (select 1 from c where holder is not null and (chunk, done) < ($10::bigint, $11::int))),
r as (
  insert into tasker.event_retry (group_id, task_uuid, id, attempts, due_at, error, holder)
  select $1, task_uuid, id, attempts,
         case when kind > 0 then now() + delay * interval '1 ms'
           when before is not null or exists (
             select 1 from tasker.event_retry x where x.group_id = $1 and x.task_uuid = d.task_uuid and x.id < d.id)
           then 'infinity' else now() end, error, case when kind = ${KIND.held} then (select holder from c) end
    from (select d.*, lag(id) over (partition by task_uuid order by id) before from d where kind <> ${KIND.dead}) d
  on conflict (group_id, task_uuid, id) do nothing),
g as (
  insert into tasker.event_dead (group_id, id, task_uuid, attempts, error)
  select $1, id, task_uuid, attempts, coalesce(error, '') from d where kind = ${KIND.dead}
  on conflict (group_id, id) do update set attempts = excluded.attempts, error = excluded.error, died_at = now()),
moved as (
  update tasker.event_cursor set chunk = $10::bigint, done = $11::int,
         holder = case when $12::float8 is not null then holder end, held_until = now() + $12::float8 * interval '1 ms'
   where group_id = $1 and part = any (array(select part from c where holder is not null)))
select 1 from c`;

/** A delivery that goes on beside the cursor, or nowhere. */
export interface SetAside {
  taskUuid: string;
  id: number;
  /** Deliveries that failed. */
  attempts: number;
  next: keyof typeof KIND;
  /** Milliseconds; 0 where `next` has no delay. */
  delayMs: number;
  error: string | null;
}

/** Where a hold left off. */
export interface FinishedPart extends GroupPart {
  hold: string;
  chunk: number;
  done: number;
  /** Milliseconds for which it stays held; null: it is let go. */
  keepMs: number | null;
  aside: readonly SetAside[];
}

/**
 * Moves a group's cursor on. False: the part is not held under this fence, and nothing was changed. Asked again when it was
 * let go like this already, it changes nothing either, and is true. What is set aside was not passed before.
 */
export async function finishPart(db: Db, finished: FinishedPart): Promise<boolean> {
  const { groupId, aside } = finished;
  const deliveries = columns(aside, 'taskUuid', 'id');
  // Sent at once: the caller's transaction is one round trip.
  const behind = aside.some(({ next }) => next === 'behind');
  const locked = behind ? db.query(LOCK_EARLIER, [groupId, ...deliveries, finished.part, finished.hold]) : undefined;
  const moved = db.query(FINISH_PART, [
    groupId,
    finished.part,
    finished.hold,
    ...deliveries,
    `{${aside.map(({ next }) => KIND[next]).join(',')}}`,
    ...columns(aside, 'attempts', 'delayMs'),
    aside.map((one) => one.error),
    finished.chunk,
    finished.done,
    finished.keepMs,
  ]);
  const [{ rows }] = await Promise.all([moved, locked]);
  return rows.length > 0;
}
