import type { Db } from '../db/statement.ts';
import { placeOf } from './queue-id.ts';
import { columns, lists, sql } from './sql.ts';
import type { StepKey } from './step-key.ts';

/** The values of a limit. */
export interface LimitValues {
  name: string;
  concurrent: number | null;
  /** Starts for each second. */
  rate: number | null;
  burst: number;
  keyed: boolean;
  fair: boolean;
}

/** A limit of a template. All versions of the template share it. */
export interface LimitRow extends LimitValues {
  id: number;
  namespaceId: number;
  template: string;
}

/** A key of a limit. The key of a limit without keys is empty. */
export interface LimitKey {
  limitId: number;
  key: string;
}

const STORE_LIMITS = sql('store_limits')`
insert into tasker.flow_limit as l (namespace_id, template, name, concurrent, rate, burst, keyed, fair)
select $1, $2, d.* from unnest($3::text[], $4::int[], $5::float8[], $6::int[], $7::boolean[], $8::boolean[])
  d (name, concurrent, rate, burst, keyed, fair) order by d.name
on conflict (namespace_id, template, name) do update
   set concurrent = excluded.concurrent, rate = excluded.rate, burst = excluded.burst, keyed = excluded.keyed,
       fair = excluded.fair, changed_at = clock_timestamp()
 where (l.concurrent, l.rate, l.burst, l.keyed, l.fair)
       is distinct from (excluded.concurrent, excluded.rate, excluded.burst, excluded.keyed, excluded.fair)
returning name, xmax <> 0 changed`;

/** Stores the limits of a template. Returns the names of those whose values have changed. */
export async function storeLimits(
  db: Db,
  { namespaceId, template, limits }: { namespaceId: number; template: string; limits: readonly LimitValues[] },
): Promise<string[]> {
  const values = lists(limits, 'name', 'concurrent', 'rate', 'burst', 'keyed', 'fair');
  const { rows } = await db.query<{ name: string; changed: boolean }>(STORE_LIMITS, [namespaceId, template, ...values]);
  return rows.filter(({ changed }) => changed).map(({ name }) => name);
}

const LIMITS = sql('list_limits')`
select l.id, l.namespace_id "namespaceId", l.template, l.name, l.concurrent, l.rate, l.burst, l.keyed, l.fair
  from tasker.flow_limit l order by l.id`;

/** Returns all limits. */
export async function allLimits(db: Db): Promise<LimitRow[]> {
  return (await db.query<LimitRow>(LIMITS)).rows;
}

const TRY_ADMITTING = sql('try_admitting')`
select pg_try_advisory_xact_lock(7303014021) mine, (extract(epoch from clock_timestamp()) * 1000)::float8 "nowMs"`;

/** Locks the admission until the transaction ends, and returns the time. Undefined if another transaction has the lock. */
export async function tryAdmitting(db: Db): Promise<{ nowMs: number } | undefined> {
  const { mine, nowMs } = (await db.query<{ mine: boolean; nowMs: number }>(TRY_ADMITTING)).rows[0]!;
  return mine ? { nowMs } : undefined;
}

// A pause waits for transactions with this lock. Without it, a pause could miss the steps that are admitted.
const LOCK_FOR_WRITING = sql('lock_queue_for_writing')`lock table tasker.queue in row exclusive mode`;

/** Locks the queue as a statement that writes to it does. */
export async function lockQueueForWriting(db: Db): Promise<void> {
  await db.query(LOCK_FOR_WRITING);
}

// An attempt counts while its step is queued where it was admitted, or runs. Attempts of a step only grow, so a running or
// later attempt never counts again. A step that left its state before it was claimed may return to it, and its row in the
// queue would let it start. So that row is deleted first, and the holder with the next admission.
const HOLDERS = sql('limit_holders')`
with h as materialized (
  select h.ctid tid, h.limit_id, h.key, q.tid queue_tid, coalesce(s.state = 'in_progress' and s.attempts = h.attempt, false) runs,
         coalesce(s.state = 'enqueued' and s.attempts = h.attempt - 1 and q.tid is not null, false) waits
    from tasker.limit_holder h
    left join lateral (
      select state, attempts from tasker.step s where s.task_uuid = h.task_uuid and s.idx = h.idx offset 0) s on true
    left join lateral (
      select ctid tid from tasker.queue q where q.namespace_id = h.part and q.rank = h.rank and q.id = h.queue_id offset 0) q on true),
stale as (
  delete from tasker.queue where ctid = any (array(
    select queue_tid from h where not runs and not waits and queue_tid is not null))),
gone as (
  delete from tasker.limit_holder where ctid = any (array(
    select tid from h where not runs and not waits and queue_tid is null)))
select limit_id "limitId", key, (count(*) filter (where runs or waits or queue_tid is not null))::int held,
       (count(*) filter (where waits))::int unstarted, bool_or(not runs and not waits) freed
  from h group by 1, 2`;

/** The attempts that hold a key of a limit. */
export interface HeldLimit extends LimitKey {
  held: number;
  /** Number of attempts that were admitted and have not started. */
  unstarted: number;
  /** Whether an attempt no longer counts. */
  freed: boolean;
}

/** Deletes the holders that no longer count, and counts the others. */
export async function heldLimits(db: Db): Promise<HeldLimit[]> {
  return (await db.query<HeldLimit>(HOLDERS)).rows;
}

const READ_INBOX = sql('read_limited_steps')`
select q.namespace_id "part", q.rank, q.id, q.task_uuid "taskUuid", q.idx, q.template_id "templateId",
       exists (select 1 from tasker.step s where s.task_uuid = q.task_uuid and s.idx = q.idx and s.state = 'enqueued') ready
  from unnest($1::int[]) n (part) cross join lateral (
    select * from tasker.queue q where q.namespace_id = n.part order by q.rank, q.id limit $2 for update skip locked) q
 order by q.rank, q.id`;

/** A row of the queue. */
export interface QueueRow extends StepKey {
  part: number;
  rank: number;
  id: number;
  templateId: number;
}

/** Locks and returns the first rows of parts of the queue. `ready`: whether the step is still ready. */
export async function readInbox(
  db: Db,
  parts: readonly number[],
  most: number,
): Promise<(QueueRow & { ready: boolean })[]> {
  return (await db.query<QueueRow & { ready: boolean }>(READ_INBOX, [`{${parts.join(',')}}`, most])).rows;
}

const TASKS_FOR_KEYS = sql('tasks_for_limit_keys')`
select task_uuid "taskUuid", context::text context, tags, rank, tasker.iso(created_at) "createdAt", correlation_id "correlationId"
  from tasker.task where task_uuid = any ($1::uuid[])`;

/** The values of a task that keys of limits are computed from. */
export interface TaskForKeys {
  taskUuid: string;
  context: string;
  tags: string[] | null;
  rank: number;
  createdAt: string;
  correlationId: string | null;
}

/** Returns the values of tasks that the keys of limits are computed from. */
export async function tasksForKeys(db: Db, taskUuids: readonly string[]): Promise<TaskForKeys[]> {
  return (await db.query<TaskForKeys>(TASKS_FOR_KEYS, [`{${taskUuids.join(',')}}`])).rows;
}

const ADD_LINES = sql('add_limit_lines')`
insert into tasker.limit_line as l (limits, keys, rank, place)
select d.limits::int[], array(select jsonb_array_elements_text(d.keys::jsonb)), d.rank, d.place
  from unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[]) d (limits, keys, rank, place)
 order by d.limits, d.keys
on conflict (limits, keys) do update
   set rank = case when (excluded.rank, excluded.place) < (l.rank, l.place) then excluded.rank else l.rank end,
       place = case when (excluded.rank, excluded.place) < (l.rank, l.place) then excluded.place else l.place end
returning id, limits, keys`;

/** A line to add, or to move forward. */
export interface NewLine {
  limits: readonly number[];
  keys: readonly string[];
  rank: number;
  place: number;
}

/** Adds lines that do not exist yet. Returns their ids, in any order. */
export async function addLines(
  db: Db,
  lines: readonly NewLine[],
): Promise<{ id: number; limits: number[]; keys: string[] }[]> {
  const { rows } = await db.query<{ id: number; limits: number[]; keys: string[] }>(ADD_LINES, [
    lines.map(({ limits }) => `{${limits.join(',')}}`),
    lines.map(({ keys }) => JSON.stringify(keys)),
    ...columns(lines, 'rank', 'place'),
  ]);
  return rows;
}

const FREE_LINES = sql('free_limit_lines')`
update tasker.limit_line l set held_by = null, held_key = null, held_until = null
 where ctid = any (array(
   select x.ctid from unnest($1::int[], $2::text[]) d (limit_id, key) cross join lateral (
     select ctid from tasker.limit_line x where x.held_by = d.limit_id and x.held_key = d.key offset 0) x
   union all
   select ctid from tasker.limit_line x where x.held_until <= clock_timestamp()))`;

/** Lets the lines be read that waited for these keys of limits, or whose time has come. */
export async function freeLines(db: Db, freed: readonly LimitKey[]): Promise<void> {
  await db.query(FREE_LINES, lists(freed, 'limitId', 'key'));
}

// The distinct values are found one by one in the index, because a set of limits may have a million lines.
const LIMIT_SETS = sql('limit_sets')`
with recursive s as (
  (select limits from tasker.limit_line where held_by is null order by limits limit 1)
  union all
  select (select l.limits from tasker.limit_line l where l.held_by is null and l.limits > s.limits order by l.limits limit 1)
    from s where s.limits is not null)
select limits, (select (extract(epoch from min(held_until)) * 1000)::float8 from tasker.limit_line where held_until is not null) "heldUntilMs"
  from s where limits is not null or s.limits is null`;

/** Returns the sets of limits that have lines to read, and the time at which another line is to be read. */
export async function limitSets(db: Db): Promise<{ sets: number[][]; heldUntilMs: number | null }> {
  const { rows } = await db.query<{ limits: number[] | null; heldUntilMs: number | null }>(LIMIT_SETS);
  return { sets: rows.flatMap(({ limits }) => (limits ? [limits] : [])), heldUntilMs: rows[0]?.heldUntilMs ?? null };
}

const READ_LINES = sql('read_limit_lines')`
select l.id line, l.keys, l.rank "lineRank", l.place, q.namespace_id part, q.rank, q.id, q.task_uuid "taskUuid", q.idx,
       q.template_id "templateId", s.attempts,
       ${placeOf({ template: 'q.template_id', task: 'q.task_uuid', idx: 'q.idx' })} "placeInQueue"
  from (select id, keys, rank, place from tasker.limit_line
         where limits = $1::int[] and held_by is null order by rank, place limit $2) l
  left join lateral (
    select * from tasker.queue q where q.namespace_id = l.id order by q.rank, q.id limit $3) q on true
  left join lateral (
    select attempts from tasker.step s where s.task_uuid = q.task_uuid and s.idx = q.idx and s.state = 'enqueued' offset 0) s on true
 order by l.rank, l.place, l.id, q.rank, q.id`;

/** A step in a line. */
export interface LineStep extends QueueRow {
  line: number;
  keys: string[];
  place: number;
  lineRank: number;
  /** Null if the step is not ready any more. */
  attempts: number | null;
  /** The part of the queue for the step if it was not in the line. Negative if it is paused or withheld. */
  placeInQueue: number;
}

/** Returns the first steps of the first lines of a set of limits. */
export async function readLines(
  db: Db,
  { limits, lines, steps }: { limits: readonly number[]; lines: number; steps: number },
): Promise<LineStep[]> {
  return (await db.query<LineStep>(READ_LINES, [`{${limits.join(',')}}`, lines, steps])).rows;
}

const PACES = sql('limit_paces')`
select p.limit_id "limitId", p.key, (extract(epoch from p.due_at) * 1000)::float8 "dueMs"
  from unnest($1::int[], $2::text[]) d (limit_id, key) cross join lateral (
    select * from tasker.limit_pace p where p.limit_id = d.limit_id and p.key = d.key offset 0) p`;

/** The pace of a key of a limit: the time at which the next start would be due, in milliseconds since 1970. */
export interface Pace extends LimitKey {
  dueMs: number;
}

/** Returns the paces of keys of limits, if they have any. */
export async function readPaces(db: Db, keys: readonly LimitKey[]): Promise<Pace[]> {
  return (await db.query<Pace>(PACES, lists(keys, 'limitId', 'key'))).rows;
}

const SAVE_PACES = sql('save_limit_paces')`
insert into tasker.limit_pace (limit_id, key, due_at)
select limit_id, key, to_timestamp(due_ms / 1000) from unnest($1::int[], $2::text[], $3::float8[]) d (limit_id, key, due_ms)
 order by limit_id, key
on conflict (limit_id, key) do update set due_at = excluded.due_at`;

/** Saves paces. */
export async function savePaces(db: Db, paces: readonly Pace[]): Promise<void> {
  await db.query(SAVE_PACES, lists(paces, 'limitId', 'key', 'dueMs'));
}

const TAKE_FROM_QUEUE = sql('take_limited_steps')`
delete from tasker.queue where ctid = any (array(
  select q.tid from unnest($1::int[], $2::smallint[], $3::bigint[]) d (part, rank, id) cross join lateral (
    select ctid tid from tasker.queue q where q.namespace_id = d.part and q.rank = d.rank and q.id = d.id offset 0) q))
returning id`;

const PUT_INTO_QUEUE = sql('put_limited_steps')`
insert into tasker.queue (namespace_id, rank, id, task_uuid, idx, template_id) overriding system value
select * from unnest($1::int[], $2::smallint[], $3::bigint[], $4::uuid[], $5::int[], $6::int[])`;

/**
 * Moves rows of the queue to other parts. Rows without a part are removed. Returns the ids of the rows that were there.
 * Call it after lockQueueForWriting.
 */
export async function moveRows(
  db: Db,
  rows: readonly (QueueRow & { to: number | null })[],
): Promise<ReadonlySet<number>> {
  const { rows: taken } = await db.query<{ id: number }>(TAKE_FROM_QUEUE, columns(rows, 'part', 'rank', 'id'));
  const ids = new Set(taken.map(({ id }) => id));
  const moved = rows.filter(({ id, to }) => to !== null && ids.has(id));
  if (moved.length > 0)
    await db.query(PUT_INTO_QUEUE, columns(moved, 'to', 'rank', 'id', 'taskUuid', 'idx', 'templateId'));
  return ids;
}

const ADD_HOLDERS = sql('add_limit_holders')`
insert into tasker.limit_holder (limit_id, key, task_uuid, idx, attempt, part, rank, queue_id)
select * from unnest($1::int[], $2::text[], $3::uuid[], $4::int[], $5::int[], $6::int[], $7::smallint[], $8::bigint[])
on conflict (limit_id, key, task_uuid, idx) do update
   set attempt = excluded.attempt, part = excluded.part, rank = excluded.rank, queue_id = excluded.queue_id, admitted_at = now()`;

/** An attempt that was admitted. */
export interface NewHolder extends LimitKey, StepKey {
  attempt: number;
  part: number;
  rank: number;
  queueId: number;
}

/** Stores the attempts that were admitted. */
export async function addHolders(db: Db, holders: readonly NewHolder[]): Promise<void> {
  await db.query(
    ADD_HOLDERS,
    lists(holders, 'limitId', 'key', 'taskUuid', 'idx', 'attempt', 'part', 'rank', 'queueId'),
  );
}

const CHANGE_LINES = sql('change_limit_lines')`
update tasker.limit_line l
   set rank = d.rank, place = d.place, held_by = d.held_by, held_key = d.held_key,
       held_until = to_timestamp(d.held_until_ms / 1000)
  from unnest($1::int[], $2::smallint[], $3::bigint[], $4::int[], $5::text[], $6::float8[])
       d (id, rank, place, held_by, held_key, held_until_ms)
 where l.id = any (array[d.id])`;

const DELETE_LINES = sql('delete_limit_lines')`delete from tasker.limit_line where id = any ($1::int[])`;

/** The new place of a line, and the key that has no room for its first step. */
export interface ChangedLine {
  id: number;
  rank: number;
  place: number;
  heldBy: number | null;
  heldKey: string | null;
  /** When the limit has room at the latest, in milliseconds since 1970. Null: when an attempt ends. */
  heldUntilMs: number | null;
}

/** Changes lines, and deletes empty lines. */
export async function changeLines(
  db: Db,
  { changed, empty }: { changed: readonly ChangedLine[]; empty: readonly number[] },
): Promise<void> {
  if (changed.length > 0) {
    await db.query(CHANGE_LINES, lists(changed, 'id', 'rank', 'place', 'heldBy', 'heldKey', 'heldUntilMs'));
  }
  if (empty.length > 0) await db.query(DELETE_LINES, [`{${empty.join(',')}}`]);
}
