import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/** The kind of a bulk action: its verb, and whether it acts on tasks or steps. */
export type BulkAction =
  | 'task_cancel'
  | 'task_retry'
  | 'task_resolve'
  | 'task_delete'
  | 'task_redrive'
  | 'task_undo'
  | 'step_retry'
  | 'step_reset'
  | 'step_resolve';

const FORGET_SELECTIONS = sql('forget_selections')`
with old as (
  select id from tasker.bulk where state = 'selected' and created_at < now() - interval '1 day' for update skip locked),
items as (delete from tasker.bulk_item where bulk_id in (select id from old))
delete from tasker.bulk where id in (select id from old)`;

const CREATE_BULK = sql('create_bulk')`
insert into tasker.bulk (action, filter, result, actor, reason, door) values ($1, $2, $3, $4, $5, $6) returning id`;

/** A bulk action to create. */
export interface NewBulk {
  action: BulkAction;
  /** JSON text. Null if ids were given. */
  filter: string | null;
  /** JSON text for `step_resolve`. */
  result: string | null;
  actor: string;
  reason: string | null;
  door: string;
}

/**
 * Creates a bulk action that has not begun, and deletes bulk actions that did not begin within a day. Returns the id.
 */
export async function createBulk(db: Db, { action, filter, result, actor, reason, door }: NewBulk): Promise<number> {
  await db.query(FORGET_SELECTIONS);
  const values = [action, filter, result, actor, reason, door];
  return (await db.query<{ id: number }>(CREATE_BULK, values)).rows[0]!.id;
}

const COUNT_SELECTED = sql('count_selected')`
update tasker.bulk set matched = c.matched, skipped = c.skipped, seen_at = clock_timestamp()
  from (select count(*)::int matched, (count(*) filter (where outcome = 'skipped'))::int skipped
          from tasker.bulk_item where bulk_id = $1) c
 where id = $1 returning bulk.matched, bulk.skipped`;

/** Stores the number of selected items, and the number of items that do not exist. */
export async function countSelected(db: Db, id: number): Promise<{ matched: number; skipped: number }> {
  return (await db.query<{ matched: number; skipped: number }>(COUNT_SELECTED, [id])).rows[0]!;
}

const DISCARD_BULK = sql('discard_bulk')`
with gone as (delete from tasker.bulk where id = $1 and state = 'selected' returning id)
delete from tasker.bulk_item where bulk_id in (select id from gone)`;

/** Deletes a bulk action that has not begun. */
export async function discardBulk(db: Db, id: number): Promise<void> {
  await db.query(DISCARD_BULK, [id]);
}

const TAKE_BULK = sql('take_bulk')`
update tasker.bulk set state = 'running', runner = $2, started_at = coalesce(started_at, now()), seen_at = now(), ended_at = null
 where id = $1 and state = any ($3::text[])
returning id`;

/** Makes this runner the owner of a bulk action in one of these states. Returns false if it is in another state. */
export async function takeBulk(
  db: Db,
  { id, runner, from }: { id: number; runner: string; from: readonly BulkState[] },
): Promise<boolean> {
  return (await db.query(TAKE_BULK, [id, runner, from])).rows.length > 0;
}

const KEY_BULK = sql('key_bulk')`
update tasker.bulk set request_key = $2, request_hash = decode($3, 'hex') where id = $1`;

/** The key of the request that begins a bulk action, and the SHA-256 of the request in hex. */
export interface BulkRequest {
  key: string;
  hash: string;
}

/**
 * Stores which request began a bulk action. Fails with a unique violation if the request has already begun another
 * action of the same actor.
 */
export async function keyBulk(db: Db, id: number, { key, hash }: BulkRequest): Promise<void> {
  await db.query(KEY_BULK, [id, key, hash]);
}

const FIND_REQUEST = sql('find_bulk_request')`
select id, encode(request_hash, 'hex') hash from tasker.bulk where actor = $1 and request_key = $2`;

/** Returns the bulk action that a request of this actor began. */
export async function findBulkRequest(
  db: Db,
  { actor, key }: { actor: string; key: string },
): Promise<{ id: number; hash: string } | undefined> {
  return (await db.query<{ id: number; hash: string }>(FIND_REQUEST, [actor, key])).rows[0];
}

const LOCK_BULK = sql('lock_bulk')`
select state, coalesce(runner = $2, false) mine from tasker.bulk where id = $1 for update`;

/**
 * Locks a bulk action before its tasks, so that two processes never work on it at the same time. Returns its state, and
 * whether this runner still owns it.
 */
export async function lockBulk(
  db: Db,
  id: number,
  runner: string,
): Promise<{ state: BulkState; mine: boolean } | undefined> {
  return (await db.query<{ state: BulkState; mine: boolean }>(LOCK_BULK, [id, runner])).rows[0];
}

const STOP_BULK = sql('stop_bulk')`
update tasker.bulk set state = 'stopped', seen_at = now() where id = $1 and state = 'running' and ($2::uuid is null or runner = $2) returning id`;

/**
 * Stops a bulk action after the chunk in progress, if this runner owns it. If null, any runner may own it. Returns
 * false if it is not running.
 */
export async function stopBulk(db: Db, id: number, runner: string | null): Promise<boolean> {
  return (await db.query(STOP_BULK, [id, runner])).rows.length > 0;
}

const END_BULK = sql('end_bulk')`
update tasker.bulk set state = 'done', seen_at = now(), ended_at = now() where id = $1 and runner = $2 and state = 'running'`;

/** Ends a bulk action whose items all have an outcome. */
export async function endBulk(db: Db, id: number, runner: string): Promise<void> {
  await db.query(END_BULK, [id, runner]);
}

/** The state of a bulk action. `selected`: it waits for a confirmation. */
export type BulkState = 'selected' | 'running' | 'stopped' | 'done';

/** A bulk action. */
export interface BulkRow {
  id: number;
  action: BulkAction;
  state: BulkState;
  /** JSON text. */
  filter: string | null;
  /** JSON text. */
  result: string | null;
  actor: string;
  reason: string | null;
  door: string;
  matched: number;
  done: number;
  skipped: number;
  failed: number;
  createdAt: string;
  startedAt: string | null;
  seenAt: string;
  endedAt: string | null;
  /** Whether no process has worked on it for a while. */
  silent: boolean;
}

const COLUMNS = `
  id, action, state, filter::text, result::text, actor, reason, door, matched, done, skipped, failed,
  tasker.iso(created_at) "createdAt", tasker.iso(started_at) "startedAt", tasker.iso(seen_at) "seenAt",
  tasker.iso(ended_at) "endedAt", seen_at < now() - interval '30 seconds' silent`;

const GET_BULK = sql('get_bulk')`select ${COLUMNS} from tasker.bulk where id = $1`;

/** Returns a bulk action. */
export async function getBulk(db: Db, id: number): Promise<BulkRow | undefined> {
  return (await db.query<BulkRow>(GET_BULK, [id])).rows[0];
}

const LIST_BULKS = sql('list_bulks')`
select ${COLUMNS} from tasker.bulk where state <> 'selected' and id < $1 order by id desc limit $2`;

/** Returns the bulk actions before the given one that have begun, newest first. */
export async function listBulks(db: Db, { before, limit }: { before: number; limit: number }): Promise<BulkRow[]> {
  return (await db.query<BulkRow>(LIST_BULKS, [before, limit])).rows;
}
