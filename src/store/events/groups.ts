import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';
import { MEMBER_LIFE } from './members.ts';

/** Number of parts of the log. All events of a task are in one part. */
export const EVENT_PARTS = 16;

/** A group to create, with the patterns of its first member; see `keepMember`. */
export interface NewEventGroup {
  name: string;
  patterns: readonly string[];
  /** The patterns as a regular expression. */
  matching: string;
}

// An existing group is locked and not changed.
const CREATE_GROUP = sql('create_event_group')`
insert into tasker.event_group as g (name, patterns, matching) values ($1, $2::text[], $3)
on conflict (name) do update set seen_at = g.seen_at
returning id`;

const CREATE_CURSORS = sql('create_event_cursors')`
insert into tasker.event_cursor (group_id, part, chunk)
select $1, part, case when $2 then 0 else h.chunk + 1 end
  from generate_series(0, ${EVENT_PARTS - 1}) part cross join tasker.event_head h
on conflict (group_id, part) do nothing`;

/**
 * Creates a group that receives the events without a position yet, or all stored events. Two calls at the same time
 * create one group.
 */
export async function createGroup(
  db: Db,
  { fromBeginning, ...group }: NewEventGroup & { fromBeginning: boolean },
): Promise<number> {
  const { rows } = await db.query<{ id: number }>(CREATE_GROUP, [group.name, group.patterns, group.matching]);
  await db.query(CREATE_CURSORS, [rows[0]!.id, fromBeginning]);
  return rows[0]!.id;
}

const FIND_GROUP = sql('find_event_group')`select id from tasker.event_group where name = $1 for key share`;

/**
 * Returns the id of a group, which cannot be removed until the transaction ends. Undefined if no group has this name.
 */
export async function findGroup(db: Db, name: string): Promise<number | undefined> {
  return (await db.query<{ id: number }>(FIND_GROUP, [name])).rows[0]?.id;
}

// Waiting events are counted from the running totals of lists, so the cost does not depend on their number.
const LIST_GROUPS = sql('list_event_groups')`
with fresh as materialized (
  select count(*) n, min(fired_at) since from (
    select x.fired_at from tasker.domain_event x where x.id > (select last_id from tasker.event_head)
     order by x.id limit 10000) x)
select g.name, g.patterns, m.members, m.differ "membersDiffer", tasker.iso(g.created_at) "createdAt",
       tasker.iso(g.seen_at) "seenAt", (lag.waiting + fresh.n)::int waiting,
       greatest(0, coalesce(extract(epoch from now() - least(lag.since, fresh.since)), 0))::float8 "secondsBehind",
       (select count(*) from tasker.event_retry r where r.group_id = g.id)::int retrying,
       (select count(*) from tasker.event_dead d where d.group_id = g.id)::int dead
  from tasker.event_group g cross join fresh cross join lateral (
    select coalesce(sum(l.total - n.total + n.size - case when n.chunk = c.chunk then c.done else 0 end), 0) waiting,
           min(n.made_at) since
      from tasker.event_cursor c
      cross join lateral (
        select chunk, size, total, made_at from tasker.event_chunk k where k.part = c.part and k.chunk >= c.chunk
         order by k.chunk limit 1) n
      cross join lateral (
        select total from tasker.event_chunk k where k.part = c.part order by k.chunk desc limit 1) l
     where c.group_id = g.id) lag
  cross join lateral (
    select count(*)::int members, count(distinct x.matching) > 1 differ from tasker.event_group_member x
     where x.group_id = g.id and not x.has_left and x.seen_at > now() - ${MEMBER_LIFE}) m
 where $1::text is null or g.name = $1
 order by g.name`;

/** A group, and its status. */
export interface EventGroup {
  name: string;
  /** Patterns of the events that it receives: the patterns of all its members. */
  patterns: string[];
  /** Number of processes that sent a heartbeat for it in the last three minutes. */
  members: number;
  /** Whether its members subscribe to different events, for example while a new version is rolled out. */
  membersDiffer: boolean;
  createdAt: string;
  /** The time of the last heartbeat for it. */
  seenAt: string;
  /**
   * Number of events that it has not passed, regardless of their names. Counts at most 10,000 events without a
   * position.
   */
  waiting: number;
  /** Seconds since the first of these events became available. 0 if none is waiting. */
  secondsBehind: number;
  /**
   * Number of failed deliveries to retry, of deliveries that wait behind them in their tasks, and of replayed
   * deliveries.
   */
  retrying: number;
  /** Number of dead deliveries. */
  dead: number;
}

/** Returns the group with this name, or all groups if it is null. */
export async function listGroups(db: Db, name: string | null): Promise<EventGroup[]> {
  return (await db.query<EventGroup>(LIST_GROUPS, [name])).rows;
}

const LOCK_GROUP = sql('lock_event_group')`select id from tasker.event_group where name = $1 for update`;

// Rows are deleted in the order in which all transactions lock them. A process that is working for the group finishes
// first, and finds no rows afterwards.
const REMOVALS = [
  sql('remove_event_cursors')`delete from tasker.event_cursor where group_id = $1`,
  sql('remove_event_retries')`delete from tasker.event_retry where group_id = $1`,
  sql('remove_event_deaths')`delete from tasker.event_dead where group_id = $1`,
  sql('remove_event_members')`delete from tasker.event_group_member where group_id = $1`,
  sql('remove_event_group')`delete from tasker.event_group where id = $1`,
];

/** Removes a group and all deliveries that wait for it. Returns false if no group has this name. */
export async function removeGroup(db: Db, name: string): Promise<boolean> {
  const { rows } = await db.query<{ id: number }>(LOCK_GROUP, [name]);
  if (!rows[0]) return false;
  for (const statement of REMOVALS) await db.query(statement, [rows[0].id]);
  return true;
}
