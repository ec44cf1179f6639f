import type { Db } from '../../db/statement.ts';
import { lists, sql } from '../sql.ts';

/** The steps to select from the tasks found. Null means any. */
export interface StepSelection {
  states: readonly string[];
  name: string | null;
  handler: string | null;
  errorType: string | null;
  error: string | null;
  workerIds: readonly number[] | null;
}

// Uses the attempt number in the search tables, so that the action applies to the failure that the filter found.
const SELECTED_STEPS = `
  select q.idx, q.attempts from tasker.step_search q
   where q.task_uuid = d.task_uuid and q.state = any ($3::tasker.step_state[])
     and ($4::text is null or q.error_type = $4) and ($5::text is null or strpos(lower(q.error), lower($5)) > 0)
     and ($6::bigint[] is null or q.worker_id = any ($6))
     and (($7::text is null and $8::text is null) or exists (
       select 1 from tasker.template_step ts
        where ts.template_id = q.template_id and ts.idx = tasker.template_idx(q.idx)
          and ($7::text is null or ts.name = $7) and ($8::text is null or ts.callable = $8)))`;

const SELECT_TASKS = sql('select_bulk_tasks')`
insert into tasker.bulk_item (bulk_id, task_uuid, seen)
select $1, d.task_uuid, s.seen
  from unnest($2::uuid[]) d (task_uuid) left join lateral (
    select array_agg(array[x.idx, x.attempts] order by x.idx) seen from (${SELECTED_STEPS}) x offset 0) s on true
 where s.seen is not null
on conflict do nothing`;

const SELECT_STEPS = sql('select_bulk_steps')`
insert into tasker.bulk_item (bulk_id, task_uuid, idx, seen)
select $1, d.task_uuid, s.idx, array[array[s.idx, s.attempts]]
  from unnest($2::uuid[]) d (task_uuid) cross join lateral (${SELECTED_STEPS} offset 0) s
on conflict do nothing`;

const SELECT_WHOLE_TASKS = sql('select_bulk_whole_tasks')`
insert into tasker.bulk_item (bulk_id, task_uuid) select $1, unnest($2::uuid[]) on conflict do nothing`;

/**
 * Selects tasks of a search as items. `steps`: only tasks with such steps, whose attempt numbers are stored with the
 * item.
 */
export async function selectTasks(
  db: Db,
  id: number,
  { taskUuids, steps }: { taskUuids: readonly string[]; steps: StepSelection | null },
): Promise<void> {
  const ids = `{${taskUuids.join(',')}}`;
  if (steps === null) await db.query(SELECT_WHOLE_TASKS, [id, ids]);
  else await db.query(SELECT_TASKS, [id, ids, ...selectionValues(steps)]);
}

/** Selects steps of the tasks that a search finds as items. */
export async function selectSteps(
  db: Db,
  id: number,
  { taskUuids, steps }: { taskUuids: readonly string[]; steps: StepSelection },
): Promise<void> {
  await db.query(SELECT_STEPS, [id, `{${taskUuids.join(',')}}`, ...selectionValues(steps)]);
}

function selectionValues({ states, name, handler, errorType, error, workerIds }: StepSelection): unknown[] {
  const workers = workerIds && `{${workerIds.join(',')}}`;
  return [`{${states.join(',')}}`, errorType, error, workers, name, handler];
}

/** The reason why a task `d` without a row `t` is skipped. A pruned task may still reserve its identity. */
const WHY_GONE = `
case when t.task_uuid is null then coalesce((
  select 'the task was pruned at ' || tasker.iso(i.pruned_at) from tasker.task_identity i
   where i.task_uuid = d.task_uuid and i.pruned_at is not null limit 1), 'task not found') end`;

const SELECT_GIVEN_TASKS = sql('select_given_tasks')`
insert into tasker.bulk_item (bulk_id, task_uuid, seen, outcome, why)
select $1, d.task_uuid, s.seen, case when t.task_uuid is null then 'skipped' end, ${WHY_GONE}
  from unnest($2::uuid[]) d (task_uuid)
  left join lateral (select task_uuid from tasker.task x where x.task_uuid = d.task_uuid offset 0) t on true
  left join lateral (
    select array_agg(array[x.idx, x.attempts] order by x.idx) seen from tasker.step x
     where $3::boolean and x.task_uuid = d.task_uuid and x.state in ('error', 'waiting_for_retry') offset 0) s on true
on conflict do nothing`;

/** Selects tasks by their ids. `failing`: stores the attempt numbers of their steps that failed or wait for a retry. */
export async function selectGivenTasks(
  db: Db,
  id: number,
  { taskUuids, failing }: { taskUuids: readonly string[]; failing: boolean },
): Promise<void> {
  await db.query(SELECT_GIVEN_TASKS, [id, `{${taskUuids.join(',')}}`, failing]);
}

// `seen` of a task that has ended begins with -1 and the number of its reruns. The cancelled steps that had started
// follow: they run again.
const SELECT_REDRIVES = sql('select_redrives')`
insert into tasker.bulk_item (bulk_id, task_uuid, seen, outcome, why)
select $1, d.task_uuid,
       case when t.done_at is null then s.seen else array[array[-1, coalesce(t.reruns, 0)]] || s.seen end,
       case when t.task_uuid is null then 'skipped' end, ${WHY_GONE}
  from unnest($2::uuid[]) d (task_uuid)
  left join lateral (select * from tasker.task x where x.task_uuid = d.task_uuid offset 0) t on true
  left join lateral (
    select array_agg(array[x.idx, x.attempts] order by x.idx) seen from tasker.step x
     where x.task_uuid = d.task_uuid
       and case when t.done_at is null then x.state in ('error', 'waiting_for_retry')
                else x.state = 'cancelled' and x.attempts > coalesce(x.earlier_attempts, 0) end offset 0) s on true
on conflict do nothing`;

/** Selects tasks to redrive, with the attempts of the steps that would run again. */
export async function selectRedrives(db: Db, id: number, taskUuids: readonly string[]): Promise<void> {
  await db.query(SELECT_REDRIVES, [id, `{${taskUuids.join(',')}}`]);
}

// A step that does not exist has no index; its item has a number below that of a whole task.
const SELECT_GIVEN_STEPS = sql('select_given_steps')`
insert into tasker.bulk_item (bulk_id, task_uuid, idx, seen, outcome, why)
select $1, d.task_uuid, coalesce(s.idx, -1 - d.ord::int), case when s.idx is not null then array[array[s.idx, s.attempts]] end,
       case when s.idx is null then 'skipped' end, case when s.idx is null then 'step ' || d.name || ' not found' end
  from unnest($2::uuid[], $3::text[], $4::int[]) with ordinality d (task_uuid, name, idx, ord)
  left join lateral (
    select x.idx, x.attempts
      from tasker.task t join tasker.step x on x.task_uuid = t.task_uuid
      join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(x.idx)
      left join tasker.batch_worker bw on bw.task_uuid = x.task_uuid and bw.idx = x.idx
     where t.task_uuid = d.task_uuid and (x.idx = d.idx or (d.idx is null and tasker.step_name(bw.name, ts.name, x.idx) = d.name))
     limit 1) s on true
on conflict do nothing`;

/** A step that an operator named: by its name, or by its index. */
export interface GivenStep {
  taskUuid: string;
  name: string;
  idx: number | null;
}

/** Selects steps that were listed individually. */
export async function selectGivenSteps(db: Db, id: number, steps: readonly GivenStep[]): Promise<void> {
  await db.query(SELECT_GIVEN_STEPS, [id, ...lists(steps, 'taskUuid', 'name', 'idx')]);
}

const TASKS_OF_STEPS = sql('tasks_of_steps')`
select d.low, t.task_uuid "taskUuid"
  from unnest($1::uuid[], $2::uuid[]) d (low, high) cross join lateral (
    select task_uuid from tasker.task x where x.task_uuid between d.low and d.high limit 10) t`;

/** Returns the tasks whose ids have the same beginning as these step ids. */
export async function tasksOfSteps(
  db: Db,
  ranges: readonly { low: string; high: string }[],
): Promise<{ low: string; taskUuid: string }[]> {
  return (await db.query<{ low: string; taskUuid: string }>(TASKS_OF_STEPS, lists(ranges, 'low', 'high'))).rows;
}
