import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/**
 * An advisory lock, with a group's id. Transactions that end deliveries of the group share it. A transaction that adds
 * deliveries behind them takes it exclusively.
 */
export const ENDS_LOCK = 7_303_014;
/** An advisory lock, with a group's id, for redelivering, replaying and discarding. */
const ACTS_LOCK = 7_303_015;

const LOCK_ACTS = sql('lock_event_acts')`select pg_advisory_xact_lock(${ACTS_LOCK}, $1)`;

/**
 * Waits until no other transaction redelivers, replays or discards in this group. Two such transactions that reach the
 * same deliveries in different orders would deadlock. Members of the group are not delayed.
 */
export async function lockActs(db: Db, groupId: number): Promise<void> {
  await db.query(LOCK_ACTS, [groupId]);
}

/** Inserts the chosen deliveries again. The first one of each task is due, unless an earlier one is already waiting. */
const insertAgain = (chosen: string) => `
again as (
  insert into tasker.event_retry (group_id, task_uuid, id, due_at, replayed)
  select $1, task_uuid, id,
         case when before is not null or exists (
           select 1 from tasker.event_retry x where x.group_id = $1 and x.task_uuid = c.task_uuid and x.id < c.id)
         then 'infinity' else now() end, true
    from (select task_uuid, id, lag(id) over (partition by task_uuid order by id) before from ${chosen}) c
  on conflict (group_id, task_uuid, id) do nothing returning 1)`;

const REDELIVER = sql('redeliver_events')`
with chosen as (
  delete from tasker.event_dead where group_id = $1 and ($2::bigint is null or id = $2) returning task_uuid, id),
${insertAgain('chosen')}
select count(*)::int n from again`;

/** Makes one or all dead deliveries of a group due again, and returns their number. */
export async function redeliverEvents(db: Db, groupId: number, id: number | null): Promise<number> {
  return (await db.query<{ n: number }>(REDELIVER, [groupId, id])).rows[0]!.n;
}

// Only events that the group has passed. The other events are delivered anyway, in order. A list is always written
// after its events.
const CHOSEN = `
with i as (
  select i.id
    from tasker.event_cursor c
    join tasker.event_chunk k on k.part = c.part and k.chunk <= c.chunk and ($4::timestamptz is null or k.made_at > $4)
    cross join unnest(k.ids) with ordinality i (id, ord)
   where c.group_id = $1 and c.part = $2 and (k.chunk < c.chunk or i.ord <= c.done)),
chosen as materialized (
  select e.task_uuid, e.id
    from i cross join lateral (
      select x.task_uuid, x.id, x.name from tasker.domain_event x
       where x.id = i.id and ($3::uuid is null or x.task_uuid = $3)
         and ($4::timestamptz is null or x.fired_at > $4) and ($5::timestamptz is null or x.fired_at < $5)
         and ($6::text is null or x.name ~ $6) offset 0) e
   where e.name ~ (select matching from tasker.event_group where id = $1))`;

const REPLAY = sql('replay_events')`
${CHOSEN},
dead as (
  delete from tasker.event_dead where group_id = $1 and id = any (array(select id from chosen))),
${insertAgain('chosen')}
select count(*)::int n from again`;

const COUNT_REPLAY = sql('count_replayed_events')`${CHOSEN}
select count(*)::int n from chosen`;

/** Selects the events to deliver again. */
export interface ReplayFilter {
  taskUuid: string | null;
  after: string | null;
  before: string | null;
  /** A regular expression. */
  matching: string | null;
}

/** A part of the log, for a group. */
export interface GroupPart {
  groupId: number;
  part: number;
}

const replayValues = (
  { groupId, part }: GroupPart,
  { taskUuid, after, before, matching }: ReplayFilter,
): readonly unknown[] => [groupId, part, taskUuid, after, before, matching];

/**
 * Makes events of one part due again, if the group has passed them. Returns the number of events that were not already
 * waiting.
 */
export async function replayPart(db: Db, of: GroupPart, filter: ReplayFilter): Promise<number> {
  return (await db.query<{ n: number }>(REPLAY, replayValues(of, filter))).rows[0]!.n;
}

/** Returns how many events {@link replayPart} would find. */
export async function countReplay(db: Db, of: GroupPart, filter: ReplayFilter): Promise<number> {
  return (await db.query<{ n: number }>(COUNT_REPLAY, replayValues(of, filter))).rows[0]!.n;
}

const LOCK_ENDS = sql('lock_event_ends')`select pg_advisory_xact_lock(${ENDS_LOCK}, $1)`;

const PROMOTE = sql('promote_event_retries')`
update tasker.event_retry r set due_at = now()
 where -r.group_id = -$1::int and r.due_at = 'infinity' and not exists (
   select 1 from tasker.event_retry x
    where x.group_id = r.group_id and x.task_uuid = r.task_uuid and x.id < r.id offset 0)`;

/**
 * Makes the first delivery of each task due, in the transaction that added it. The previous delivery may have ended at
 * the same time without finding it. So this function waits for transactions that are ending deliveries now. Later
 * transactions see the added deliveries.
 */
export async function promoteRetries(db: Db, groupId: number): Promise<void> {
  await Promise.all([db.query(LOCK_ENDS, [groupId]), db.query(PROMOTE, [groupId])]);
}
