import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/**
 * A member that has not been seen for this long is dropped. Each member sends a heartbeat every minute; see
 * `GroupMember`.
 */
export const MEMBER_LIFE = `interval '3 minutes'`;

/** How long the patterns of a process are kept after it has left, because it may be restarted. */
const AFTER_LEAVE = `interval '1 minute'`;

/**
 * If no member has been seen for this long, something prevented all of them from sending heartbeats. Shorter than
 * {@link MEMBER_LIFE} by one and a half heartbeat intervals.
 */
const SILENCE = `interval '90 seconds'`;

/** The events that a member of a group subscribes to. */
export interface MemberWishes {
  groupId: number;
  /** The id of the member, a UUID. A process that works for the group twice has two ids. */
  member: string;
  patterns: readonly string[];
  /** The patterns as a regular expression. */
  matching: string;
}

// Weaker than `for update`, because a replay may lock the group's key for a long time.
const LOCK_NAMED_GROUP = sql('lock_named_event_group')`
select id from tasker.event_group where name = $1 for no key update`;

/** Locks a group by its name, so that no other member changes it. Returns undefined if no group has this name. */
export async function lockNamedGroup(db: Db, name: string): Promise<number | undefined> {
  return (await db.query<{ id: number }>(LOCK_NAMED_GROUP, [name])).rows[0]?.id;
}

const LOCK_GROUP_TO_LEAVE = sql('lock_event_group_to_leave')`
select id from tasker.event_group where id = $1 for no key update`;

/** Locks a group, so that no other member changes it. Returns false if the group does not exist. */
export async function lockGroupToLeave(db: Db, groupId: number): Promise<boolean> {
  return (await db.query(LOCK_GROUP_TO_LEAVE, [groupId])).rows.length > 0;
}

const LOCK_FREE_GROUP = sql('lock_free_event_group')`
select id from tasker.event_group where id = $1 for no key update skip locked`;

/**
 * Like {@link lockGroupToLeave}, without waiting. Returns false if another transaction has locked the group, or if it
 * does not exist.
 */
export async function lockFreeGroup(db: Db, groupId: number): Promise<boolean> {
  return (await db.query(LOCK_FREE_GROUP, [groupId])).rows.length > 0;
}

// The database or all processes were down. The member that returns first must not drop members that have not returned
// yet.
const FORGIVE_MEMBERS = sql('forgive_event_members')`
update tasker.event_group_member set seen_at = now()
 where group_id = $1 and not has_left and (select seen_at from tasker.event_group where id = $1) < now() - ${SILENCE}`;

const KEEP_MEMBER = sql('keep_event_member')`
insert into tasker.event_group_member (group_id, member, patterns, matching) values ($1, $2, $3::text[], $4)
on conflict (group_id, member)
do update set patterns = excluded.patterns, matching = excluded.matching, seen_at = excluded.seen_at, has_left = false`;

const DROP_MEMBERS = sql('drop_event_members')`
delete from tasker.event_group_member where group_id = $1 and seen_at < now() - ${MEMBER_LIFE}`;

// Needed only if the group has other members. They would otherwise skip the events that only the leaving member
// subscribes to, until that member returns.
const LEAVE_GROUP = sql('leave_event_group')`
update tasker.event_group_member m set has_left = true, seen_at = now() - ${MEMBER_LIFE} + ${AFTER_LEAVE}
 where group_id = $1 and member = $2 and exists (
   select 1 from tasker.event_group_member x
    where x.group_id = $1 and x.member <> $2 and not x.has_left and x.seen_at > now() - ${MEMBER_LIFE})`;

const DROP_MEMBER = sql('drop_event_member')`
delete from tasker.event_group_member where group_id = $1 and member = $2 and not has_left`;

// A group without members keeps the patterns of its last members.
const MERGE_MEMBERS = sql('unite_event_members')`
update tasker.event_group g set seen_at = now(),
       patterns = array(select distinct p from tasker.event_group_member m cross join unnest(m.patterns) p
                         where m.group_id = g.id order by p),
       matching = (select string_agg(distinct m.matching, '|' order by m.matching)
                     from tasker.event_group_member m where m.group_id = g.id)
 where g.id = $1 and exists (select 1 from tasker.event_group_member m where m.group_id = g.id and not m.has_left)`;

/** Adds or updates a member, and merges the patterns of all members into the group. Call it with the group locked. */
export async function keepMember(db: Db, { groupId, member, patterns, matching }: MemberWishes): Promise<void> {
  await Promise.all([
    db.query(FORGIVE_MEMBERS, [groupId]),
    db.query(KEEP_MEMBER, [groupId, member, patterns, matching]),
    db.query(DROP_MEMBERS, [groupId]),
    db.query(MERGE_MEMBERS, [groupId]),
  ]);
}

/**
 * Ends a membership. Shortly after, the group receives only events that other members subscribe to. Call it with the
 * group locked.
 */
export async function dropMember(db: Db, { groupId, member }: Pick<MemberWishes, 'groupId' | 'member'>): Promise<void> {
  await Promise.all([
    db.query(FORGIVE_MEMBERS, [groupId]),
    db.query(LEAVE_GROUP, [groupId, member]),
    db.query(DROP_MEMBER, [groupId, member]),
    db.query(DROP_MEMBERS, [groupId]),
    db.query(MERGE_MEMBERS, [groupId]),
  ]);
}
