import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';
import type { SearchPlace } from './task-source.ts';

const FIRST_ERRORS = sql('first_errors')`
select q.task_uuid "taskUuid", tasker.step_name(b.name, d.name, q.idx) step, q.error_type "errorType", q.error
  from unnest($1::uuid[]) x (task_uuid)
  cross join lateral (
    select * from tasker.step_search q where q.task_uuid = x.task_uuid and q.state in ('error', 'waiting_for_retry')
     order by q.state = 'error' desc, q.idx limit 1) q
  join tasker.template_step d on d.template_id = q.template_id and d.idx = tasker.template_idx(q.idx)
  left join tasker.batch_worker b on b.task_uuid = q.task_uuid and b.idx = q.idx`;

/** The first failed step of a task, or otherwise the first step that waits for a retry. */
export interface FirstError {
  taskUuid: string;
  step: string;
  errorType: string | null;
  /** The first line of its message. */
  error: string | null;
}

/** Returns the first errors of the tasks that have one. */
export async function firstErrors(db: Db, taskUuids: readonly string[]): Promise<FirstError[]> {
  return (await db.query<FirstError>(FIRST_ERRORS, [`{${taskUuids.join(',')}}`])).rows;
}

const TEMPLATE_IDS = sql('template_ids')`
select m.id, n.name namespace, m.name, m.version,
       exists (select 1 from tasker.template_step d where d.template_id = m.id and not d.initial) dynamic
  from tasker.template m join tasker.namespace n on n.id = m.namespace_id
 where ($1::text is null or n.name = $1) and ($2::text is null or m.name = $2)`;

/** A registered snapshot. */
export interface SnapshotName {
  id: number;
  namespace: string;
  name: string;
  version: string;
  /** Whether steps may be added to its tasks while they run. */
  dynamic: boolean;
}

/** Returns the snapshots of a namespace or a name. */
export async function templateIds(
  db: Db,
  { namespace, name }: { namespace: string | null; name: string | null },
): Promise<SnapshotName[]> {
  return (await db.query<SnapshotName>(TEMPLATE_IDS, [namespace, name])).rows;
}

const TEMPLATE_PLACES = sql('template_places')`
select template_id "templateId", idx, initial from tasker.template_step
 where ($1::text is null or name = $1) and ($2::text is null or callable = $2)`;

/** Returns the template steps of a name or a handler. */
export async function templatePlaces(
  db: Db,
  { name, handler }: { name: string | null; handler: string | null },
): Promise<{ templateId: number; idx: number; initial: boolean }[]> {
  const { rows } = await db.query<{ templateId: number; idx: number; initial: boolean }>(TEMPLATE_PLACES, [
    name,
    handler,
  ]);
  return rows;
}

const WORKER_IDS = sql('worker_ids')`
select id::text from tasker.worker where name = $1 union select id::text from tasker.past_worker where name = $1`;

/** Returns the ids that a worker of this name has or had. */
export async function workerIds(db: Db, name: string): Promise<number[]> {
  return (await db.query<{ id: string }>(WORKER_IDS, [name])).rows.map((row) => Number(row.id));
}

const PLACE_OF_TASK = sql('place_of_task')`
select tasker.iso(case $2 when 'created' then t.created_at when 'ended' then t.done_at else
                  coalesce((select s.updated_at from tasker.task_search s where s.task_uuid = $1), t.done_at, t.created_at) end) at
  from tasker.task t where t.task_uuid = $1`;

/** Returns the position of a task in a sorted list. Undefined if the task does not exist, or has not ended. */
export async function placeOfTask(db: Db, taskUuid: string, sort: string): Promise<SearchPlace | undefined> {
  const { rows } = await db.query<{ at: string | null }>(PLACE_OF_TASK, [taskUuid, sort]);
  const at = rows[0]?.at;
  return at ? { at, taskUuid } : undefined;
}
