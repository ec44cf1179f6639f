import type { Db } from '../db/statement.ts';
import { columns, lists, sql } from './sql.ts';

// Identities are inserted in the order of their hashes, so that two batches cannot wait for each other; a task whose
// identity exists already leaves no rows.
// `offset 0` keeps the lookup of a template's steps by the key: joined freely, a small table is read whole for each task.
const CREATE_TASKS = sql('create_tasks')`
with input as materialized (
  select * from rows from (
    unnest($1::uuid[], $2::int[], $3::smallint[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $11::text[], $12::text[]),
    jsonb_array_elements($4::jsonb), jsonb_array_elements($10::jsonb)
  ) d (task_uuid, template_id, rank, correlation_id, parent_correlation_id, initiator, source_system, reason, hash, traceparent, context, tags)),
ident as (
  insert into tasker.task_identity (hash, task_uuid)
  select decode(hash, 'hex'), task_uuid from input where hash is not null order by 1
  on conflict do nothing returning task_uuid),
t as (
  insert into tasker.task (task_uuid, template_id, rank, n_open, n_active, context, correlation_id, parent_correlation_id,
                           initiator, source_system, reason, traceparent, tags)
  select i.task_uuid, i.template_id, i.rank, m.initial_count, m.root_count, i.context, i.correlation_id, i.parent_correlation_id,
         i.initiator, i.source_system, i.reason, i.traceparent,
         case when i.tags <> 'null' then array(select jsonb_array_elements_text(i.tags)) end
    from input i join tasker.template m on m.id = i.template_id
   where i.hash is null or i.task_uuid in (select task_uuid from ident)
  returning task_uuid, template_id, rank),
s as (
  insert into tasker.step (task_uuid, idx, state, remaining, max_attempts, retryable)
  select t.task_uuid, ts.idx, case when ts.parents = 0 then 'enqueued'::tasker.step_state else 'pending' end, ts.parents,
         ts.max_attempts, ts.retryable
    from t cross join lateral (
      select * from tasker.template_step x where x.template_id = t.template_id and x.initial offset 0) ts),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select (select namespace_id from tasker.template m where m.id = t.template_id), t.rank, t.task_uuid, ts.idx, t.template_id
    from t cross join lateral (
      select idx from tasker.template_step x where x.template_id = t.template_id and x.initial and x.parents = 0 offset 0) ts
   order by t.task_uuid, ts.idx)
select task_uuid from t`;

/** A task to create, checked and encoded. */
export interface NewTask {
  taskUuid: string;
  templateId: number;
  rank: number;
  /** JSON text. */
  context: string;
  correlationId: string | null;
  parentCorrelationId: string | null;
  /** Who created it, to those who trace. */
  traceparent: string | null;
  initiator: string | null;
  sourceSystem: string | null;
  reason: string | null;
  tags: readonly string[] | null;
  /** SHA-256 in hex, or null for a task without an identity. */
  identityHash: string | null;
}

/** Creates tasks with their steps and queues their roots, all in one statement. Answers with the ids that were new. */
export async function createTasks(db: Db, tasks: readonly NewTask[]): Promise<Set<string>> {
  const { rows } = await db.query<{ task_uuid: string }>(CREATE_TASKS, [
    ...columns(tasks, 'taskUuid', 'templateId', 'rank'),
    `[${tasks.map((t) => t.context).join(',')}]`,
    ...lists(tasks, 'correlationId', 'parentCorrelationId', 'initiator', 'sourceSystem', 'reason'),
    JSON.stringify(tasks.map((t) => t.tags)),
    ...lists(tasks, 'identityHash', 'traceparent'),
  ]);
  return new Set(rows.map((row) => row.task_uuid));
}

const FIND_IDENTITIES = sql('find_identities')`
select encode(hash, 'hex') hash, task_uuid from tasker.task_identity where hash = any (select decode(h, 'hex') from unnest($1::text[]) h)`;

/** The tasks that hold these identities, by hash. */
export async function findIdentities(db: Db, hashes: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await db.query<{ hash: string; task_uuid: string }>(FIND_IDENTITIES, [hashes]);
  return new Map(rows.map((row) => [row.hash, row.task_uuid]));
}
