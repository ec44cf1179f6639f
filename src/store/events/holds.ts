import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const EXTEND_PARTS = sql('extend_event_parts')`
update tasker.event_cursor set held_until = now() + $3 * interval '1 ms' where group_id = $1 and holder = $2
returning part`;

// The sum `group_id + 0` matches no index, so that the planner searches by holder, and not through all deliveries of
// the group. Rows are locked in the order in which concurrent transactions lock them.
const HELD = `
with held as materialized (
  select 1 from tasker.event_retry where group_id + 0 = $1 and holder = $2 order by task_uuid, id for update)`;

const EXTEND_RETRIES = sql('extend_event_retries')`
${HELD}
update tasker.event_retry set due_at = now() + $3 * interval '1 ms'
 where group_id + 0 = $1 and holder = $2 and (select count(*) from held) > 0
returning id`;

/** A process that holds parts and deliveries of a group. */
export interface Holds {
  groupId: number;
  /** The id of the process. */
  holder: string;
}

/** The work that is still held: parts, and the event ids of deliveries outside these parts. */
export interface StillHeld {
  parts: number[];
  events: number[];
}

/** Extends all holds of the process, and returns them. */
export async function extendHolds(
  db: Db,
  { groupId, holder, leaseMs }: Holds & { leaseMs: number },
): Promise<StillHeld> {
  const values = [groupId, holder, leaseMs];
  const [parts, retries] = await Promise.all([
    db.query<{ part: number }>(EXTEND_PARTS, values),
    db.query<{ id: number }>(EXTEND_RETRIES, values),
  ]);
  return { parts: parts.rows.map(({ part }) => part), events: retries.rows.map(({ id }) => id) };
}

const RELEASE_PARTS = sql('release_event_parts')`
update tasker.event_cursor set holder = null, hold = null, held_until = null where group_id = $1 and holder = $2`;

const RELEASE_RETRIES = sql('release_event_retries')`
${HELD}
update tasker.event_retry set holder = null, due_at = now()
 where group_id + 0 = $1 and holder = $2 and (select count(*) from held) > 0`;

/** Releases all holds of the process. The released work keeps its place. */
export async function releaseHolds(db: Db, { groupId, holder }: Holds): Promise<void> {
  await Promise.all([RELEASE_PARTS, RELEASE_RETRIES].map((statement) => db.query(statement, [groupId, holder])));
}

const NEXT_RETRY = sql('next_event_retry')`
select greatest(0, extract(epoch from r.due_at - now()) * 1000)::float8 ms
  from tasker.event_retry r
 where -r.group_id = -$1::int and r.due_at < 'infinity' and not exists (
   select 1 from tasker.event_retry x where x.group_id = r.group_id and x.task_uuid = r.task_uuid and x.id < r.id)
 order by r.due_at limit 1`;

/** Returns the milliseconds until the next retry is due, or null if none is waiting. */
export async function nextRetryMs(db: Db, groupId: number): Promise<number | null> {
  return (await db.query<{ ms: number }>(NEXT_RETRY, [groupId])).rows[0]?.ms ?? null;
}
