import type { Db } from '../../db/statement.ts';
import { columns, sql } from '../sql.ts';
import type { GroupPart } from './replay.ts';

/**
 * The next state of a delivery, as the statement takes it. `after`: it is retried after its delay. `behind`: it waits
 * until earlier events of its task are done. `held`: it is in progress, and its holder keeps it for the delay. `dead`:
 * it is not retried.
 */
const KIND = { behind: 0, after: 1, held: 2, dead: 3 } as const;

// Locks the delivery that a parked delivery waits for. A transaction that ends that delivery locks it too, and only
// then looks for the next one. So one of the two transactions waits. This transaction then finds that the delivery has
// ended, or the other one finds the parked delivery. The cursor is locked first, in the same order as when a group is
// removed, to prevent a deadlock.
const LOCK_EARLIER = sql('lock_earlier_deliveries')`
select count(*)
  from (select group_id from tasker.event_cursor where group_id = $1 and part = $4 and hold = $5 for update) c
  cross join (select task_uuid, min(id) id from unnest($2::uuid[], $3::bigint[]) d (task_uuid, id) group by 1 order by 1) d
  cross join lateral (
    select 1 from tasker.event_retry x
     where x.group_id = c.group_id and x.task_uuid = d.task_uuid and x.id < d.id order by x.id desc limit 1 for update) r`;

// Changes nothing if the group was removed, if another process has taken the part, or if the part was already released
// under this fence. An earlier call whose response was lost may have set aside deliveries that have since ended, so
// they are not set aside again. Only the first delivery of a task is due.
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

/** A delivery that continues apart from the cursor, or becomes a dead delivery. */
export interface SetAside {
  taskUuid: string;
  id: number;
  /** Number of failed deliveries. */
  attempts: number;
  next: keyof typeof KIND;
  /** Delay in milliseconds. 0 if `next` has none. */
  delayMs: number;
  error: string | null;
}

/** The end of a hold: the new position, and the deliveries to set aside. */
export interface FinishedPart extends GroupPart {
  hold: string;
  chunk: number;
  done: number;
  /** Milliseconds for which the part stays held. Null if it is released. */
  keepMs: number | null;
  aside: readonly SetAside[];
}

/**
 * Advances a group's cursor. Returns false, and changes nothing, if the part is not held under this fence. Repeating
 * the call after the part was released changes nothing and returns true. The deliveries to set aside must be new.
 */
export async function finishPart(db: Db, finished: FinishedPart): Promise<boolean> {
  const { groupId, aside } = finished;
  const deliveries = columns(aside, 'taskUuid', 'id');
  // Both statements are sent together, so that the caller's transaction is one round trip.
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
