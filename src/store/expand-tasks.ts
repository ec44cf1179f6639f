import type { Db } from '../db/statement.ts';
import { columns, sql } from './sql.ts';
import type { StepKey } from './step-key.ts';

/** A condition on a worker `p` of a batch `b`: the steps after the batch no longer wait for this worker. */
export const WORKER_IS_OVER = `(p.state in ('complete', 'resolved_manually', 'cancelled') or (p.state = 'error' and b.failure_strategy <> 'fail_fast'))`;

/** When the last parent of a step `s` ended. The workers of a batch are the parents of the steps after it. */
export const PARENTS_DONE_AT = (templateId: string): string => `(
    select max(p.done_at) from tasker.template_edge e cross join lateral (
      select y.done_at from tasker.step y where y.task_uuid = s.task_uuid and y.idx = e.parent
      union all
      select y.done_at from tasker.step y
       where y.task_uuid = s.task_uuid and y.idx >= (e.parent + 1) << 17 and y.idx < (e.parent + 2) << 17 offset 0) p
     where e.template_id = ${templateId} and e.child = tasker.template_idx(s.idx))`;

const EXISTING_STEPS = sql('existing_steps')`
select task_uuid, idx from tasker.step where task_uuid = any ($1::uuid[]) and idx < 131072
union all select task_uuid, worker_idx from tasker.batch where task_uuid = any ($1::uuid[])`;

/** Returns the template steps that each task has, including those of its batches. Call it after lockTasks. */
export async function existingSteps(db: Db, taskUuids: readonly string[]): Promise<Map<string, Set<number>>> {
  const { rows } = await db.query<{ task_uuid: string; idx: number }>(EXISTING_STEPS, [`{${taskUuids.join(',')}}`]);
  const found = new Map<string, Set<number>>(taskUuids.map((taskUuid) => [taskUuid, new Set()]));
  for (const row of rows) found.get(row.task_uuid)!.add(row.idx);
  return found;
}

// A creating step whose claim was lost adds nothing. `claim` is null if an operator completes the creator; then the
// task lock is enough.
const CREATOR_HOLDS = `
  exists (select 1 from tasker.step c where c.task_uuid = d.task_uuid and c.idx = d.creator
             and (d.claim is null or (c.state = 'in_progress' and c.claim = d.claim)))`;

/** A step that is created again after a rerun continues its attempt numbers. Other tasks (`t.reruns` is null) read nothing. */
export const EARLIER_ATTEMPTS = (taskUuid: string, idx: string): string =>
  `select max(h.attempt) n from tasker.history h where t.reruns > 0 and h.task_uuid = ${taskUuid} and h.idx = ${idx}`;

const adding = (alsoSets: string) => `
with new as (
  insert into tasker.step (task_uuid, idx, state, remaining, max_attempts, retryable, attempts, spared, earlier_attempts, rerun)
  select d.task_uuid, d.idx, 'pending', 0, ts.max_attempts, ts.retryable, coalesce(a.n, 0), coalesce(a.n, 0), a.n, t.reruns
    from unnest($1::uuid[], $2::int[], $3::bigint[], $4::int[], $5::int[]) d (task_uuid, creator, claim, template_id, idx)
         cross join lateral (
           select max_attempts, retryable from tasker.template_step x
            where x.template_id = d.template_id and x.idx = d.idx offset 0) ts
         cross join lateral (select reruns from tasker.task x where x.task_uuid = d.task_uuid offset 0) t
         cross join lateral (${EARLIER_ATTEMPTS('d.task_uuid', 'd.idx')}) a
   where ${CREATOR_HOLDS}
  on conflict do nothing returning task_uuid)
update tasker.task t set n_open = n_open + c.n${alsoSets}
  from (select task_uuid, count(*)::int n from new group by 1) c where t.task_uuid = c.task_uuid`;

const ADD_STEPS = sql('add_steps')`${adding('')}`;
/** The task may just have ended with the step that created none. */
const ADD_ROUTES = sql('add_routes')`${adding(', done_at = null')}`;

/** A template step to add to a task. */
export interface NewStep extends StepKey {
  /** The step whose result creates it, and that step's fence. Null if an operator completes the creator. */
  creator: number;
  claim: number | null;
  templateId: number;
}

/** Adds pending steps. {@link recountSteps} then counts the parents that they wait for. Call it after lockTasks. */
export async function addSteps(db: Db, steps: readonly NewStep[]): Promise<void> {
  await db.query(ADD_STEPS, columns(steps, 'taskUuid', 'creator', 'claim', 'templateId', 'idx'));
}

/** Adds pending steps below a decision or an analyzer that created none. Call it after lockTasks. */
export async function addRoutes(db: Db, steps: readonly NewStep[]): Promise<void> {
  await db.query(ADD_ROUTES, columns(steps, 'taskUuid', 'creator', 'claim', 'templateId', 'idx'));
}

const ADD_BATCHES = sql('add_batches')`
with b as (
  insert into tasker.batch (task_uuid, worker_idx, analyzer_idx, size, parallelism, failure_strategy, no_op, next_idx)
  select d.task_uuid, d.worker_idx, d.creator, d.size, d.parallelism, d.failure_strategy, d.no_op,
         ((d.worker_idx + 1) << 17) + least(d.parallelism, d.size)
    from unnest($1::uuid[], $2::int[], $3::bigint[], $4::int[], $5::int[], $6::int[], $7::text[], $8::boolean[])
         d (task_uuid, creator, claim, worker_idx, size, parallelism, failure_strategy, no_op)
   where ${CREATOR_HOLDS}
  on conflict do nothing returning task_uuid, worker_idx, size),
w as (
  insert into tasker.step (task_uuid, idx, state, remaining, max_attempts, retryable, attempts, spared, earlier_attempts, rerun)
  select t.task_uuid, t.first + g, 'pending', t.unmet, t.max_attempts, t.retryable, coalesce(a.n, 0), coalesce(a.n, 0), a.n, t.reruns
    from (select b.*, (b.worker_idx + 1) << 17 first, t.reruns, ts.max_attempts, ts.retryable, (
                 select count(*)::int from tasker.template_edge e
                   join tasker.step p on p.task_uuid = b.task_uuid and p.idx = e.parent
                  where e.template_id = ts.template_id and e.child = b.worker_idx
                    and p.state not in ('complete', 'resolved_manually')) unmet
            from b join tasker.task t on t.task_uuid = b.task_uuid
            join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = b.worker_idx) t
         cross join lateral generate_series(0, t.size - 1) g
         cross join lateral (${EARLIER_ATTEMPTS('t.task_uuid', 't.first + g')}) a),
p as (
  insert into tasker.batch_worker (task_uuid, idx, name, cursor)
  select b.task_uuid, ((b.worker_idx + 1) << 17) + (part.ord - 1)::int, part.value ->> 'name', part.value -> 'cursor'
    from unnest($1::uuid[], $4::int[]) with ordinality d (task_uuid, worker_idx, ord)
    join b on b.task_uuid = d.task_uuid and b.worker_idx = d.worker_idx
         cross join lateral jsonb_array_elements($9::jsonb -> (d.ord - 1)::int) with ordinality part (value, ord))
update tasker.task t set n_open = n_open + c.n
  from (select task_uuid, sum(size)::int n from b group by 1) c where t.task_uuid = c.task_uuid`;

/** A batch to add to a task. */
export interface NewBatch extends Pick<NewStep, 'taskUuid' | 'creator' | 'claim'> {
  /** The template step that its workers are created from. */
  workerIdx: number;
  parallelism: number;
  failureStrategy: string;
  noOp: boolean;
  /** For each worker: its name, and its cursor as JSON text. */
  parts: readonly { name: string; cursor: string }[];
}

/** Adds batches with all their workers in one statement. An existing batch stays unchanged. Call it after lockTasks. */
export async function addBatches(db: Db, batches: readonly NewBatch[]): Promise<void> {
  const parts = batches.map((batch) =>
    batch.parts.map((part) => `{"name":${JSON.stringify(part.name)},"cursor":${part.cursor}}`).join(','),
  );
  await db.query(ADD_BATCHES, [
    ...columns(batches, 'taskUuid', 'creator', 'claim', 'workerIdx'),
    `{${batches.map((batch) => batch.parts.length).join(',')}}`,
    ...columns(batches, 'parallelism', 'failureStrategy', 'noOp'),
    `[${parts.map((list) => `[${list}]`).join(',')}]`,
  ]);
}

// Recounts instead of adding, so that the result is always correct and the statement can be repeated. The step that is
// being recorded still runs, so it is counted as unmet. The recording then decrements the counter, as for every other
// parent.
const RECOUNT_STEPS = sql('recount_steps')`
update tasker.step c set remaining = x.unmet
  from (
    select s.task_uuid, s.idx, (
             select count(*)::int from tasker.template_edge e
               join tasker.step p on p.task_uuid = s.task_uuid and p.idx = e.parent
              where e.template_id = t.template_id and e.child = tasker.template_idx(s.idx)
                and p.state not in ('complete', 'resolved_manually')) + (
             select count(*)::int from tasker.template_edge e
               join tasker.batch b on b.task_uuid = s.task_uuid and b.worker_idx = e.parent
               join tasker.step p on p.task_uuid = s.task_uuid and p.idx >= (b.worker_idx + 1) << 17
                and p.idx < ((b.worker_idx + 1) << 17) + b.size
              where e.template_id = t.template_id and e.child = tasker.template_idx(s.idx) and not ${WORKER_IS_OVER}) unmet
      from tasker.task t join tasker.step s on s.task_uuid = t.task_uuid
     where t.task_uuid = any ($1::uuid[]) and s.state = 'pending'
       and (s.idx < 131072 or (select count(*) from tasker.template_edge e
             where e.template_id = t.template_id and e.child = tasker.template_idx(s.idx)) > 1)) x
 where c.task_uuid = x.task_uuid and c.idx = x.idx and c.remaining <> x.unmet`;

/** Recounts the unfinished parents of every pending step of these tasks. Call it after lockTasks. */
export async function recountSteps(db: Db, taskUuids: readonly string[]): Promise<void> {
  await db.query(RECOUNT_STEPS, [`{${taskUuids.join(',')}}`]);
}
