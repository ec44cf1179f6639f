import type { Db } from '../../db/statement.ts';
import { START_IDX, type WaitEnd } from '../../model/waits.ts';
import { queueIdOf } from '../queue-id.ts';
import { columns, lists, sql } from '../sql.ts';
import type { NewTask } from '../tasks.ts';

/** When a task `t` began: at its creation, at its start if it started later, or at a rerun after that. */
export const BEGUN_AT = `greatest(t.rerun_at, t.created_at, (
    select y.ended_at from tasker.wait y where y.task_uuid = t.task_uuid and y.idx = ${START_IDX}))`;

// Like create_tasks, but no step is ready, nothing is queued, and the start is a wait of the task.
const CREATE_LATER = sql('create_later_tasks')`
with input as materialized (
  select * from rows from (
    unnest($1::uuid[], $2::int[], $3::smallint[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $11::text[], $12::text[],
           $13::float8[], $14::float8[], $15::text[], $16::text[], $17::text[]),
    jsonb_array_elements($4::jsonb), jsonb_array_elements($10::jsonb)
  ) d (task_uuid, template_id, rank, correlation_id, parent_correlation_id, initiator, source_system, reason, hash, traceparent,
       start_ms, delay_ms, created_with, request_hash, digest, context, tags)),
ident as (
  insert into tasker.task_identity (hash, task_uuid, request_hash, digest)
  select decode(hash, 'hex'), task_uuid, decode(request_hash, 'hex'), decode(digest, 'hex') from input where hash is not null order by 1
  on conflict do nothing returning task_uuid),
t as (
  insert into tasker.task (task_uuid, template_id, rank, n_open, n_active, n_wait, context, correlation_id, parent_correlation_id,
                           initiator, source_system, reason, traceparent, created_with, tags)
  select i.task_uuid, i.template_id, i.rank, m.initial_count, 0, 1, i.context, i.correlation_id, i.parent_correlation_id,
         i.initiator, i.source_system, i.reason, i.traceparent, i.created_with,
         case when i.tags <> 'null' then array(select jsonb_array_elements_text(i.tags)) end
    from input i join tasker.template m on m.id = i.template_id
   where i.hash is null or i.task_uuid in (select task_uuid from ident)
  returning task_uuid, template_id, rank),
s as (
  insert into tasker.step (task_uuid, idx, state, remaining, max_attempts, retryable)
  select t.task_uuid, ts.idx, 'pending', ts.parents, ts.max_attempts, ts.retryable
    from t cross join lateral (
      select * from tasker.template_step x where x.template_id = t.template_id and x.initial offset 0) ts),
w as (
  insert into tasker.wait (task_uuid, idx, kind, template_id, rank, until, due_at)
  select i.task_uuid, ${START_IDX}, 'start', i.template_id, i.rank, x.at, x.at
    from input i cross join lateral (
      select coalesce('epoch'::timestamptz + i.start_ms * interval '1 ms', now() + i.delay_ms * interval '1 ms') at) x
   where i.task_uuid in (select task_uuid from t))
select task_uuid from t`;

/** Creates tasks that begin later. Returns the ids of the new tasks. */
export async function createLaterTasks(db: Db, tasks: readonly NewTask[]): Promise<Set<string>> {
  const { rows } = await db.query<{ task_uuid: string }>(CREATE_LATER, [
    ...columns(tasks, 'taskUuid', 'templateId', 'rank'),
    `[${tasks.map((t) => t.context).join(',')}]`,
    ...lists(tasks, 'correlationId', 'parentCorrelationId', 'initiator', 'sourceSystem', 'reason'),
    JSON.stringify(tasks.map((t) => t.tags)),
    ...lists(tasks, 'identityHash', 'traceparent'),
    tasks.map((t) => t.start?.atMs ?? null),
    tasks.map((t) => t.start?.delayMs ?? null),
    ...lists(tasks, 'createdWith', 'requestHash', 'digest'),
  ]);
  return new Set(rows.map((row) => row.task_uuid));
}

// The first steps change now, so that the limits of a lifecycle are measured from the start.
const START_TASK = sql('start_task')`
with w as (
  update tasker.wait set ended_at = greatest(statement_timestamp(), since), ended_by = $2
   where task_uuid = $1 and idx = ${START_IDX} and ended_at is null
  returning task_uuid, template_id, rank, ended_at),
s as (
  update tasker.step s set state = 'enqueued', next_at = statement_timestamp()
    from (
      select x.tid, w.template_id, w.rank
        from w join tasker.template_step ts on ts.template_id = w.template_id and ts.initial and ts.parents = 0
        cross join lateral (
          select ctid tid from tasker.step y where y.task_uuid = w.task_uuid and y.idx = ts.idx and y.state = 'pending' offset 0) x) r
   where s.ctid = r.tid
  returning s.task_uuid, s.idx, r.template_id, r.rank),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select ${queueIdOf({ template: 's.template_id', task: 's.task_uuid' })}, rank, task_uuid, idx, template_id from s order by idx),
t as (
  update tasker.task set n_wait = n_wait - 1, n_active = n_active + (select count(*) from s)
   where task_uuid = $1 and exists (select 1 from w))
select tasker.iso(w.ended_at) "endedAt", (select count(*)::int from s) steps from w`;

/**
 * Starts a task that begins later. Returns the time of the start and the number of queued steps. Undefined if the task
 * has already started. Call it after lockTasks.
 */
export async function startTask(
  db: Db,
  taskUuid: string,
  by: WaitEnd,
): Promise<{ endedAt: string; steps: number } | undefined> {
  return (await db.query<{ endedAt: string; steps: number }>(START_TASK, [taskUuid, by])).rows[0];
}
