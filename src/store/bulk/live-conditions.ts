import type { Db } from '../../db/statement.ts';
import { type StepCondition, searchedStates } from '../search/conditions.ts';
import { lastChange } from '../shown-state.ts';
import { sql } from '../sql.ts';

/** The times between which the last change of a task must be. Null means any. */
export interface ChangeRange {
  updatedAfter: string | null;
  updatedBefore: string | null;
}

const CHANGED_AMONG = sql('changed_among')`
select t.task_uuid
  from unnest($1::uuid[]) d (task_uuid)
 cross join lateral (select task_uuid, created_at, done_at from tasker.task x where x.task_uuid = d.task_uuid offset 0) t
  left join lateral (${lastChange('t')}) c on true
 where coalesce(t.done_at, c.at) >= coalesce($2::timestamptz, '-infinity')
   and coalesce(t.done_at, c.at) < coalesce($3::timestamptz, 'infinity')`;

/** Returns the tasks in the list whose last change is in the range. */
export async function changedAmong(
  db: Db,
  taskUuids: readonly string[],
  { updatedAfter, updatedBefore }: ChangeRange,
): Promise<Set<string>> {
  const values = [`{${taskUuids.join(',')}}`, updatedAfter, updatedBefore];
  const { rows } = await db.query<{ task_uuid: string }>(CHANGED_AMONG, values);
  return new Set(rows.map((row) => row.task_uuid));
}

// Compares what the search tables contain, but in the current rows. The last attempt is looked up only if a condition
// needs it.
const WITH_STEP_AMONG = sql('with_step_among')`
select t.task_uuid
  from unnest($1::uuid[]) d (task_uuid)
 cross join lateral (select task_uuid, template_id from tasker.task x where x.task_uuid = d.task_uuid offset 0) t
 where exists (
   select 1 from tasker.step s
    where s.task_uuid = t.task_uuid and ($2::tasker.step_state[] is null or s.state = any ($2))
      and (($3::text is null and $4::text is null) or exists (
        select 1 from tasker.template_step ts
         where ts.template_id = t.template_id and ts.idx = tasker.template_idx(s.idx)
           and ($3::text is null or ts.name = $3) and ($4::text is null or ts.callable = $4)))
      and ($7::bigint[] is null or s.state <> 'in_progress' or s.claim >> 24 = any ($7))
      and (($5::text is null and $6::text is null and ($7::bigint[] is null or s.state = 'in_progress')) or exists (
        select 1 from (
          select h.worker_id, h.detail #>> '{error,error_type}' error_type, h.detail #>> '{error,message}' error
            from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx order by h.attempt desc limit 1) h
         where ($5::text is null or h.error_type = $5)
           and ($6::text is null or strpos(lower(left(split_part(h.error, E'\n', 1), 300)), lower($6)) > 0)
           and ($7::bigint[] is null or s.state = 'in_progress' or h.worker_id = any ($7))))
   offset 0)`;

/** Returns the tasks in the list that have a step which meets the condition. */
export async function withStepAmong(db: Db, taskUuids: readonly string[], step: StepCondition): Promise<Set<string>> {
  const { name, handler, errorType, error, workerIds } = step;
  const states = searchedStates(step) ?? (step.state === null ? null : [step.state]);
  const { rows } = await db.query<{ task_uuid: string }>(WITH_STEP_AMONG, [
    `{${taskUuids.join(',')}}`,
    states && `{${states.join(',')}}`,
    name,
    handler,
    errorType,
    error,
    workerIds && `{${workerIds.join(',')}}`,
  ]);
  return new Set(rows.map((row) => row.task_uuid));
}
