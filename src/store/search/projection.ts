import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const LOCK_SEARCH = sql('lock_search')`select pg_advisory_xact_lock(7303014008)`;

/** Lets one process write at a time. The statements after it see the data that earlier writers saw, or newer data. */
export async function lockSearch(db: Db): Promise<void> {
  await db.query(LOCK_SEARCH);
}

// A task that was just created and has not ended is written later, because most tasks end soon and are then written
// once.
const PROJECT_TASKS = sql('project_tasks')`
with live as materialized (
  select w.id, t.task_uuid, t.template_id, t.state, t.created_at, t.done_at, t.n_error, t.initiator, t.source_system,
         t.reason, t.tags, t.correlation_id, t.parent_correlation_id,
         t.done_at is null and t.created_at > now() - interval '1 second' and not $2::boolean young
    from unnest($1::uuid[]) w (id)
    left join lateral (select * from tasker.task t where t.task_uuid = w.id offset 0) t on true),
written as (
  insert into tasker.task_search as s (task_uuid, template_id, state, created_at, done_at, updated_at, initiator,
                                       source_system, reason, tags, correlation_id, parent_correlation_id)
  select task_uuid, template_id, state, created_at, done_at, coalesce(done_at, now()), initiator, source_system, reason,
         tags, correlation_id, parent_correlation_id
    from live where task_uuid is not null and not young
  on conflict (task_uuid) do update set
    state = excluded.state, done_at = excluded.done_at, updated_at = excluded.updated_at
  returning task_uuid, xmax = 0 fresh),
gone as (delete from tasker.task_search s where s.task_uuid = any (array(select id from live where task_uuid is null)))
select l.id "taskUuid", coalesce(l.young, false) young,
       l.task_uuid is null or (not l.young and (l.done_at is null or l.n_error > 0 or not w.fresh or $2)) "hasSteps"
  from live l left join written w on w.task_uuid = l.id
 where l.task_uuid is null or l.young or l.done_at is null or l.n_error > 0 or not w.fresh or $2`;

/** A task that needs more work: another turn, or rows for its steps. */
export interface UnfinishedProjection {
  taskUuid: string;
  /** The task is too young to be written, and needs another turn. */
  young: boolean;
  /** The rows of its steps have to be written or removed. */
  hasSteps: boolean;
}

/**
 * Writes the current rows of tasks, and removes the rows of deleted tasks. Returns only the tasks that need another
 * turn, or rows for their steps. A task that ended without a failure needs neither.
 */
export async function projectTasks(
  db: Db,
  taskUuids: readonly string[],
  all: boolean,
): Promise<UnfinishedProjection[]> {
  return (await db.query<UnfinishedProjection>(PROJECT_TASKS, [`{${taskUuids.join(',')}}`, all])).rows;
}

/**
 * The time at which a ready step `s` of a task `t`, with the last attempt `h`, became ready: when the task was created,
 * the last of its parents was done, its retry was due, or its last attempt ended.
 */
export const READY_SINCE = `
  greatest(t.created_at, s.next_at, s.done_at, h.ended_at, (
    select max(p.done_at) from tasker.template_edge e join tasker.step p on p.task_uuid = s.task_uuid and p.idx = e.parent
     where e.template_id = t.template_id and e.child = tasker.template_idx(s.idx)))`;

const PROJECT_STEPS = sql('project_steps')`
with live as materialized (
  select s.task_uuid, s.idx, t.template_id, s.state, s.attempts, t.created_at,
         case s.state when 'enqueued' then ${READY_SINCE}
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
         and s.state in ('enqueued', 'in_progress', 'waiting_for_retry', 'error', 'resolved_manually') offset 0) s
    left join lateral (
      select h.ended_at, h.worker_id, h.detail #>> '{error,error_type}' error_type, h.detail #>> '{error,message}' error
        from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx order by h.attempt desc limit 1) h on true),
gone as (
  delete from tasker.step_search q
   where q.task_uuid = any ($1::uuid[])
     and not exists (select 1 from live l where l.task_uuid = q.task_uuid and l.idx = q.idx))
insert into tasker.step_search as q (task_uuid, idx, template_id, state, since, created_at, attempts, error_type, error,
                                     fingerprint, worker_id)
select task_uuid, idx, template_id, state, since, created_at, attempts, error_type, error,
       hashtextextended(tasker.error_pattern(error), 0), worker_id from live
on conflict (task_uuid, idx) do update set
  state = excluded.state, since = excluded.since, attempts = excluded.attempts, error_type = excluded.error_type,
  error = excluded.error, fingerprint = excluded.fingerprint, worker_id = excluded.worker_id
where (q.state, q.since, q.attempts, q.worker_id) is distinct from
      (excluded.state, excluded.since, excluded.attempts, excluded.worker_id)`;

/** Writes the steps of these tasks that a search can find, and removes the rows of the others. */
export async function projectSteps(db: Db, taskUuids: readonly string[]): Promise<void> {
  await db.query(PROJECT_STEPS, [`{${taskUuids.join(',')}}`]);
}

const NOTE_WRITER = sql('note_search_writer')`
insert into tasker.search_writer (id, pending_since) values ($1, now() - $2::int * interval '1 ms')
on conflict (id) do update set pending_since = excluded.pending_since, seen_at = now()`;

/** Notes that a process is alive, and the age of its oldest unwritten change; null: it has written all changes. */
export async function noteSearchWriter(db: Db, id: string, pendingMs: number | null): Promise<void> {
  await db.query(NOTE_WRITER, [id, pendingMs]);
}

const DROP_WRITER = sql('drop_search_writer')`delete from tasker.search_writer where id = $1`;

/** Removes a process that has written all its changes. */
export async function dropSearchWriter(db: Db, id: string): Promise<void> {
  await db.query(DROP_WRITER, [id]);
}

// The newest tasks are looked up, because a program that writes no projection announces nothing.
const SEARCH_LAG = sql('search_lag')`
select 1000 * greatest(
         (select extract(epoch from now() - min(pending_since)) from tasker.search_writer),
         (select extract(epoch from now() - min(t.created_at))
            from (select task_uuid, created_at from tasker.task order by task_uuid desc limit 20) t
           where t.created_at < now() - interval '3 seconds'
             and not exists (select 1 from tasker.task_search s where s.task_uuid = t.task_uuid)),
         0)::float8 "lagMs",
       (select nullif(filled_to, '00000000-0000-0000-0000-000000000000') from tasker.search_state) "filledTo"`;

/** The lag of the tables. */
export interface SearchLag {
  /** Milliseconds since the oldest change that is known to be unwritten. */
  lagMs: number;
  /** Tasks older than this (ISO 8601) are still being added; null: all tasks are in the tables. */
  completeSince: string | null;
}

/** Returns the lag of the tables. */
export async function searchLag(db: Db): Promise<SearchLag> {
  const { lagMs, filledTo } = (await db.query<{ lagMs: number; filledTo: string | null }>(SEARCH_LAG)).rows[0]!;
  if (filledTo === null) return { lagMs, completeSince: null };
  // The id of a task begins with the time of its creation.
  const ms = Number.parseInt(filledTo.replaceAll('-', '').slice(0, 12), 16);
  return { lagMs, completeSince: new Date(Math.min(ms, Date.now())).toISOString() };
}
