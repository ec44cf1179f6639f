import type { Db } from '../../db/statement.ts';
import { openTasks, shownState } from '../shown-state.ts';
import { sql } from '../sql.ts';
import { lockSearch } from './projection.ts';

/** Smaller than the id of any task. */
export const FIRST_ID = '00000000-0000-0000-0000-000000000000';

// `counters` comes from the statistics system. A change is counted only after its commit, usually within 10 s. After a
// crash of the server the counters start again, which changes one of the times.
const TAKE_TURN = sql('take_search_turn')`
with alive as (update tasker.search_writer set seen_at = now() where id = $1),
turn as (
  update tasker.search_state set keeper = $1, keeper_until = now() + $2::int * interval '1 ms'
   where keeper = $1 or keeper is null or keeper_until < now()
  returning compared_at, compared_to)
select tasker.iso(compared_at) "comparedAt", tasker.iso(now()) now,
       case when pg_snapshot_xmax(pg_current_snapshot())::text::bigint - compared_to::text::bigint between 0 and 2000000000
            then compared_to::text end "comparedTo",
       case when current_setting('track_counts')::boolean then (
         select string_agg(concat_ws(',', pg_stat_get_tuples_inserted(o), pg_stat_get_tuples_updated(o), pg_stat_get_tuples_deleted(o)),
                           ' ' order by o) || ' ' || pg_postmaster_start_time() || ' ' || pg_stat_get_bgwriter_stat_reset_time()
           from unnest(array['tasker.task', 'tasker.step', 'tasker.task_search', 'tasker.step_search']::regclass[]) o) end counters
  from turn`;

/** The turn of a process to keep the search tables complete. */
export interface SearchTurn {
  comparedAt: string;
  now: string;
  /**
   * Every transaction before this one had ended when the last comparison began. Null if that is unknown, for example after a
   * restore to another server.
   */
  comparedTo: string | null;
  /**
   * The rows written so far to the tables of tasks and steps and to their search tables. While the text is the same, no
   * change was counted. Null if the server does not count.
   */
  counters: string | null;
}

/** Announces that a process is alive, and takes the turn. Undefined if it is another process's turn. */
export async function takeSearchTurn(db: Db, id: string, turnMs: number): Promise<SearchTurn | undefined> {
  return (await db.query<SearchTurn>(TAKE_TURN, [id, turnMs])).rows[0];
}

const LEAVE_TURN = sql('leave_search_turn')`update tasker.search_state set keeper = null where keeper = $1`;

/** Ends the turn of a process early, so that another process need not wait until the turn expires. */
export async function leaveSearchTurn(db: Db, id: string): Promise<void> {
  await db.query(LEAVE_TURN, [id]);
}

const DEAD_WRITERS = sql('dead_search_writers')`
select coalesce(string_agg(id::text, ','), '') ids, tasker.iso(min(least(pending_since, seen_at))) since
  from tasker.search_writer where seen_at < now() - $1::int * interval '1 ms'`;

/** Returns the processes that have been silent for a while, and the time since which their changes may be missing. */
export async function deadSearchWriters(db: Db, silentMs: number): Promise<{ ids: string[]; since: string | null }> {
  const { ids, since } = (await db.query<{ ids: string; since: string | null }>(DEAD_WRITERS, [silentMs])).rows[0]!;
  return { ids: listOf(ids), since };
}

const DROP_WRITERS = sql('drop_search_writers')`delete from tasker.search_writer where id = any ($1::uuid[])`;

/** Removes processes whose changes are written. */
export async function dropSearchWriters(db: Db, ids: readonly string[]): Promise<void> {
  await db.query(DROP_WRITERS, [`{${ids.join(',')}}`]);
}

const NOTE_COMPARED = sql('note_compared')`
update tasker.search_state set compared_at = $2::timestamptz, compared_to = $3::xid8 where keeper = $1`;

/** Stores when the tables were compared, and the transaction up to which they are complete. */
export async function noteCompared(
  db: Db,
  { id, at, comparedTo }: { id: string; at: string; comparedTo: string | null },
): Promise<void> {
  await db.query(NOTE_COMPARED, [id, at, comparedTo]);
}

const FIRST_RUNNING = sql('first_running_transaction')`select pg_snapshot_xmin(pg_current_snapshot())::text first`;

/**
 * Returns the first transaction that has not ended. Later writers of the search tables see all transactions before it, because
 * the writer of this moment is waited for. All statements are sent before the first answer.
 */
export async function firstRunningTransaction(db: Db): Promise<string> {
  const [{ rows }] = await Promise.all([db.query<{ first: string }>(FIRST_RUNNING), lockSearch(db)]);
  return rows[0]!.first;
}

/** The tasks to compare: a number of tasks after an id. */
export interface ComparedSlice {
  after: string;
  limit: number;
  /** Tasks younger than this number of milliseconds are omitted: their process writes them soon. */
  youngMs: number;
}

/** Tasks whose rows are missing or outdated, and the last task that was compared. Null if it was the last of all. */
export interface Compared {
  missing: string[];
  last: string | null;
}

const RESULT = `
select coalesce(string_agg(task_uuid::text, ',') filter (where differs), '') missing,
       case when count(*) = $2 then (array_agg(task_uuid order by nr desc))[1]::text end last
  from compared`;

// A task without active steps changes only with its row: every statement that changes one of its steps also counts the task's
// steps. So if its row is older than the last comparison, nothing has changed. The claim alone leaves the row of a task, and
// the task is active then.
const COMPARE_OPEN = sql('compare_open_tasks')`
with slice as materialized (
  select x.* from (
    select t.*, row_number() over () nr,
           $5::xid8 is null or t.state in ('steps_in_process', 'undoing') or age(t.xmin) <= age($5::xid8::xid) changed
      from (
        ${openTasks('x.task_uuid, x.state, x.n_wait, x.created_at, x.xmin', 't.task_uuid > $1', '$4::int')}) t) x
   where x.changed or x.nr = $4::int limit $2::int),
compared as (
  select l.task_uuid, l.nr, l.changed and not l.young and (
         not exists (select 1 from tasker.task_search s where s.task_uuid = l.task_uuid and s.state = ${shownState('l')})
         or exists (
           select 1 from tasker.step s where s.task_uuid = l.task_uuid
              and s.state in ('enqueued', 'in_progress', 'waiting', 'waiting_for_retry', 'error', 'resolved_manually')
              and not exists (select 1 from tasker.step_search q where q.task_uuid = s.task_uuid and q.idx = s.idx
                                 and q.state = s.state and q.attempts = s.attempts) offset 0)
         or exists (
           select 1 from tasker.step_search q where q.task_uuid = l.task_uuid
              and not exists (select 1 from tasker.step s where s.task_uuid = q.task_uuid and s.idx = q.idx
                                 and s.state = q.state) offset 0)) differs,
         case when l.young then age(l.xmin) - age($6::xid8::xid) end ahead
    from (select *, created_at >= now() - $3::int * interval '1 ms' young from slice) l)
select coalesce(string_agg(task_uuid::text, ',') filter (where differs), '') missing,
       case when count(*) = $2 or max(nr) = $4 then (array_agg(task_uuid order by nr desc))[1]::text end last,
       greatest(max(ahead), 0) ahead
  from compared`;

/** The part of the open tasks to compare, and what is known about them. */
export interface OpenSlice extends ComparedSlice {
  /** Maximum number of tasks to read. Only tasks that may have changed are compared. */
  scanned: number;
  /**
   * Tasks without active steps are omitted if no transaction since this one changed them. If null, none are omitted.
   */
  comparedTo: string | null;
  /** The first transaction that was running when the comparison began. */
  begun: string;
}

/** Compares open tasks and their steps. `ahead`: the oldest omitted young task is this much older than `begun`. */
export async function compareOpenTasks(db: Db, slice: OpenSlice): Promise<Compared & { ahead: number }> {
  const { after, limit, youngMs, scanned, comparedTo, begun } = slice;
  const values = [after, limit, youngMs, scanned, comparedTo, begun];
  const { rows } = await db.query<{ missing: string; last: string | null; ahead: number }>(COMPARE_OPEN, values);
  const { missing, last, ahead } = rows[0]!;
  return { missing: listOf(missing), last, ahead };
}

// Two sets have the same ids if the number and the exclusive or of the hashes are the same.
const SAME_OPEN_TASKS = sql('same_open_tasks')`
select l.tasks = s.tasks and l.hash is not distinct from s.hash same
  from (select count(*) tasks, bit_xor(uuid_hash_extended(task_uuid, 0)) hash from tasker.task where done_at is null) l,
       (select count(*) tasks, bit_xor(uuid_hash_extended(task_uuid, 0)) hash from tasker.task_search where done_at is null) s`;

/** Returns whether the search tables and the live tables have the same open tasks. Reads only two indexes. */
export async function sameOpenTasks(db: Db): Promise<boolean> {
  return (await db.query<{ same: boolean }>(SAME_OPEN_TASKS)).rows[0]!.same;
}

const COMPARE_FOUND = sql('compare_found_tasks')`
with slice as materialized (
  select s.task_uuid, s.state, row_number() over () nr from (
    select * from tasker.task_search where done_at is null and (created_at, task_uuid) > (
             coalesce((select created_at from tasker.task_search where task_uuid = $1), '-infinity'), $1::uuid)
     order by created_at, task_uuid limit $2::int) s),
compared as (
  select l.task_uuid, l.nr,
         not exists (select 1 from tasker.task t where t.task_uuid = l.task_uuid and ${shownState('t')} = l.state) differs
    from slice l)
${RESULT}`;

/** Compares tasks that are open in the search tables, in the order of their creation. */
export function compareFoundTasks(db: Db, slice: ComparedSlice): Promise<Compared> {
  return compare(db, COMPARE_FOUND, [slice.after, slice.limit]);
}

const COMPARE_CREATED = sql('compare_created_tasks')`
with slice as materialized (
  select t.task_uuid, t.created_at, row_number() over () nr from (
    select task_uuid, created_at from tasker.task where task_uuid > $1 order by task_uuid limit $2::int) t),
compared as (
  select l.task_uuid, l.nr, l.created_at < now() - $3::int * interval '1 ms' and not exists (select 1 from tasker.task_search s where s.task_uuid = l.task_uuid) differs
    from slice l)
${RESULT}`;

/** Finds tasks without a row. */
export function compareCreatedTasks(db: Db, slice: ComparedSlice): Promise<Compared> {
  return compare(db, COMPARE_CREATED, [slice.after, slice.limit, slice.youngMs]);
}

async function compare(db: Db, statement: ReturnType<ReturnType<typeof sql>>, values: unknown[]): Promise<Compared> {
  const { rows } = await db.query<{ missing: string; last: string | null }>(statement, values);
  const { missing, last } = rows[0]!;
  return { missing: listOf(missing), last };
}

function listOf(text: string): string[] {
  return text === '' ? [] : text.split(',');
}
