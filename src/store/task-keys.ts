import type { Db } from '../db/statement.ts';
import { cancelOpen, type Operator } from './operator-actions.ts';
import { shownState } from './shown-state.ts';
import { lists, sql } from './sql.ts';

// The rows are inserted or locked in the order of their hashes, to prevent deadlocks. The update changes nothing: it locks a
// row that exists, and waits for a transaction that is inserting it.
const LOCK_TASK_KEYS = sql('lock_task_keys')`
with locked as (
  insert into tasker.task_key as k (hash, task_uuid)
  select decode(d.hash, 'hex'), d.task_uuid from unnest($1::text[], $2::uuid[]) d (hash, task_uuid) order by 1
  on conflict (hash) do update set task_uuid = k.task_uuid
  returning encode(k.hash, 'hex') hash, k.task_uuid "taskUuid")
select hash, "taskUuid" from locked`;

/** A key, and the task that takes it or has taken it. */
export interface HeldTaskKey {
  /** SHA-256 in hex. */
  hash: string;
  taskUuid: string;
}

/**
 * Locks keys until the end of the transaction. Returns the task in the row of each key: the given one, if the row was
 * missing. The hashes must differ. Call it before any lock of a task.
 */
export async function lockTaskKeys(db: Db, keys: readonly HeldTaskKey[]): Promise<Map<string, string>> {
  const { rows } = await db.query<HeldTaskKey>(LOCK_TASK_KEYS, lists(keys, 'hash', 'taskUuid'));
  return new Map(rows.map(({ hash, taskUuid }) => [hash, taskUuid]));
}

const OPEN_HOLDERS = sql('open_holders')`
select t.task_uuid "taskUuid", (${shownState('t')})::text state, m.version, t.undo_at is not null undoing,
       coalesce(m.definition #>> '{lifecycle,on_cancel}' = 'undo', false) "undoneOnCancel"
  from unnest($1::uuid[]) d (task_uuid)
 cross join lateral (select * from tasker.task x where x.task_uuid = d.task_uuid and x.done_at is null offset 0) t
  join tasker.template m on m.id = t.template_id`;

/** An open task that has a key. */
export interface OpenHolder {
  taskUuid: string;
  state: string;
  /** The version of its template. */
  version: string;
  /** Whether it is being undone. */
  undoing: boolean;
  /** Whether a cancellation would undo it. */
  undoneOnCancel: boolean;
}

/**
 * Returns the open tasks among these. While their keys are locked, a task that has ended cannot become open; an open task can
 * end, unless it is locked, too.
 */
export async function openHolders(db: Db, taskUuids: readonly string[]): Promise<Map<string, OpenHolder>> {
  if (taskUuids.length === 0) return new Map();
  const { rows } = await db.query<OpenHolder>(OPEN_HOLDERS, [`{${taskUuids.join(',')}}`]);
  return new Map(rows.map((row) => [row.taskUuid, row]));
}

// A claim locks only the steps, so they are locked, too. It skips locked steps, and one that has committed is visible then.
const BEGUN_TASKS = sql('begun_tasks')`
with s as materialized (
  select x.task_uuid, x.attempts > 0 or x.state not in ('pending', 'enqueued') begun from tasker.step x
   where x.task_uuid = any ($1::uuid[]) order by x.task_uuid, x.idx for update)
select distinct task_uuid "taskUuid" from s where begun`;

/** Returns the tasks among these of which a step was attempted. No other step of them can begin until the end of the transaction. */
export async function begunTasks(db: Db, taskUuids: readonly string[]): Promise<Set<string>> {
  if (taskUuids.length === 0) return new Set();
  const { rows } = await db.query<{ taskUuid: string }>(BEGUN_TASKS, [`{${taskUuids.join(',')}}`]);
  return new Set(rows.map(({ taskUuid }) => taskUuid));
}

// Like cancel_task, with types for clients of callers.
const REPLACE_TASK = sql('replace_task')`
with target as (
  select task_uuid, state from tasker.task where task_uuid = $1::uuid and verdict is null and done_at is null),
${cancelOpen(`'cancel'`, '$1::uuid')},
a as (
  insert into tasker.operator_action (task_uuid, at, action, from_state, to_state, actor, reason, door)
  select task_uuid, statement_timestamp(), 'cancel', state::text, 'cancelled', $2::text, $3::text, $4::text from target),
t as (
  update tasker.task set verdict = 'cancelled', n_open = 0, n_active = 0, n_retry = 0, n_error = 0, n_wait = 0,
         done_at = statement_timestamp()
   where task_uuid = (select task_uuid from target) returning task_uuid)
select (select count(*)::int from old where state = 'in_progress') running from t`;

/** Cancels a task that another one replaces. Returns the number of its running steps. Call it after lockTasks. */
export async function replaceTask(
  db: Db,
  taskUuid: string,
  { actor, reason, door }: Pick<Operator, 'actor' | 'reason' | 'door'>,
): Promise<number> {
  const { rows } = await db.query<{ running: number }>(REPLACE_TASK, [taskUuid, actor, reason, door]);
  return rows[0]?.running ?? 0;
}

const TAKE_TASK_KEYS = sql('take_task_keys')`
update tasker.task_key k set task_uuid = x.task_uuid
  from (
    select y.tid, d.task_uuid from unnest($1::text[], $2::uuid[]) d (hash, task_uuid)
     cross join lateral (
       select ctid tid from tasker.task_key z where z.hash = decode(d.hash, 'hex') and z.task_uuid <> d.task_uuid offset 0) y) x
 where k.ctid = x.tid`;

/** Writes the tasks that now have these keys. Call it after {@link lockTaskKeys}. */
export async function takeTaskKeys(db: Db, keys: readonly HeldTaskKey[]): Promise<void> {
  if (keys.length > 0) await db.query(TAKE_TASK_KEYS, lists(keys, 'hash', 'taskUuid'));
}

// Not hot: only with the client of a caller; reads a setting of the session.
const LIMIT_LOCK_WAITS = sql('limit_lock_waits')`
with earlier as materialized (select setting from pg_settings where name = 'lock_timeout')
select setting earlier,
       set_config('lock_timeout', case when setting::int between 1 and $1::int then setting else $1::text end, true) from earlier`;
// Not hot: only with the client of a caller; changes a setting of the session.
const RESTORE_LOCK_WAITS = sql('restore_lock_waits')`
select set_config('lock_timeout', $1::text, true) restored`;

/** Runs statements in the transaction of a caller that wait for each lock at most this long. */
export async function limitingLockWaits<T>(db: Db, limitMs: number, work: () => Promise<T>): Promise<T> {
  const { rows } = await db.query<{ earlier: string }>(LIMIT_LOCK_WAITS, [limitMs]);
  try {
    return await work();
  } finally {
    // After an error of the server, the transaction has failed, and the setting ends with it.
    await db.query(RESTORE_LOCK_WAITS, [rows[0]!.earlier]).catch(() => undefined);
  }
}

// Not hot: once a minute; reads a page of the keys in their order, and looks up their tasks.
const KEY_PAGE = sql('task_key_page')`
select encode(k.hash, 'hex') hash, not exists (
         select 1 from tasker.task t where t.task_uuid = k.task_uuid and t.done_at is null offset 0) free
  from (select * from tasker.task_key where hash > decode($1, 'hex') order by hash limit $2) k
 order by k.hash`;

/** Returns a page of the keys after one, and whether each is free. */
export async function taskKeyPage(db: Db, after: string, limit: number): Promise<{ hash: string; free: boolean }[]> {
  return (await db.query<{ hash: string; free: boolean }>(KEY_PAGE, [after, limit])).rows;
}

// Not hot: once a minute, if keys are free; looks up keys.
const LOCK_FREE_KEYS = sql('lock_free_keys')`
select encode(hash, 'hex') hash from tasker.task_key
 where hash = any (array(select decode(h, 'hex') from unnest($1::text[]) h)) order by task_key.hash for update skip locked`;

// Not hot: once a minute, if keys are free; looks up keys. A later statement: it sees the tasks that took the keys before they were locked.
const DELETE_FREE_KEYS = sql('delete_free_keys')`
delete from tasker.task_key k
 where k.hash = any (array(select decode(h, 'hex') from unnest($1::text[]) h))
   and not exists (select 1 from tasker.task t where t.task_uuid = k.task_uuid and t.done_at is null offset 0)`;

/** Deletes the keys among these that are free, except keys that other transactions have locked. */
export async function deleteFreeKeys(db: Db, hashes: readonly string[]): Promise<void> {
  const { rows } = await db.query<{ hash: string }>(LOCK_FREE_KEYS, [hashes]);
  if (rows.length > 0) await db.query(DELETE_FREE_KEYS, [rows.map(({ hash }) => hash)]);
}
