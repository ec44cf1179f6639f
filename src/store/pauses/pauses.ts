import type { Db } from '../../db/statement.ts';
import type { Operator } from '../operator-actions.ts';
import { pausedPartsOf, placeOf, queueIdOf, unpausedPartsOf } from '../queue-id.ts';
import { openTasks } from '../shown-state.ts';
import { sql } from '../sql.ts';

/**
 * The object that a pause covers: a task, a namespace, a template of the namespace, or one version of that template.
 */
export interface PauseObject {
  taskUuid: string | null;
  namespaceId: number | null;
  name: string | null;
  version: string | null;
}

const LOCK_PAUSES = sql('lock_pauses')`select pg_advisory_xact_lock(7303014006)`;

/** Serializes the pauses of templates and namespaces with each other and with registrations, until the transaction ends. */
export async function lockPauses(db: Db): Promise<void> {
  await db.query(LOCK_PAUSES);
}

const LOCK_PAUSES_SHARED = sql('lock_pauses_shared')`select pg_advisory_xact_lock_shared(7303014006)`;

/** Keeps pauses from starting or ending while a template is registered. Call it first in the transaction. */
export async function lockPausesShared(db: Db): Promise<void> {
  await db.query(LOCK_PAUSES_SHARED);
}

const LOCK_MOVES = sql('lock_moves')`select pg_advisory_xact_lock(7303014007)`;

/**
 * Serializes the transactions that move steps between the parts of the queue. The next statement sees all pauses that
 * were committed before it, so the last transaction to move a step puts it in the right part.
 */
export async function lockMoves(db: Db): Promise<void> {
  await db.query(LOCK_MOVES);
}

const START_PAUSE = sql('start_pause')`
insert into tasker.pause (task_uuid, namespace_id, name, version, paused_by, reason, settled)
values ($1, $2, $3, $4, $5, $6, $1::uuid is not null) on conflict do nothing returning id`;

/** Stores a pause. Returns false if the object is already paused; the earlier pause stays. */
export async function startPause(db: Db, object: PauseObject, { actor, reason }: Operator): Promise<boolean> {
  return (await db.query(START_PAUSE, [...valuesOf(object), actor, reason])).rows.length > 0;
}

const END_PAUSE = sql('end_pause')`
update tasker.pause set resumed_at = greatest(clock_timestamp(), paused_at), resumed_by = $5, settled = $1::uuid is not null
 where task_uuid is not distinct from $1 and namespace_id is not distinct from $2 and name is not distinct from $3
   and version is not distinct from $4 and resumed_at is null
returning id`;

/** Ends the pause of an object. Returns false if it is not paused. */
export async function endPause(db: Db, object: PauseObject, { actor }: Operator): Promise<boolean> {
  return (await db.query(END_PAUSE, [...valuesOf(object), actor])).rows.length > 0;
}

function valuesOf({ taskUuid, namespaceId, name, version }: PauseObject): unknown[] {
  return [taskUuid, namespaceId, name, version];
}

const MARK_TEMPLATES = sql('mark_paused_templates')`
update tasker.template t set paused = not t.paused
 where t.namespace_id = $1 and t.paused <> exists (
   select 1 from tasker.pause p where p.task_uuid is null and p.namespace_id = t.namespace_id and p.resumed_at is null
      and (p.name is null or p.name = t.name) and (p.version is null or p.version = t.version))`;

/** Marks the paused templates of a namespace. Afterwards, new ready steps go to the right part of the queue. */
export async function markPausedTemplates(db: Db, namespaceId: number): Promise<void> {
  await db.query(MARK_TEMPLATES, [namespaceId]);
}

// A statement locks the tables that it writes before it takes its snapshot. So a transaction that has not locked the
// queue yet will see every pause that is committed now, and it is enough to wait for the transactions that have already
// locked the queue. Locking the queue would wait for the same transactions, but it would block all other work in the
// meantime.
const QUEUE_WRITERS = sql('queue_writers')`
select l.virtualtransaction id, l.pid, left(a.application_name, 60) application
  from pg_locks l left join pg_stat_activity a on a.pid = l.pid
 where l.locktype = 'relation' and l.relation = 'tasker.queue'::regclass and l.granted
   and l.database = (select oid from pg_database where datname = current_database())
   and l.mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`;

/** A transaction that has locked the queue for writing. */
export interface QueueWriter {
  id: string;
  pid: number | null;
  application: string | null;
}

/** Returns the transactions that may write to the queue with an outdated snapshot of the pauses. */
export async function queueWriters(db: Db): Promise<QueueWriter[]> {
  return (await db.query<QueueWriter>(QUEUE_WRITERS)).rows;
}

// Reads a stretch of one part of the queue in order, and moves the rows that belong to another part. The deletion waits if
// a claim has just taken a row. Rows of steps that are no longer ready are deleted, as in a claim.
const MOVE_STEPS = sql('move_steps')`
with seen as materialized (
  select ctid tid, rank, id, task_uuid, idx, template_id from tasker.queue
   where namespace_id = $1::int and (rank, id) > ($2, $3) order by rank, id limit $4),
wrong as materialized (
  select tid from seen
   where coalesce(${placeOf({ template: 'seen.template_id', task: 'seen.task_uuid', idx: 'seen.idx' })}, $1) <> $1),
gone as (
  delete from tasker.queue where ctid = any (array(select tid from wrong))
  returning rank, id, task_uuid, idx, template_id),
moved as (
  insert into tasker.queue (namespace_id, rank, id, task_uuid, idx, template_id) overriding system value
  select ${placeOf({ template: 'gone.template_id', task: 'gone.task_uuid', idx: 'gone.idx' })}, rank, id, task_uuid, idx, template_id from gone
   where exists (select 1 from tasker.step s where s.task_uuid = gone.task_uuid and s.idx = gone.idx
                    and s.state = 'enqueued' offset 0)
   order by rank, id
  returning rank)
select (select count(*)::int from moved) moved, (select min(rank)::int from moved) rank,
       last.rank "lastRank", last.id "lastId"
  from (select count(*) n from seen) c left join lateral (
    select rank, id from seen order by rank desc, id desc limit 1) last on c.n = $4`;

/** A stretch of the queue. */
export interface Stretch {
  /** The id of the part. */
  queueId: number;
  /** The last row of the previous stretch. */
  after: { rank: number; id: number };
  limit: number;
}

/** The result of {@link moveSteps}. */
export interface Moved {
  moved: number;
  /** The smallest rank of the moved steps. */
  rank: number | null;
  /** The last row of the stretch. Undefined at the end of the queue. */
  next: Stretch['after'] | undefined;
}

/** Moves the steps in a stretch that belong to another part of the queue. Call it after lockMoves. */
export async function moveSteps(db: Db, { queueId, after, limit }: Stretch): Promise<Moved> {
  type Row = { moved: number; rank: number | null; lastRank: number | null; lastId: number | null };
  const { rows } = await db.query<Row>(MOVE_STEPS, [queueId, after.rank, after.id, limit]);
  const { moved, rank, lastRank, lastId } = rows[0]!;
  return { moved, rank, next: lastRank === null ? undefined : { rank: lastRank, id: lastId! } };
}

// Only this transaction can add rows of the task, because it has locked the task. The statement waits for claims that have
// taken such a row.
const MOVE_STEPS_OF_TASK = sql('move_steps_of_task')`
with place as materialized (
  select t.rank, m.namespace_id, t.template_id,
         ${queueIdOf({ template: 't.template_id', task: 't.task_uuid' })} < 0 paused
    from tasker.task t join tasker.template m on m.id = t.template_id where t.task_uuid = $1),
gone as (
  delete from tasker.queue where ctid = any (array(
    select q.tid from place cross join lateral (
      select ctid tid from tasker.queue q
       where q.namespace_id = any (${pausedPartsOf('place.namespace_id')}
               || case when place.paused then ${unpausedPartsOf('place.namespace_id')} end)
         and q.rank = place.rank and q.task_uuid = $1
         and q.namespace_id <> ${placeOf({ template: 'place.template_id', task: '$1', idx: 'q.idx' })} offset 0) q))
  returning rank, id, task_uuid, idx, template_id),
moved as (
  insert into tasker.queue (namespace_id, rank, id, task_uuid, idx, template_id) overriding system value
  select ${placeOf({ template: 'gone.template_id', task: 'gone.task_uuid', idx: 'gone.idx' })}, rank, id, task_uuid, idx, template_id from gone
   where exists (select 1 from tasker.step s where s.task_uuid = gone.task_uuid and s.idx = gone.idx
                    and s.state = 'enqueued' offset 0)
   order by rank, id
  returning rank)
select count(*)::int moved, min(rank)::int rank from moved`;

/** Moves the ready steps of a task to their part of the queue. Call it after lockTasks, the change, and lockMoves. */
export async function moveStepsOfTask(db: Db, taskUuid: string): Promise<Omit<Moved, 'next'>> {
  return (await db.query<Omit<Moved, 'next'>>(MOVE_STEPS_OF_TASK, [taskUuid])).rows[0]!;
}

const UNSETTLED = sql('unsettled_pauses')`
select p.id, p.resumed_at is not null ended, coalesce(p.namespace_id, m.namespace_id) "namespaceId"
  from tasker.pause p left join tasker.task t on t.task_uuid = p.task_uuid left join tasker.template m on m.id = t.template_id
 where not p.settled and coalesce(p.resumed_at, p.paused_at) <= clock_timestamp() - $1 * interval '1 ms'
 order by p.id limit 10000`;

/** A pause that the queue may not reflect yet. */
export interface UnsettledPause {
  id: number;
  ended: boolean;
  /** Null for the pause of a task that was deleted. */
  namespaceId: number | null;
}

/**
 * Returns the pauses that changed more than `olderMs` ago and whose steps may not all be in their part of the queue.
 */
export async function unsettledPauses(db: Db, olderMs: number): Promise<UnsettledPause[]> {
  return (await db.query<UnsettledPause>(UNSETTLED, [olderMs])).rows;
}

const SETTLE_PAUSES = sql('settle_pauses')`
update tasker.pause p set settled = true
  from unnest($1::bigint[], $2::boolean[]) d (id, ended)
 where p.id = d.id and (p.resumed_at is not null) = d.ended and not p.settled`;

/**
 * Records that the queue reflects these pauses, unless they have since ended. The commit also makes earlier claims
 * durable, because a crash of the server must not return their steps to the queue despite a pause.
 */
export async function settlePauses(db: Db, pauses: readonly UnsettledPause[]): Promise<void> {
  const ids = pauses.map(({ id }) => id).join(',');
  await db.query(SETTLE_PAUSES, [`{${ids}}`, `{${pauses.map(({ ended }) => ended).join(',')}}`]);
}

// The rows of their steps return to the queue, where the next claim deletes them.
const END_PAUSES_OF_ENDED = sql('end_pauses_of_ended')`
update tasker.pause p set resumed_at = greatest(t.done_at, p.paused_at), resumed_by = 'end of the task', settled = false
  from tasker.task t
 where p.task_uuid = coalesce($1, p.task_uuid) and p.resumed_at is null and t.task_uuid = p.task_uuid and t.done_at is not null`;

/** Ends the pauses of tasks that have ended: of one task, or of all. */
export async function endPausesOfEnded(db: Db, taskUuid: string | null = null): Promise<void> {
  await db.query(END_PAUSES_OF_ENDED, [taskUuid]);
}

// Ids of tasks grow with time, so the open task with the smallest id is approximately the oldest.
const FORGET_PAUSES = sql('forget_pauses')`
delete from tasker.pause
 where settled and resumed_at < least(now(), (
   ${openTasks('x.created_at', 'true', 1)})) - interval '1 day'`;

/**
 * Deletes pauses that ended before the oldest open task was created, because no open task's limits exclude their time.
 */
export async function forgetPauses(db: Db): Promise<void> {
  await db.query(FORGET_PAUSES);
}

const VACUUM_QUEUE = sql('vacuum_queue')`vacuum (skip_locked, truncate off) tasker.queue`;

/** Removes the dead rows that a large move left at the head of the queue. Cannot run in a transaction. */
export async function vacuumQueue(db: Db): Promise<void> {
  await db.query(VACUUM_QUEUE);
}
