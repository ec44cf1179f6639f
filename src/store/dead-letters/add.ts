import type { Db } from '../../db/statement.ts';
import type { DeadLetterReason } from '../../model/dead-letter.ts';
import { shownState } from '../shown-state.ts';
import { lists, sql } from '../sql.ts';
import { LAST_MOVE } from '../stale-tasks.ts';
import { HEAD_START, MOVED_AT } from './moves.ts';

/** Maximum number of steps in a snapshot. Failed and running steps come first. */
const MOST_STEPS = 50;

/** A task for the dead letters. */
export interface NewDeadLetter {
  taskUuid: string;
  reason: DeadLetterReason;
  /** The reason as a sentence. Null means the first failure of the task. */
  cause: string | null;
  /** The limit that was exceeded; null means none. */
  rule: string | null;
  minutes: number | null;
  since: string | null;
}

/** An entry that was added. */
export interface AddedDeadLetter {
  dlqEntryUuid: string;
  taskUuid: string;
  dlqReason: DeadLetterReason;
  cause: string;
}

// The snapshot is built only for tasks that receive an entry. Its steps are chosen before their failures are looked up,
// because a task may have thousands. An automatic entry requires that the task has made progress since the last one.
// Otherwise an operator has already closed an entry for the same situation, or is working on an open one.
const ADD_DEAD_LETTERS = sql('add_dead_letters')`
with d as materialized (
  select d.*, t.state, m.at moved_at, m.stood_since
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[])
         d (task_uuid, reason, cause, rule, minutes, since)
    cross join lateral (select * from tasker.task x where x.task_uuid = d.task_uuid offset 0) t
    cross join lateral (select ${MOVED_AT} at, moved.at stood_since from (${LAST_MOVE}) moved offset 0) m
   where not exists (
     select 1 from tasker.dead_letter x
      where x.task_uuid = d.task_uuid
        and (x.status = 'pending'
             or (d.reason <> 'manual_dlq' and x.reason <> 'manual_dlq'
                 and (x.moved_at = m.at or (x.rule = d.rule and x.since = d.since)))))
     and (d.reason <> 'max_retries_exceeded' or t.state = 'blocked_by_failures')),
new as (
  insert into tasker.dead_letter (task_uuid, template_id, reason, original_state, priority, assignee, cause, rule, minutes, since,
                                  moved_at, snapshot, metadata, queue_at, created_at, updated_at)
  select d.task_uuid, t.template_id, d.reason, t.shown::text, $7::smallint, $8::text,
         left(coalesce(d.cause, found.first_failure, 'it is in ' || t.shown::text), 1000), d.rule, d.minutes, d.since, d.moved_at,
         jsonb_build_object(
           'task_uuid', d.task_uuid, 'namespace', n.name, 'task_name', m.name, 'task_version', m.version, 'current_state', t.shown,
           'time_in_state_minutes', floor(extract(epoch from statement_timestamp() - d.stood_since) / 60)::int, 'threshold_minutes', d.minutes,
           'snapshot_timestamp', tasker.iso(statement_timestamp()),
           'task_details', jsonb_build_object(
             'correlation_id', coalesce(t.correlation_id, t.task_uuid), 'priority', -t.rank,
             'requested_at', tasker.iso(t.created_at), 'created_at', tasker.iso(t.created_at)),
           'step_count', (select count(*) from tasker.step s where s.task_uuid = d.task_uuid),
           'steps', coalesce(found.steps, '[]')),
         $9::jsonb, statement_timestamp() - ${HEAD_START('d.reason')}, statement_timestamp(), statement_timestamp()
    from d
   cross join lateral (select x.*, ${shownState('x')} shown from tasker.task x where x.task_uuid = d.task_uuid offset 0) t
    join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id
   cross join lateral (
     select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                        'name', s.name, 'state', s.state, 'attempts', s.attempts - s.spared, 'max_attempts', s.max_attempts,
                        'error_type', h.error_type, 'error', h.error, 'started_at', tasker.iso(s.started_at),
                        'next_retry_at', case when s.state = 'waiting_for_retry' then tasker.iso(s.next_at) end)) order by s.place) steps,
            (array_agg(concat_ws(': ', s.name, h.error_type, h.error) order by s.place) filter (where h.error is not null))[1] first_failure
       from (select tasker.step_name(bw.name, ts.name, s.idx) name, s.*
               from (select s.*, row_number() over () place
                       from (select * from tasker.step s where s.task_uuid = d.task_uuid
                              order by case s.state when 'error' then 0 when 'in_progress' then 1 when 'waiting_for_retry' then 2 when 'waiting' then 2
                                                    when 'enqueued' then 3 when 'cancelled' then 4 when 'pending' then 5 else 6 end,
                                       s.idx limit ${MOST_STEPS}) s) s
               join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(s.idx)
               left join tasker.batch_worker bw on bw.task_uuid = s.task_uuid and bw.idx = s.idx) s
       left join lateral (
         select left(h.detail #>> '{error,error_type}', 100) error_type,
                left(split_part(h.detail #>> '{error,message}', E'\n', 1), 300) error
           from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx and h.outcome in ('failed', 'worker_lost')
            and s.state not in ('complete', 'resolved_manually', 'skipped')
          order by h.attempt desc limit 1) h on true) found
  on conflict (task_uuid) where status = 'pending' do nothing
  returning id, task_uuid, reason, original_state, cause, priority, assignee),
a as (
  insert into tasker.operator_action (task_uuid, at, action, from_state, to_state, actor, reason, door, bulk_id, details)
  select task_uuid, statement_timestamp(), 'dlq_add', original_state, original_state, $10::text, coalesce($11::text, cause), $12::text, $13::bigint,
         jsonb_strip_nulls(jsonb_build_object('entry', id, 'dlq_reason', reason, 'assignee', assignee, 'priority', nullif(priority, 0)))
    from new order by task_uuid)
select id "dlqEntryUuid", task_uuid "taskUuid", reason "dlqReason", cause from new`;

/** The operator who adds entries, and the fields that all entries share. */
export interface AddingDeadLetters {
  actor: string;
  /** Null means the cause of each entry. */
  reason: string | null;
  door: string;
  bulkId: number | null;
  priority: number;
  assignee: string | null;
  /** JSON text. */
  metadata: string | null;
}

/**
 * Adds tasks to the dead letters, except tasks with an open entry. An entry other than `manual_dlq` also requires that
 * the task has made progress since its last entry. Call it after lockTasks.
 */
export async function addDeadLetters(
  db: Db,
  entries: readonly NewDeadLetter[],
  { actor, reason, door, bulkId, priority, assignee, metadata }: AddingDeadLetters,
): Promise<AddedDeadLetter[]> {
  const values = lists(entries, 'taskUuid', 'reason', 'cause', 'rule', 'minutes', 'since');
  const by = [priority, assignee, metadata, actor, reason, door, bulkId];
  return (await db.query<AddedDeadLetter>(ADD_DEAD_LETTERS, [...values, ...by])).rows;
}
