import type { Db } from '../db/statement.ts';
import type { Stretch } from './pauses/pauses.ts';
import { placeOf, withheldPartsOf } from './queue-id.ts';
import { columns, lists, sql } from './sql.ts';
import type { HeldKey } from './step-key.ts';

/** A handler that steps of a namespace need. `resolver`: the resolver that their templates name, or null. */
export interface NeededHandler {
  namespace: string;
  callable: string;
  resolver: string | null;
}

/**
 * The state of a handler that a worker missed. `withheld`: no live worker has it. `offered`: a worker that
 * may find it through a resolver is being tried. `served`: a worker announced it.
 */
export type MissingHandlerState = 'withheld' | 'offered' | 'served';

/** A handler that a worker missed. */
export interface MissingHandlerRow extends NeededHandler {
  id: number;
  namespaceId: number;
  /** ISO time at which a worker first missed it. */
  since: string;
  state: MissingHandlerState;
  /** The instances of live workers whose resolvers did not find it. */
  tried: string[];
  revision: number;
  settled: boolean;
}

const COLUMNS = `h.id, h.namespace_id "namespaceId", n.name namespace, h.callable, h.resolver, tasker.iso(h.since) since, h.state,
       h.tried, h.revision, h.settled`;

const MISSING_HANDLERS = sql('list_missing_handlers')`
select ${COLUMNS} from tasker.missing_handler h join tasker.namespace n on n.id = h.namespace_id order by h.id limit 10000`;

/** Returns the handlers that workers missed, oldest first. */
export async function missingHandlers(db: Db): Promise<MissingHandlerRow[]> {
  return (await db.query<MissingHandlerRow>(MISSING_HANDLERS)).rows;
}

const LIVE_ANNOUNCEMENTS = sql('live_announcements')`
select coalesce(instance::text, id::text) instance, namespaces, callables
  from tasker.worker where state = 'alive' and lease_until > now()`;

/** The announcement of a live worker. */
export interface AnnouncementRow {
  /** The same for all incarnations of a worker. */
  instance: string;
  namespaces: string[];
  callables: string[];
}

/** Returns what the live workers announce. */
export async function liveAnnouncements(db: Db): Promise<AnnouncementRow[]> {
  return (await db.query<AnnouncementRow>(LIVE_ANNOUNCEMENTS)).rows;
}

// The resolvers of workers that have ended need not be remembered.
const NOTE_MISSING = sql('note_missing_handlers')`
insert into tasker.missing_handler as h (namespace_id, callable, resolver, since, state, tried)
select n.id, d.callable, d.resolver, now() - d.ms * interval '1 ms', d.state, case when d.tried is null then '{}' else array[d.tried] end
  from unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::text[]) d (namespace, callable, resolver, ms, state, tried)
  join tasker.namespace n on n.name = d.namespace
 order by n.id, d.callable, d.resolver
on conflict (namespace_id, callable, resolver) do update set
  state = excluded.state,
  since = case when h.state = 'served' then excluded.since else least(h.since, excluded.since) end,
  tried = array(select distinct t from unnest(h.tried || excluded.tried) t
                 where exists (select 1 from tasker.worker w where coalesce(w.instance::text, w.id::text) = t
                                  and w.state = 'alive' and w.lease_until > now())),
  settled = h.settled and h.state = excluded.state, revision = h.revision + (h.state <> excluded.state)::int,
  changed_at = clock_timestamp()`;

/** A handler that a worker misses. */
export interface MissedHandler extends NeededHandler {
  state: MissingHandlerState;
  /** Milliseconds since the worker first missed it. */
  missedMs: number;
  /** The instance of the worker, if one of its resolvers accepts the name but does not find the handler. */
  triedBy: string | null;
}

/** Stores handlers that a worker misses. Call it after lockMoves. */
export async function noteMissing(db: Db, handlers: readonly MissedHandler[]): Promise<void> {
  await db.query(NOTE_MISSING, lists(handlers, 'namespace', 'callable', 'resolver', 'missedMs', 'state', 'triedBy'));
}

const CHANGE_MISSING = sql('change_missing_handlers')`
update tasker.missing_handler h set state = d.state, settled = false, revision = h.revision + 1, changed_at = clock_timestamp()
  from unnest($1::bigint[], $2::text[]) d (id, state) where h.id = d.id`;

/** Changes the states of missing handlers. Call it after lockMoves. */
export async function changeMissing(
  db: Db,
  changes: readonly { id: number; state: MissingHandlerState }[],
): Promise<void> {
  await db.query(CHANGE_MISSING, columns(changes, 'id', 'state'));
}

const SETTLE_MISSING = sql('settle_missing_handlers')`
with settled as (
  update tasker.missing_handler h set settled = true
    from unnest($1::bigint[], $2::int[]) d (id, revision) where h.id = d.id and h.revision = d.revision and h.state <> 'served')
delete from tasker.missing_handler h
 using unnest($1::bigint[], $2::int[]) d (id, revision) where h.id = d.id and h.revision = d.revision and h.state = 'served'`;

/** Records that the queue reflects the states of these handlers, unless they have changed since they were read. */
export async function settleMissing(db: Db, handlers: readonly MissingHandlerRow[]): Promise<void> {
  await db.query(SETTLE_MISSING, columns(handlers, 'id', 'revision'));
}

// The steps are still counted as active, so the row of the task does not change. The attempt is spared. A step that no
// handler ran in keeps the times of its last attempt, because a claim without a handler is not progress of its task.
const WITHHOLD_STEPS = sql('withhold_steps')`
with done as (
  update tasker.step s set
    state = 'enqueued', result = null, spared = s.spared + 1, next_at = null, started_at = d.last_start, done_at = d.last_end
    from (
      select d.*, x.tid, x.began, a.started_at last_start, a.ended_at last_end
        from unnest($1::uuid[], $2::int[], $3::bigint[], $4::int[], $5::smallint[])
             with ordinality d (task_uuid, idx, claim, template_id, rank, ord)
       cross join lateral (
         select ctid tid, started_at began from tasker.step x
          where x.task_uuid = d.task_uuid and x.idx = d.idx and x.state = 'in_progress' and x.claim = d.claim offset 0) x
        left join lateral (
         select started_at, ended_at from tasker.history a
          where a.task_uuid = d.task_uuid and a.idx = d.idx and a.outcome <> 'released'
          order by a.attempt desc limit 1) a on true) d
   where s.ctid = d.tid
  returning s.task_uuid, s.idx, s.attempts, s.spared, d.claim, d.template_id, d.rank, d.began, d.ord),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select ${placeOf({ template: 'done.template_id', task: 'done.task_uuid', idx: 'done.idx' })}, rank, task_uuid, idx, template_id
    from done order by ord
  returning namespace_id),
h as (
  insert into tasker.history (task_uuid, idx, attempt, number, worker_id, outcome, state, started_at, ended_at)
  select task_uuid, idx, attempts, nullif(attempts - spared + 1, attempts), claim >> 24, 'released', 'enqueued', began,
         greatest(statement_timestamp(), began) from done)
select coalesce((select array_agg(ord)::text from done), '{}') accepted,
       (select count(*)::int from q where namespace_id > 0) queued`;

/** A step that is released because its worker lacks the handler. */
export interface WithheldStep extends HeldKey {
  templateId: number;
  rank: number;
}

/**
 * Releases steps without spending an attempt, to the part of the queue that their handlers belong to. Returns the
 * positions of the accepted steps in the list, and the number of steps that a worker can claim. Call it after lockTasks,
 * lockMoves and noteMissing.
 */
export async function withholdSteps(
  db: Db,
  steps: readonly WithheldStep[],
): Promise<{ accepted: Set<number>; queued: number }> {
  const values = columns(steps, 'taskUuid', 'idx', 'claim', 'templateId', 'rank');
  const { accepted, queued } = (await db.query<{ accepted: string; queued: number }>(WITHHOLD_STEPS, values)).rows[0]!;
  const ords = JSON.parse(`[${accepted.slice(1, -1)}]`) as number[];
  return { accepted: new Set(ords.map((ord) => ord - 1)), queued };
}

const TIDY_WITHHELD = sql('tidy_withheld_steps')`
with seen as materialized (
  select ctid tid, rank, id, task_uuid, idx from tasker.queue
   where namespace_id = $1::int and (rank, id) > ($2, $3) order by rank, id limit $4),
gone as (
  delete from tasker.queue where ctid = any (array(
    select tid from seen where not exists (
      select 1 from tasker.step s where s.task_uuid = seen.task_uuid and s.idx = seen.idx and s.state = 'enqueued' offset 0))))
select last.rank "lastRank", last.id "lastId"
  from (select count(*) n from seen) c left join lateral (
    select rank, id from seen order by rank desc, id desc limit 1) last on c.n = $4`;

/**
 * Deletes the rows of a stretch whose steps were cancelled or settled, because no claim removes them. Returns the last
 * row of the stretch. Undefined at the end of the part. Call it after lockMoves.
 */
export async function tidyWithheld(db: Db, { queueId, after, limit }: Stretch): Promise<Stretch['after'] | undefined> {
  type Row = { lastRank: number | null; lastId: number | null };
  const { lastRank, lastId } = (await db.query<Row>(TIDY_WITHHELD, [queueId, after.rank, after.id, limit])).rows[0]!;
  return lastRank === null ? undefined : { rank: lastRank, id: lastId! };
}

const FORGET_MISSING = sql('forget_missing_handlers')`
with kinds as materialized (
  select distinct n.namespace_id, q.template_id, tasker.template_idx(q.idx) idx
    from (select distinct namespace_id from tasker.missing_handler) n
    join tasker.queue q on q.namespace_id = any (${withheldPartsOf('n.namespace_id')})),
needed as materialized (
  select distinct k.namespace_id, s.callable
    from kinds k join tasker.template_step s on s.template_id = k.template_id and s.idx = k.idx)
delete from tasker.missing_handler h
 where h.settled and h.changed_at < now() - $1 * interval '1 ms'
   and not exists (select 1 from needed k where k.namespace_id = h.namespace_id and k.callable = h.callable)`;

/** Deletes handlers that have not changed for a time, and that no withheld step needs. Call it after lockMoves. */
export async function forgetMissing(db: Db, unchangedMs: number): Promise<void> {
  await db.query(FORGET_MISSING, [unchangedMs]);
}

const SOME_MISSING = sql('any_missing_handler')`select exists (select 1 from tasker.missing_handler) there`;

/** Returns whether any worker missed a handler. */
export async function anyMissing(db: Db): Promise<boolean> {
  return (await db.query<{ there: boolean }>(SOME_MISSING)).rows[0]!.there;
}
