import type { Db } from '../db/statement.ts';
import { countBeforeDelete } from './analytics/count-before-delete.ts';
import type { Operator } from './operator-actions.ts';
import { lockSearch } from './search/projection.ts';
import { sql } from './sql.ts';

// A task's entries in the audit stay. The names of its steps are added to these entries, because no other row keeps
// them.
const NAME_ACTS = sql('name_acts_of_tasks')`
update tasker.operator_action a
   set details = coalesce(a.details, '{}') || jsonb_build_object('step', n.name)
  from (select x.id, tasker.step_name(bw.name, ts.name, x.idx) name
          from unnest($1::uuid[]) d (task_uuid)
          cross join lateral (
            select id, idx from tasker.operator_action y where y.task_uuid = d.task_uuid and y.idx is not null offset 0) x
          cross join lateral (select template_id from tasker.task y where y.task_uuid = d.task_uuid offset 0) t
          join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(x.idx)
          left join lateral (
            select name from tasker.batch_worker y where y.task_uuid = d.task_uuid and y.idx = x.idx offset 0) bw on true) n
 where a.id = n.id`;

const NOTE_DELETED = sql('note_deleted_tasks')`
insert into tasker.operator_action (task_uuid, at, action, from_state, to_state, details, actor, reason, door, bulk_id)
select t.task_uuid, statement_timestamp(), 'delete', t.state::text, null,
       jsonb_build_object('template', s.name || '/' || m.name || '@' || m.version, 'created_at', tasker.iso(t.created_at)),
       $2, $3, $4, $5
  from unnest($1::uuid[]) d (task_uuid)
  cross join lateral (select * from tasker.task x where x.task_uuid = d.task_uuid offset 0) t
  join tasker.template m on m.id = t.template_id join tasker.namespace s on s.id = m.namespace_id`;

// A task that was cancelled, or on which an operator acted, may have left rows in the queue and in the timers. These
// tables have no index by task, so they are searched only for such tasks. A timer of a deleted task would be due
// forever.
const LEFTOVERS = sql('find_leftover_tasks')`
select d.task_uuid from unnest($1::uuid[]) d (task_uuid)
 where exists (select 1 from tasker.task t where t.task_uuid = d.task_uuid and t.verdict is not null offset 0)
    or exists (select 1 from tasker.operator_action a where a.task_uuid = d.task_uuid and a.action <> 'note' and not starts_with(a.action, 'dlq_') offset 0)`;

const FORGET_QUEUED = sql('forget_queued_of_tasks')`delete from tasker.queue where task_uuid = any ($1::uuid[])`;
const FORGET_TIMERS = sql('forget_timers_of_tasks')`delete from tasker.timer where task_uuid = any ($1::uuid[])`;

// Rows are found by ctid, because a join would scan the whole table for each task if it was empty when it was analyzed.
const of = (table: string, key = 'task_uuid') => `
delete from tasker.${table} where ctid = any (array(
  select x.tid from unnest($1::uuid[]) d (task_uuid) cross join lateral (
    select ctid tid from tasker.${table} y where y.${key} = d.task_uuid offset 0) x))`;

const DELETIONS = [
  sql('forget_batches_of_tasks')`${of('batch')}`,
  sql('forget_batch_workers_of_tasks')`${of('batch_worker')}`,
  sql('forget_lists_of_tasks')`${of('for_each')}`,
  sql('forget_elements_of_tasks')`${of('for_each_page')}`,
  sql('forget_failed_elements_of_tasks')`${of('failed_element')}`,
  sql('forget_checkpoints_of_tasks')`${of('checkpoint')}`,
  sql('forget_waits_of_tasks')`${of('wait')}`,
  sql('forget_tokens_of_tasks')`${of('completion_token')}`,
  sql('forget_history_of_tasks')`${of('history')}`,
  sql('forget_watches_of_tasks')`${of('task_watch')}`,
  sql('forget_earlier_steps_of_tasks')`${of('earlier_step')}`,
  sql('forget_earlier_ends_of_tasks')`${of('earlier_end')}`,
  sql('forget_logs_of_tasks')`${of('step_log')}`,
  sql('forget_dead_letters_of_tasks')`${of('dead_letter')}`,
  sql('forget_pauses_of_tasks')`${of('pause')}`,
  sql('forget_signals_of_tasks')`${of('signal')}`,
  sql('forget_votes_of_tasks')`${of('vote')}`,
  sql('forget_schedules_of_tasks')`${of('scheduled_task')}`,
  sql('forget_child_tasks')`${of('child_task', 'child_uuid')}`,
  sql('forget_steps_of_tasks')`${of('step')}`,
  sql('forget_tasks')`${of('task')}`,
];

const FORGET_FOUND = [
  sql('forget_found_tasks')`${of('task_search')}`,
  sql('forget_found_steps_of_tasks')`${of('step_search')}`,
];

const FORGET_IDENTITIES = sql('forget_identities_of_tasks')`${of('task_identity')}`;

const KEEP_IDENTITIES = sql('keep_identities_of_tasks')`
update tasker.task_identity set prune_id = $2, pruned_at = now() where ctid = any (array(
  select x.tid from unnest($1::uuid[]) d (task_uuid) cross join lateral (
    select ctid tid from tasker.task_identity y where y.task_uuid = d.task_uuid offset 0) x))`;

// Events of the log stay. Restored events are not in the log, so nothing else would delete them.
const FORGET_RESTORED_EVENTS = sql('forget_restored_events')`
delete from tasker.domain_event where ctid = any (array(
  select x.tid from unnest($1::uuid[]) d (task_uuid) cross join lateral (
    select ctid tid from tasker.domain_event y where y.task_uuid = d.task_uuid and y.id < 0 offset 0) x))`;

/** A prune, which has a single entry in the audit. */
export interface Pruning {
  pruneId: number;
  /** Whether the identities of the tasks stay reserved. */
  keepIdentities: boolean;
}

/**
 * Deletes tasks that have ended, with everything except their entries in the audit and their domain events, which may
 * still have to be delivered. Call it after lockTasks, with tasks that have ended. A deletion by an operator is
 * recorded in the audit, and releases the identities.
 */
export async function deleteTasks(db: Db, taskUuids: readonly string[], by: Operator | Pruning): Promise<void> {
  const ids = [`{${taskUuids.join(',')}}`];
  await countBeforeDelete(db, taskUuids);
  const left = (await db.query<{ task_uuid: string }>(LEFTOVERS, ids)).rows.map((row) => row.task_uuid);
  const leftIds = [`{${left.join(',')}}`];
  await Promise.all([
    ...(left.length > 0 ? [NAME_ACTS, FORGET_QUEUED, FORGET_TIMERS].map((each) => db.query(each, leftIds)) : []),
    ...whatStays(db, ids, by),
    db.query(FORGET_RESTORED_EVENTS, ids),
    ...DELETIONS.map((statement) => db.query(statement, ids)),
    // Done last, to hold the lock only briefly. Without the lock, a process that writes the search tables could wait
    // for one of these rows after changing another.
    lockSearch(db),
    ...FORGET_FOUND.map((statement) => db.query(statement, ids)),
  ]);
}

/** Writes the rows that remain of the tasks: an entry in the audit, or their identities. */
function whatStays(db: Db, ids: readonly string[], by: Operator | Pruning): Promise<unknown>[] {
  if (!('pruneId' in by)) {
    const { actor, reason, door, bulkId } = by;
    return [db.query(NOTE_DELETED, [...ids, actor, reason, door, bulkId]), db.query(FORGET_IDENTITIES, ids)];
  }
  return [by.keepIdentities ? db.query(KEEP_IDENTITIES, [...ids, by.pruneId]) : db.query(FORGET_IDENTITIES, ids)];
}

const RELEASE_IDENTITY = sql('release_pruned_identity')`
delete from tasker.task_identity where task_uuid = $1 and pruned_at is not null returning 1`;

/** Releases the identity that a pruned task still reserves. Returns false if no such identity exists. */
export async function releaseIdentity(db: Db, taskUuid: string): Promise<boolean> {
  return (await db.query(RELEASE_IDENTITY, [taskUuid])).rows.length > 0;
}
