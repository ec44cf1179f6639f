import type { Db } from '../../db/statement.ts';
import { columns, sql } from '../sql.ts';
import type { Holds } from './holds.ts';
import { ENDS_LOCK } from './replay.ts';
import { EVENT_COLUMNS, EVENT_NAMES, type EventRow } from './rows.ts';

/** How long deliveries are left to other processes. Longer than the polling interval of these processes. */
const FOR_OTHERS = `interval '1500 milliseconds'`;

// Rows are looked up individually and updated by ctid, as in all statements that take a list. A held delivery becomes
// due again when its hold ends, so `due_at` alone shows which ones are free. A replay may have added an earlier
// delivery. Events that only other processes can handle are left to them until they have been due for a while.
const HOLD_RETRIES = sql('hold_event_retries')`
with due as materialized (
  select r.task_uuid, r.id, r.due_at from tasker.event_retry r
   where -r.group_id = -$1::int and r.due_at <= now() and not exists (
     select 1 from tasker.event_retry x where x.group_id = r.group_id and x.task_uuid = r.task_uuid and x.id < r.id)
     and (r.due_at < now() - ${FOR_OTHERS} or not exists (
       select 1 from tasker.domain_event x
        where x.id = r.id and x.name !~ $6 and x.name ~ (select g.matching from tasker.event_group g where g.id = $1)
        offset 0))
   order by r.due_at limit $4 for update skip locked),
sized as materialized (
  select due.task_uuid, due.id, row_number() over w n, sum(coalesce(e.bytes, 0)) over w total
    from due left join lateral (
      select pg_column_size(x.payload) + pg_column_size(x.execution) bytes
        from tasker.domain_event x where x.id = due.id offset 0) e on true
  window w as (order by due.due_at, due.id rows unbounded preceding)),
held as (
  update tasker.event_retry r set holder = $2, due_at = now() + $3 * interval '1 ms'
    from (select x.tid from sized s cross join lateral (
            select ctid tid from tasker.event_retry x
             where x.group_id = $1 and x.task_uuid = s.task_uuid and x.id = s.id offset 0) x
           where s.n = 1 or s.total <= $5) s
   where r.ctid = s.tid
  returning r.id, r.task_uuid, r.attempts, r.replayed)
select held.id "heldId", held.task_uuid "heldTask", held.attempts "attemptsBefore", held.replayed,
       e.name ~ (select g.matching from tasker.event_group g where g.id = $1) wanted, ${EVENT_COLUMNS}
  from held left join lateral (select * from tasker.domain_event x where x.id = held.id offset 0) e on true
  ${EVENT_NAMES}
 order by held.id`;

/** An event to retry. */
export interface RetryRow extends EventRow {
  /** Number of failed deliveries. */
  attemptsBefore: number;
  replayed: boolean;
  /** Whether the group receives events of this name. */
  wanted: boolean;
}

/** A process that takes retries, and how many. */
export interface RetryHold extends Holds {
  leaseMs: number;
  limit: number;
  /** Maximum bytes of payloads and execution results together. The first event is returned regardless of its size. */
  bytes: number;
  /** Names that the process can handle, as a regular expression. */
  matching: string;
}

type HeldRow = { heldId: number; heldTask: string } & (RetryRow | { id: null });

/** The retries that the call took. */
export interface HeldRetries {
  events: RetryRow[];
  /** Retries of deleted events. The process holds them too, and must end them. */
  gone: { id: number; taskUuid: string }[];
}

/** Takes free retries that are due, at most one per task. */
export async function holdRetries(db: Db, hold: RetryHold): Promise<HeldRetries> {
  const { groupId, holder, leaseMs, limit, bytes, matching } = hold;
  const { rows } = await db.query<HeldRow>(HOLD_RETRIES, [groupId, holder, leaseMs, limit, bytes, matching]);
  const held: HeldRetries = { events: [], gone: [] };
  for (const row of rows) {
    if (row.id === null) held.gone.push({ id: row.heldId, taskUuid: row.heldTask });
    else held.events.push(row);
  }
  return held;
}

// Transactions that add deliveries behind others wait for the shared lock; see promoteRetries.
const LOCK_RETRIES = sql('lock_event_retries')`
select count(*), pg_advisory_xact_lock_shared(${ENDS_LOCK}, $1)
  from (select * from unnest($2::uuid[], $3::bigint[]) d (task_uuid, id) order by 1, 2) d
  cross join lateral (
    select 1 from tasker.event_retry x
     where x.group_id = $1 and x.task_uuid = d.task_uuid and x.id = d.id limit 1 for update) r`;

// A separate statement after the lock, so that its snapshot contains deliveries that were added behind these and now
// become due. `is not distinct from` keeps the planner from using the index on holders.
const FINISH_RETRIES = sql('finish_event_retries')`
with d as materialized (
  select d.*, r.tid
    from unnest($3::uuid[], $4::bigint[], $5::smallint[], $6::int[], $7::float8[], $8::text[])
      d (task_uuid, id, kind, attempts, delay, error)
    cross join lateral (
      select ctid tid from tasker.event_retry x
       where x.group_id = $1 and x.task_uuid = d.task_uuid and x.id = d.id
         and x.holder is not distinct from $2 offset 0) r),
again as (
  update tasker.event_retry r
     set attempts = d.attempts, error = coalesce(d.error, r.error), holder = null, due_at = now() + d.delay * interval '1 ms'
    from d where r.ctid = d.tid and d.kind = 1),
over as (
  delete from tasker.event_retry where ctid = any (array(select tid from d where kind <> 1))),
dead as (
  insert into tasker.event_dead (group_id, id, task_uuid, attempts, error)
  select $1, id, task_uuid, attempts, coalesce(error, '') from d where kind = 2
  on conflict (group_id, id) do update set attempts = excluded.attempts, error = excluded.error, died_at = now()),
next as (
  update tasker.event_retry r set due_at = now()
    from (select n.tid from d cross join lateral (
            select x.ctid tid, x.due_at from tasker.event_retry x
             where x.group_id = $1 and x.task_uuid = d.task_uuid and x.id > d.id order by x.id limit 1) n
           where d.kind <> 1 and n.due_at = 'infinity') n
   where r.ctid = n.tid
  returning 1)
select (select count(*) from d)::int finished, (select count(*) from next)::int next`;

/** The outcome of a retry. */
export interface RetryEnd {
  taskUuid: string;
  id: number;
  attempts: number;
  /** Milliseconds until the next retry, or the reason why there is none. */
  next: number | 'delivered' | 'dead';
  /** Null if there is none. In that case another retry keeps the stored error. */
  error: string | null;
}

const KIND = { delivered: 0, again: 1, dead: 2 };

/**
 * Ends retries that are held, except retries that another process has taken since. Returns the number of ended retries,
 * and the number of tasks in which another retry is now due.
 */
export async function finishRetries(
  db: Db,
  { groupId, holder }: Holds,
  ends: readonly RetryEnd[],
): Promise<{ finished: number; next: number }> {
  const deliveries = columns(ends, 'taskUuid', 'id');
  const locked = db.query(LOCK_RETRIES, [groupId, ...deliveries]);
  const ended = db.query<{ finished: number; next: number }>(FINISH_RETRIES, [
    groupId,
    holder,
    ...deliveries,
    `{${ends.map(({ next }) => (typeof next === 'number' ? KIND.again : KIND[next])).join(',')}}`,
    ...columns(ends, 'attempts'),
    `{${ends.map(({ next }) => (typeof next === 'number' ? next : 0)).join(',')}}`,
    ends.map((end) => end.error),
  ]);
  const [{ rows }] = await Promise.all([ended, locked]);
  return rows[0]!;
}
