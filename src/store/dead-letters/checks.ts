import type { Db } from '../../db/statement.ts';
import { shownState } from '../shown-state.ts';
import { sql } from '../sql.ts';
import { LAST_MOVE } from '../stale-tasks.ts';
import { HAS_MOVED_ON } from './moves.ts';

const TRY_LOOKING = sql('try_dead_letters')`select pg_try_advisory_xact_lock(7303014009) mine`;

/** Takes the lock for checking the dead letters until the transaction ends. False if another process has it. */
export async function tryLooking(db: Db): Promise<boolean> {
  return (await db.query<{ mine: boolean }>(TRY_LOOKING)).rows[0]!.mine;
}

const TAKE_TURN = sql('take_dead_letter_turn')`
update tasker.dead_letter_look set looked_at = now() where looked_at <= now() - $1::int * interval '1 ms'
returning checked_to "checkedTo"`;

/**
 * Starts a check if none was started for `leastMs`. `checkedTo`: the open entry that the last check reached; null if it
 * reached the end. Undefined if no check is due.
 */
export async function takeTurn(db: Db, leastMs: number): Promise<{ checkedTo: string | null } | undefined> {
  return (await db.query<{ checkedTo: string | null }>(TAKE_TURN, [leastMs])).rows[0];
}

/** Closes the entries of the CTE `slice` whose tasks have made progress. `$1`: the actor. */
const CLOSING = `
moved as materialized (
  select d.*, t.state, t.done_at, act.act from slice d
    left join lateral (select ${shownState('x')} state, done_at from tasker.task x where x.task_uuid = d.task_uuid offset 0) t on true
    left join lateral (
      select a.action || ' by ' || a.actor || coalesce(' (' || left(a.reason, 200) || ')', '') act from tasker.operator_action a
       where a.task_uuid = d.task_uuid and a.at >= d.created_at and a.action not in ('note', 'copy', 'pause', 'resume')
         and not starts_with(a.action, 'dlq_')
       order by a.id desc limit 1) act on true
   where ${HAS_MOVED_ON}),
closed as (
  update tasker.dead_letter d set
    status = 'cancelled', resolved_at = statement_timestamp(), updated_at = statement_timestamp(), resolved_by = $1,
    resolution = case when m.state is null then 'the task was deleted'
                      when m.done_at is not null then 'the task ended: it is in ' || m.state::text
                      else 'the task moved on: it is in ' || m.state::text end || coalesce('; ' || m.act, '')
    from moved m where d.ctid = m.tid
  returning d.id, d.task_uuid, d.resolution, d.created_at),
a as (
  insert into tasker.operator_action (task_uuid, at, action, from_state, to_state, actor, reason, door, details)
  select c.task_uuid, statement_timestamp(), 'dlq_close', m.state::text, m.state::text, $1, c.resolution, 'lifecycle',
         jsonb_build_object('entry', c.id, 'status', 'cancelled')
    from closed c join moved m on m.id = c.id order by c.task_uuid)`;
const CLOSABLE = 'd.id, d.ctid tid, d.task_uuid, d.reason, d.rule, d.since, d.moved_at, d.created_at';

// Entries that an operator is changing are left for the next check. Waiting for them in this order could deadlock with
// an action on several entries. The resolution names the last action of an operator. If there was none, the task made
// progress on its own.
const CLOSE_MOVED_ON = sql('close_moved_on')`
with slice as materialized (
  select ${CLOSABLE} from tasker.dead_letter d
   where d.status = 'pending' and d.task_uuid > $2::uuid order by d.task_uuid limit $3::int for update skip locked),
${CLOSING}
select (select max(task_uuid::text) from slice) last, (select count(*)::int from slice) looked,
       coalesce((select json_agg(json_build_object('dlqEntryUuid', id, 'taskUuid', task_uuid, 'resolution', resolution,
                                                   'seconds', extract(epoch from statement_timestamp() - created_at)) order by task_uuid) from closed), '[]')::text closed`;

const CLOSE_ENTRIES_OF = sql('close_entries_of')`
with slice as materialized (
  select ${CLOSABLE} from tasker.dead_letter d where d.status = 'pending' and d.task_uuid = any ($2::uuid[])
   order by d.id for update),
${CLOSING}
select count(*)::int from closed`;

/** Closes the open entries of these tasks if the tasks have made progress. Call it after lockTasks. */
export async function closeEntriesOf(db: Db, taskUuids: readonly string[], actor: string): Promise<void> {
  await db.query(CLOSE_ENTRIES_OF, [actor, `{${taskUuids.join(',')}}`]);
}

/** An entry that was closed because its task made progress. */
export interface ClosedDeadLetter {
  dlqEntryUuid: string;
  taskUuid: string;
  /** A sentence about the task. */
  resolution: string;
  /** How long it was open. */
  seconds: number;
}

/** A slice of the open entries, in the order of their tasks. */
export interface CheckedSlice {
  /** The task of its last entry; null if the slice is empty. */
  last: string | null;
  looked: number;
  closed: ClosedDeadLetter[];
}

/** Closes the entries of a slice whose tasks have made progress. */
export async function closeMovedOn(
  db: Db,
  { after, limit, actor }: { after: string; limit: number; actor: string },
): Promise<CheckedSlice> {
  type Row = { last: string | null; looked: number; closed: string };
  const { closed, ...slice } = (await db.query<Row>(CLOSE_MOVED_ON, [actor, after, limit])).rows[0]!;
  return { ...slice, closed: JSON.parse(closed) as ClosedDeadLetter[] };
}

const NOTE_CHECKED = sql('note_dead_letters_checked')`update tasker.dead_letter_look set checked_to = $1::uuid`;

/** Stores the position of a check in the open entries. Null means the end. */
export async function noteChecked(db: Db, taskUuid: string | null): Promise<void> {
  await db.query(NOTE_CHECKED, [taskUuid]);
}

// If no step waits, nothing else is read.
const FAILED_IN_WAITING = `
  select q.task_uuid, q.created_at from tasker.step_search q
   where q.template_id = m.id and q.state = 'error' and exists (select 1 from tasker.wait where ended_at is null)`;

const BLOCKING_TEMPLATES = sql('blocking_templates')`
select m.id from tasker.template m
 where m.definition #>> '{lifecycle,on_blocked}' = 'dlq'
   and (exists (select 1 from tasker.task_search p where p.template_id = m.id and p.state = 'blocked_by_failures' offset 0)
        or exists (
          select 1 from (${FAILED_IN_WAITING}) f cross join lateral (
            select 1 from tasker.task_search p where p.task_uuid = f.task_uuid and p.state = 'waiting' offset 0) p offset 0))
 order by m.id`;

const BLOCKING_TEMPLATES_LIVE = sql('blocking_templates_live')`
select m.id from tasker.template m where m.definition #>> '{lifecycle,on_blocked}' = 'dlq' order by m.id`;

/**
 * Returns the templates that send blocked tasks to the dead letters. `searchable`: only templates with blocked tasks in
 * the search tables.
 */
export async function blockingTemplates(db: Db, { searchable }: { searchable: boolean }): Promise<number[]> {
  const statement = searchable ? BLOCKING_TEMPLATES : BLOCKING_TEMPLATES_LIVE;
  return (await db.query<{ id: number }>(statement)).rows.map((row) => row.id);
}

/** Where a search for blocked tasks continues: the last task of the previous page. */
export interface BlockedPlace {
  createdAt: string;
  taskUuid: string;
}

// A blocked task needs no new entry if it has a pending one, or one that was created after its last change. The conditions
// are separate so that PostgreSQL can use a hash join for the first, because most blocked tasks have a pending entry.
const WITHOUT_ENTRY = `
       not exists (select 1 from tasker.dead_letter d where d.task_uuid = p.task_uuid and d.status = 'pending')
   and not exists (select 1 from tasker.dead_letter d where d.task_uuid = p.task_uuid and d.created_at >= p.updated_at)`;
const NEXT_PLACES = 'order by p.created_at, p.task_uuid limit $4::int';

// A waiting task in which a step failed also needs an operator.
const BLOCKED_TASKS = sql('blocked_tasks')`
select p.task_uuid "taskUuid", tasker.iso(p.created_at) "createdAt" from (
  (select p.task_uuid, p.created_at from tasker.task_search p
    where p.template_id = $1 and p.state = 'blocked_by_failures' and (p.created_at, p.task_uuid) > ($2::timestamptz, $3::uuid)
      and ${WITHOUT_ENTRY} ${NEXT_PLACES})
  union all
  (select p.task_uuid, p.created_at from (
     select distinct p.* from (select $1::int id) m cross join lateral (${FAILED_IN_WAITING}) f cross join lateral (
       select p.task_uuid, p.created_at, p.updated_at from tasker.task_search p
        where p.task_uuid = f.task_uuid and p.state = 'waiting' offset 0) p
      where (f.created_at, f.task_uuid) > ($2::timestamptz, $3::uuid)) p
    where ${WITHOUT_ENTRY} ${NEXT_PLACES})) p
 ${NEXT_PLACES}`;

const BLOCKED_TASKS_LIVE = sql('blocked_tasks_live')`
select t.task_uuid "taskUuid", tasker.iso(t.created_at) "createdAt" from tasker.task t
 where t.done_at is null and t.task_uuid > $2::uuid and t.template_id = $1 and t.state = 'blocked_by_failures'
   and not exists (
     select 1 from tasker.dead_letter d where d.task_uuid = t.task_uuid
        and (d.status = 'pending' or d.moved_at = (select moved.at from (${LAST_MOVE}) moved)))
 order by t.task_uuid limit $3::int`;

/** Returns blocked tasks of a template that seem to need an entry, oldest first. */
export async function blockedTasks(
  db: Db,
  {
    templateId,
    after,
    limit,
    searchable,
  }: { templateId: number; after: BlockedPlace; limit: number; searchable: boolean },
): Promise<BlockedPlace[]> {
  const statement = searchable ? BLOCKED_TASKS : BLOCKED_TASKS_LIVE;
  const values = searchable
    ? [templateId, after.createdAt, after.taskUuid, limit]
    : [templateId, after.taskUuid, limit];
  return (await db.query<BlockedPlace>(statement, values)).rows;
}

const READY_STEPS_OF = sql('ready_steps_of')`
select d.task_uuid "taskUuid", n.name namespace, ts.callable, ts.resolver, bool_or(s.state = 'in_progress') running
  from unnest($1::uuid[]) d (task_uuid)
 cross join lateral (select template_id from tasker.task x where x.task_uuid = d.task_uuid offset 0) t
 cross join lateral (
   select state, tasker.template_idx(idx) idx from tasker.step x
    where x.task_uuid = d.task_uuid and x.state in ('enqueued', 'in_progress') offset 0) s
  join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = s.idx
  join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id
 group by 1, 2, 3, 4`;

/** A handler that a ready or running step of a task needs. */
export interface WantedHandlerRow {
  taskUuid: string;
  namespace: string;
  callable: string;
  resolver: string | null;
  /** Whether such a step is running. */
  running: boolean;
}

/** Returns the handlers that the ready and running steps of tasks need. */
export async function wantedHandlers(db: Db, taskUuids: readonly string[]): Promise<WantedHandlerRow[]> {
  return (await db.query<WantedHandlerRow>(READY_STEPS_OF, [`{${taskUuids.join(',')}}`])).rows;
}
