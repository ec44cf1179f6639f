import type { Db } from '../../db/statement.ts';
import { PARENTS_DONE_AT } from '../expand-tasks.ts';
import { lastChange, shownState } from '../shown-state.ts';
import { sql } from '../sql.ts';

const LOCK_SEARCH = sql('lock_search')`select pg_advisory_xact_lock(7303014008)`;

/**
 * Takes the lock for writing until the transaction ends. Later statements see at least the data that earlier writers
 * saw.
 */
export async function lockSearch(db: Db): Promise<void> {
  await db.query(LOCK_SEARCH);
}

// The update of a task is its last change, as a task shows it, and not the time at which its row is written.
// `on conflict` looks a row up by its key. A lookup in a query may use any index that contains the id. After a vacuum
// of an empty table, every index seems to have a single page, and the plan would read a whole index for every task.
const PROJECT_TASKS = sql('project_tasks')`
with live as materialized (
  select w.id, t.task_uuid, t.template_id, ${shownState('t')} state, t.created_at, t.done_at, coalesce(t.done_at, c.at) updated_at,
         t.n_error, t.initiator, t.source_system, t.reason, t.tags, t.correlation_id, t.parent_correlation_id
    from unnest($1::uuid[]) w (id)
    left join lateral (select * from tasker.task t where t.task_uuid = w.id offset 0) t on true
    left join lateral (${lastChange('t')}) c on true),
written as (
  insert into tasker.task_search (task_uuid, template_id, state, created_at, done_at, updated_at, initiator,
                                  source_system, reason, tags, correlation_id, parent_correlation_id)
  select task_uuid, template_id, state, created_at, done_at, updated_at, initiator, source_system, reason, tags,
         correlation_id, parent_correlation_id
    from live where task_uuid is not null
  on conflict (task_uuid) do update set state = excluded.state, done_at = excluded.done_at, updated_at = excluded.updated_at
  returning task_uuid, xmax <> 0 existed),
gone as (
  delete from tasker.task_search where task_uuid = any (array(select id from live where task_uuid is null)))
select task_uuid id from written where existed
 union
select id from live
 where task_uuid is null or done_at is null or n_error > 0 or $2::boolean
    or exists (select 1 from tasker.operator_action a where a.task_uuid = live.task_uuid)`;

/**
 * Writes the current rows of tasks, and removes the rows of deleted tasks. Returns the tasks whose steps have to be
 * written or removed. A task that ended without a failure and without an action of an operator, and had no row, is
 * returned only with `all`.
 */
export async function projectTasks(db: Db, taskUuids: readonly string[], all: boolean): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(PROJECT_TASKS, [`{${taskUuids.join(',')}}`, all]);
  return rows.map((row) => row.id);
}

/**
 * The time at which a ready step `s` of a task `t`, with the last attempt `h`, became ready. The time is the latest of
 * these: the creation of its task, or its later start; the end of its last parent; the due time of its retry or next
 * call; the end of its last attempt; an operator's retry.
 */
export const READY_SINCE = `
  greatest(t.created_at, s.next_at, s.done_at, h.ended_at, (
    select max(x.ended_at) from tasker.wait x where x.task_uuid = s.task_uuid and x.idx in (-1, s.idx)),
  ${PARENTS_DONE_AT('t.template_id')}, (
    select max(a.at) from tasker.operator_action a
     where s.attempts > 0 and a.task_uuid = s.task_uuid and a.idx = s.idx))`;

const PROJECT_STEPS = sql('project_steps')`
with live as materialized (
  select s.task_uuid, s.idx, t.template_id, s.state, s.attempts, nullif(s.attempts - s.spared, s.attempts) number, t.created_at,
         case s.state when 'enqueued' then ${READY_SINCE}
                      when 'waiting' then coalesce((
                        select x.since from tasker.wait x where x.task_uuid = s.task_uuid and x.idx = s.idx offset 0), s.started_at)
                      else coalesce(case s.state when 'waiting_for_retry' then s.next_at when 'in_progress' then s.started_at
                                                 else s.done_at end, h.ended_at, t.created_at) end since,
         case when s.state in ('error', 'waiting_for_retry') then h.error_type end error_type,
         case when s.state in ('error', 'waiting_for_retry') then left(split_part(h.error, E'\n', 1), 300) end error,
         case when s.state = 'in_progress' then s.claim >> 24
              when s.state in ('error', 'waiting_for_retry') then h.worker_id end worker_id
    from unnest($1::uuid[]) w (id)
    cross join lateral (select * from tasker.task t where t.task_uuid = w.id offset 0) t
    cross join lateral (
      select * from tasker.step s where s.task_uuid = w.id
         and s.state in ('enqueued', 'in_progress', 'waiting', 'waiting_for_retry', 'error', 'resolved_manually') offset 0) s
    left join lateral (
      select h.ended_at, h.worker_id, h.detail #>> '{error,error_type}' error_type, h.detail #>> '{error,message}' error
        from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx order by h.attempt desc limit 1) h on true),
gone as (
  delete from tasker.step_search q
   where q.task_uuid = any ($1::uuid[])
     and not exists (select 1 from live l where l.task_uuid = q.task_uuid and l.idx = q.idx))
insert into tasker.step_search as q (task_uuid, idx, template_id, state, since, created_at, attempts, number, error_type, error,
                                     fingerprint, worker_id)
select task_uuid, idx, template_id, state, since, created_at, attempts, number, error_type, error,
       hashtextextended(tasker.error_pattern(error), 0), worker_id from live
on conflict (task_uuid, idx) do update set
  state = excluded.state, since = excluded.since, attempts = excluded.attempts, number = excluded.number, error_type = excluded.error_type,
  error = excluded.error, fingerprint = excluded.fingerprint, worker_id = excluded.worker_id
where (q.state, q.since, q.attempts, q.number, q.worker_id) is distinct from
      (excluded.state, excluded.since, excluded.attempts, excluded.number, excluded.worker_id)`;

/** Writes the steps of these tasks that a search can find, and removes the rows of the others. */
export async function projectSteps(db: Db, taskUuids: readonly string[]): Promise<void> {
  await db.query(PROJECT_STEPS, [`{${taskUuids.join(',')}}`]);
}

const NOTE_WRITER = sql('note_search_writer')`
insert into tasker.search_writer (id, pending_since) values ($1, now() - $2::int * interval '1 ms')
on conflict (id) do update set pending_since = excluded.pending_since, seen_at = now()`;

/** Stores that a process is alive, and the age of its oldest unwritten change. Null if it has written all changes. */
export async function noteSearchWriter(db: Db, id: string, pendingMs: number | null): Promise<void> {
  await db.query(NOTE_WRITER, [id, pendingMs]);
}

const DROP_WRITER = sql('drop_search_writer')`delete from tasker.search_writer where id = $1`;

/** Removes a process that has written all its changes. */
export async function dropSearchWriter(db: Db, id: string): Promise<void> {
  await db.query(DROP_WRITER, [id]);
}

// The newest tasks are looked up, because a program that does not write the search tables announces nothing.
const SEARCH_LAG = sql('search_lag')`
select 1000 * greatest(
         (select extract(epoch from now() - min(pending_since)) from tasker.search_writer),
         (select extract(epoch from now() - min(t.created_at))
            from (select task_uuid, created_at from tasker.task order by task_uuid desc limit 20) t
           where t.created_at < now() - interval '3 seconds'
             and not exists (select 1 from tasker.task_search s where s.task_uuid = t.task_uuid)),
         0)::float8 "lagMs"`;

/** Returns the age of the oldest change that is known to be missing from the tables, in milliseconds. */
export async function searchLag(db: Db): Promise<number> {
  return (await db.query<{ lagMs: number }>(SEARCH_LAG)).rows[0]!.lagMs;
}
