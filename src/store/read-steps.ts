import type { Db } from '../db/statement.ts';
import { readElementName } from '../model/for-each.ts';
import { HELD } from '../model/routes.ts';
import { WAIT_CALLABLES } from '../model/waits.ts';
import { columns, sql } from './sql.ts';
import type { HeldKey, StepKey } from './step-key.ts';

const STEP_COLUMNS = `
s.idx, tasker.step_name(bw.name, ts.name, s.idx) name, ts.name "templateName", ts.callable, s.state::text, s.remaining & ${HELD - 1} remaining, s.attempts, s.spared,
       s.max_attempts "maxAttempts", s.retryable, coalesce(s.rerun, 0) rerun, s.result, tasker.iso(s.next_at) "nextAt", tasker.iso(s.started_at) "startedAt",
       tasker.iso(s.done_at) "doneAt", tasker.iso(t.created_at) "createdAt",
       case when s.state = 'waiting' then (
         select json_build_object('kind', x.kind, 'since', tasker.iso(x.since), 'until', tasker.iso(x.until), 'dueAt', tasker.iso(x.due_at),
                                  'calls', x.calls, 'settings', x.settings, 'progress', x.progress - 'claims')::text
           from tasker.wait x where x.task_uuid = s.task_uuid and x.idx = s.idx and x.ended_at is null offset 0) end wait,
       tasker.iso(greatest(t.created_at, s.started_at, s.done_at, h.ended_at)) "updatedAt",
       case when ts.initial then ts.parents & ${HELD - 1} else (
         select count(*)::int from (
           select p.idx from tasker.template_edge e join tasker.step p on p.task_uuid = s.task_uuid and p.idx = e.parent
            where e.template_id = t.template_id and e.child = ts.idx
           union all
           select p.idx from tasker.template_edge e join tasker.batch b on b.task_uuid = s.task_uuid and b.worker_idx = e.parent
             join tasker.step p on p.task_uuid = s.task_uuid and p.idx >= (b.worker_idx + 1) << 17
              and p.idx < ((b.worker_idx + 1) << 17) + b.size
            where e.template_id = t.template_id and e.child = ts.idx) x) end "totalParents",
       case when ts.callable = '${WAIT_CALLABLES.for_each}' then (
         select json_build_object('total', x.total, 'started', x.started, 'open', cardinality(x.open), 'completed', x.completed, 'failed', x.failed)::text
           from tasker.for_each x where x.task_uuid = s.task_uuid and x.idx = s.idx offset 0) end elements,
       h.outcome::text "lastOutcome", h.duration_ms "durationMs", h.detail, tasker.iso(h.ended_at) "endedAt",
       coalesce(w.name, p.name) worker, coalesce(w.host, p.host) host`;

const STEP_JOINS = `
  join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(s.idx)
  left join tasker.batch_worker bw on bw.task_uuid = s.task_uuid and bw.idx = s.idx
  left join lateral (
    select * from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx and h.attempt > coalesce(s.earlier_attempts, 0)
     order by h.attempt desc limit 1) h on true
  left join tasker.worker w on w.id = s.claim >> 24
  left join tasker.past_worker p on p.id = s.claim >> 24`;

const GET_STEPS = sql('get_steps')`
select ${STEP_COLUMNS}
  from tasker.task t join tasker.step s on s.task_uuid = t.task_uuid
  ${STEP_JOINS}
 where t.task_uuid = $1
 order by s.idx`;

const GET_STEPS_OF_TASKS = sql('get_steps_of_tasks')`
select t.task_uuid "taskUuid", ${STEP_COLUMNS}
  from tasker.task t join tasker.step s on s.task_uuid = t.task_uuid
  ${STEP_JOINS}
 where t.task_uuid = any ($1::uuid[])
 order by t.task_uuid, s.idx`;

const GET_STEP = sql('get_step')`
select ${STEP_COLUMNS}
  from tasker.task t join tasker.step s on s.task_uuid = t.task_uuid
  ${STEP_JOINS}
 where t.task_uuid = $1 and s.idx = $2
 order by s.idx`;

// Each range is looked up separately, so that reading one batch worker does not read thousands of others.
const GET_STEPS_AT = sql('get_steps_at')`
select ${STEP_COLUMNS}
  from tasker.task t cross join unnest($2::int[], $3::int[]) r (first, last)
  cross join lateral (
    select * from tasker.step x where x.task_uuid = t.task_uuid and x.idx >= r.first and x.idx <= r.last offset 0) s
  ${STEP_JOINS}
 where t.task_uuid = $1
 order by s.idx`;

/** A step, with the end of its last attempt. */
export interface StepRow {
  idx: number;
  name: string;
  /** The name of the template step. Differs from `name` for a batch worker. */
  templateName: string;
  callable: string;
  state: string;
  remaining: number;
  attempts: number;
  spared: number;
  maxAttempts: number;
  retryable: boolean;
  /** The number of the rerun that its run belongs to. 0 is the first run. */
  rerun: number;
  /** JSON text. */
  result: string | null;
  nextAt: string | null;
  startedAt: string | null;
  doneAt: string | null;
  /** JSON text of what it waits for. Null unless it is in `waiting`. */
  wait: string | null;
  createdAt: string;
  updatedAt: string;
  totalParents: number;
  /** JSON text of the progress of its list. Null unless it has one. */
  elements: string | null;
  /** Null if no attempt has ended. */
  lastOutcome: string | null;
  durationMs: number | null;
  /** JSON text. */
  detail: string | null;
  endedAt: string | null;
  worker: string | null;
  host: string | null;
}

/** Returns the steps of a task in the order of its template. */
export async function getSteps(db: Db, taskUuid: string): Promise<StepRow[]> {
  return (await db.query<StepRow>(GET_STEPS, [taskUuid])).rows;
}

/** Returns the steps of several tasks, each in the order of its template. */
export async function getStepsOfTasks(
  db: Db,
  taskUuids: readonly string[],
): Promise<(StepRow & { taskUuid: string })[]> {
  return (await db.query<StepRow & { taskUuid: string }>(GET_STEPS_OF_TASKS, [`{${taskUuids.join(',')}}`])).rows;
}

/** Returns one step of a task. Undefined if there is none with this index. */
export async function getStep(db: Db, taskUuid: string, idx: number): Promise<StepRow | undefined> {
  return (await db.query<StepRow>(GET_STEP, [taskUuid, idx])).rows[0];
}

/** A range of step indexes, inclusive at both ends. */
export interface StepRange {
  first: number;
  last: number;
}

/** Returns the steps of a task in these ranges, in the order of its template. */
export async function getStepsAt(db: Db, taskUuid: string, ranges: readonly StepRange[]): Promise<StepRow[]> {
  return (await db.query<StepRow>(GET_STEPS_AT, [taskUuid, ...columns(ranges, 'first', 'last')])).rows;
}

// Stops at the first match. The names of batch workers, of which there may be many, are searched last.
const FIND_STEP = sql('find_step')`
select s.idx from tasker.step s where s.task_uuid = $1 and s.idx = $3
union all
select s.idx
  from tasker.task t join tasker.template_step ts on ts.template_id = t.template_id and ts.name = $2
  join tasker.step s on s.task_uuid = t.task_uuid and s.idx = ts.idx
 where t.task_uuid = $1
union all
select s.idx
  from tasker.task t join tasker.template_step ts on ts.template_id = t.template_id and ts.name = $4
  join tasker.step s on s.task_uuid = t.task_uuid and s.idx = (ts.idx + 1) << 17 | $5
 where t.task_uuid = $1
union all
select bw.idx from tasker.batch_worker bw where bw.task_uuid = $1 and bw.name = $2
 limit 1`;

/** Returns the index of the step with this name or `idx`. Undefined if the task has no such step. */
export async function findStep(
  db: Db,
  { taskUuid, name, idx }: { taskUuid: string; name: string; idx?: number },
): Promise<number | undefined> {
  const { step = null, element = null } = readElementName(name) ?? {};
  const values = [taskUuid, name, idx ?? null, step, element];
  return (await db.query<{ idx: number }>(FIND_STEP, values)).rows[0]?.idx;
}

const STEP_NAMES = sql('step_names')`
select s.idx, tasker.step_name(bw.name, ts.name, s.idx) name
  from tasker.task t join tasker.step s on s.task_uuid = t.task_uuid
  join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(s.idx)
  left join tasker.batch_worker bw on bw.task_uuid = s.task_uuid and bw.idx = s.idx
 where t.task_uuid = $1
 order by s.idx`;

/** Returns the names of a task's steps by index, in the order of its template. */
export async function stepNames(db: Db, taskUuid: string): Promise<Map<number, string>> {
  const { rows } = await db.query<{ idx: number; name: string }>(STEP_NAMES, [taskUuid]);
  return new Map(rows.map(({ idx, name }) => [idx, name]));
}

// Small uncompressed results are measured without converting them to text, and the size of the others is exact. The
// running sum follows the order of the list, without a sort.
const LOAD_RESULTS = sql('load_results')`
select task_uuid "taskUuid", idx, state, size, case when total <= $3 then result end result, total > $3 withheld
  from (
    select w.task_uuid, w.idx, x.state::text, x.size, x.result, sum(x.size) over (rows unbounded preceding) total
      from unnest($1::uuid[], $2::int[]) w (task_uuid, idx) cross join lateral (
        select s.state, s.result,
               case when s.result is null then 0
                 when pg_column_size(s.result) <= 2048 and pg_column_compression(s.result) is null then pg_column_size(s.result)
                 else length(s.result::text) end size
          from tasker.step s
         where s.task_uuid = w.task_uuid and s.idx = w.idx and s.state in ('complete', 'resolved_manually') offset 0) x) y`;

/** A finished step's result. */
export interface ResultRow extends StepKey {
  state: 'complete' | 'resolved_manually';
  /** Approximate length of the result's text in characters. */
  size: number;
  /** JSON text. */
  result: string | null;
  /** Whether `result` is null because it exceeded the limit. */
  withheld: boolean;
}

/**
 * Returns the results of finished steps; other steps are omitted. In the order of `keys`, returns results up to
 * `maxSize` characters in total, and only the sizes of the rest.
 */
export async function loadResults(db: Db, keys: readonly StepKey[], maxSize: number): Promise<ResultRow[]> {
  return (await db.query<ResultRow>(LOAD_RESULTS, [...columns(keys, 'taskUuid', 'idx'), maxSize])).rows;
}

const LOAD_FAILURES = sql('load_failures')`
select d.idx, coalesce(h.number, h.attempt) number, (h.detail -> 'error')::text error
  from unnest($1::uuid[], $2::int[]) d (task_uuid, idx)
 cross join lateral (
   select 1 from tasker.step x where x.task_uuid = d.task_uuid and x.idx = d.idx and x.state = 'error' offset 0) s
 cross join lateral (
   select * from tasker.history x where x.task_uuid = d.task_uuid and x.idx = d.idx order by x.attempt desc limit 1) h`;

/** The failure of a step. */
export interface FailureRow {
  idx: number;
  /** The number of its last attempt. */
  number: number;
  /** JSON text. */
  error: string | null;
}

/** Returns the failures of these steps. Steps that are not in `error` are omitted. */
export async function loadFailures(db: Db, steps: readonly StepKey[]): Promise<FailureRow[]> {
  return (await db.query<FailureRow>(LOAD_FAILURES, columns(steps, 'taskUuid', 'idx'))).rows;
}

// Not hot: only steps that undo others read it. Their task cancelled the steps that had failed.
const LAST_FAILURES = sql('last_failures')`
select d.idx, coalesce(h.number, h.attempt) number, (h.detail -> 'error')::text error
  from unnest($1::uuid[], $2::int[]) d (task_uuid, idx)
 cross join lateral (
   select * from tasker.history x
    where x.task_uuid = d.task_uuid and x.idx = d.idx and x.outcome in ('failed', 'worker_lost')
      and not exists (select 1 from tasker.history y
                       where y.task_uuid = d.task_uuid and y.idx = d.idx and y.attempt > x.attempt and y.outcome = 'completed')
    order by x.attempt desc limit 1) h`;

/** Returns the last failures of these steps, also if they were cancelled afterwards. Steps that completed after it are omitted. */
export async function lastFailures(db: Db, steps: readonly StepKey[]): Promise<FailureRow[]> {
  return (await db.query<FailureRow>(LAST_FAILURES, columns(steps, 'taskUuid', 'idx'))).rows;
}

const ENDED_WITHOUT_RESULT = sql('ended_without_result')`
select s.task_uuid "taskUuid", s.idx
  from unnest($1::uuid[], $2::int[]) d (task_uuid, idx)
 cross join lateral (
   select x.task_uuid, x.idx from tasker.step x
    where x.task_uuid = d.task_uuid and x.idx = d.idx and x.state in ('skipped', 'error', 'cancelled') offset 0) s`;

/** Returns the steps among these that were skipped, failed or were cancelled. */
export async function endedWithoutResult(db: Db, steps: readonly StepKey[]): Promise<StepKey[]> {
  return (await db.query<StepKey>(ENDED_WITHOUT_RESULT, columns(steps, 'taskUuid', 'idx'))).rows;
}

const HELD_STEPS = sql('held_steps')`
select w.ord::int from unnest($1::uuid[], $2::int[], $3::bigint[]) with ordinality w (task_uuid, idx, claim, ord)
  cross join lateral (
    select 1 from tasker.step s where s.task_uuid = w.task_uuid and s.idx = w.idx and s.state = 'in_progress'
       and s.claim = w.claim offset 0) x`;

/** Returns the indexes of the steps in the list that the worker still holds. */
export async function heldSteps(db: Db, held: readonly HeldKey[]): Promise<Set<number>> {
  const { rows } = await db.query<{ ord: number }>(HELD_STEPS, columns(held, 'taskUuid', 'idx', 'claim'));
  return new Set(rows.map((row) => row.ord - 1));
}
