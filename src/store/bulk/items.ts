import type { Db } from '../../db/statement.ts';
import { shownState } from '../shown-state.ts';
import { columns, lists, sql } from '../sql.ts';
import { STILL_STALE } from '../stale-tasks.ts';
import type { StepKey } from '../step-key.ts';

/** An item of a bulk action that has no outcome yet. */
export interface BulkItemRow extends StepKey {
  /** JSON text: pairs of a step's index and its attempt number. */
  seen: string | null;
}

const NEXT_ITEMS = sql('next_bulk_items')`
select task_uuid "taskUuid", idx, array_to_json(seen)::text seen from tasker.bulk_item
 where bulk_id = $1 and (task_uuid, idx) > ($2::uuid, $3::int) and outcome is null
 order by task_uuid, idx limit $4`;

/** Returns the next items after the given one, in the order of their tasks. */
export async function nextItems(
  db: Db,
  id: number,
  { after, limit }: { after: StepKey; limit: number },
): Promise<BulkItemRow[]> {
  return (await db.query<BulkItemRow>(NEXT_ITEMS, [id, after.taskUuid, after.idx, limit])).rows;
}

const LOCK_READY_STEPS = sql('lock_ready_steps')`
select count(*) from (
  select 1 from tasker.step where task_uuid = any ($1::uuid[]) and state in ('enqueued', 'in_progress') for update) s`;

/**
 * Keeps workers from claiming steps of these tasks until the transaction ends, and waits for claims in progress. A claim
 * does not lock its task. Call it after the tasks are locked.
 */
export async function lockReadySteps(db: Db, taskUuids: readonly string[]): Promise<void> {
  await db.query(LOCK_READY_STEPS, [`{${taskUuids.join(',')}}`]);
}

const LIVE_TASKS = sql('live_tasks')`
select d.task_uuid "taskUuid", (${shownState('t')})::text state, t.done_at is not null ended, coalesce(t.reruns, 0) reruns,
       coalesce(t.rerun_at > (select created_at from tasker.bulk where id = $2), false) "ranAgain",
       exists (select 1 from tasker.bulk_item i where i.bulk_id = $2 and i.task_uuid = t.task_uuid and i.outcome = 'done' offset 0) acted
  from unnest($1::uuid[]) d (task_uuid) cross join lateral (
    select task_uuid, state, n_wait, done_at, reruns, rerun_at from tasker.task x where x.task_uuid = d.task_uuid offset 0) t`;

/** The current state of a task. */
export interface LiveTaskRow {
  taskUuid: string;
  state: string;
  ended: boolean;
  /** Number of reruns. */
  reruns: number;
  /** Whether it was rerun after the items of the action were selected. */
  ranAgain: boolean;
  /** Whether the action has already acted on another step of it, and so may have changed it. */
  acted: boolean;
}

/** Returns the current state of tasks in a bulk action. Tasks that do not exist are omitted. */
export async function liveTasks(db: Db, id: number, taskUuids: readonly string[]): Promise<LiveTaskRow[]> {
  return (await db.query<LiveTaskRow>(LIVE_TASKS, [`{${taskUuids.join(',')}}`, id])).rows;
}

const LIVE_STEPS = sql('live_steps')`
select d.task_uuid "taskUuid", d.idx, s.state::text, s.attempts
  from unnest($1::uuid[], $2::int[]) d (task_uuid, idx) cross join lateral (
    select state, attempts from tasker.step x where x.task_uuid = d.task_uuid and x.idx = d.idx offset 0) s`;

/** The current state of a step. */
export interface LiveStepRow extends StepKey {
  state: string;
  attempts: number;
}

/** Returns the current state of steps. */
export async function liveSteps(db: Db, steps: readonly StepKey[]): Promise<LiveStepRow[]> {
  return (await db.query<LiveStepRow>(LIVE_STEPS, columns(steps, 'taskUuid', 'idx'))).rows;
}

const STALE_AMONG = sql('stale_among')`
select w.task_uuid from tasker.task_watch w join tasker.task t on t.task_uuid = w.task_uuid
 where w.task_uuid = any ($1::uuid[]) and ${STILL_STALE}`;

/** Returns the tasks in the list that exceed a limit of their lifecycle. */
export async function staleAmong(db: Db, taskUuids: readonly string[]): Promise<Set<string>> {
  const { rows } = await db.query<{ task_uuid: string }>(STALE_AMONG, [`{${taskUuids.join(',')}}`]);
  return new Set(rows.map((row) => row.task_uuid));
}

const MARK_ITEMS = sql('mark_bulk_items')`
with p as materialized (
  select x.tid, d.outcome, d.why
    from unnest($2::uuid[], $3::int[], $4::text[], $5::text[]) d (task_uuid, idx, outcome, why) cross join lateral (
      select ctid tid from tasker.bulk_item y
       where y.bulk_id = $1 and y.task_uuid = d.task_uuid and y.idx = d.idx and y.outcome is null offset 0) x),
m as (
  update tasker.bulk_item i set outcome = p.outcome, why = p.why from p where i.ctid = p.tid)
update tasker.bulk b set done = b.done + c.done, skipped = b.skipped + c.skipped, failed = b.failed + c.failed,
       seen_at = clock_timestamp()
  from (select (count(*) filter (where outcome = 'done'))::int done, (count(*) filter (where outcome = 'skipped'))::int skipped,
               (count(*) filter (where outcome = 'failed'))::int failed from p) c
 where b.id = $1 returning b.matched, b.done, b.skipped, b.failed`;

/** The outcome of an item. */
export interface ItemOutcome extends StepKey {
  outcome: 'done' | 'skipped' | 'failed';
  why: string | null;
}

/** The progress of a bulk action. */
export interface BulkCounts {
  matched: number;
  done: number;
  skipped: number;
  failed: number;
}

/** Stores the outcomes of items, in the transaction that acts on them. Returns the progress of the bulk action. */
export async function markItems(db: Db, id: number, outcomes: readonly ItemOutcome[]): Promise<BulkCounts> {
  const values = [id, ...columns(outcomes, 'taskUuid', 'idx'), ...lists(outcomes, 'outcome', 'why')];
  return (await db.query<BulkCounts>(MARK_ITEMS, values)).rows[0]!;
}

const LIST_ITEMS = sql('list_bulk_items')`
select i.task_uuid "taskUuid", coalesce(n.step, case when i.idx >= 0 then 'step ' || i.idx end) step, i.why
  from (select * from tasker.bulk_item where bulk_id = $1 and outcome = $2 order by task_uuid, idx limit $3) i
  left join lateral (
    select tasker.step_name(bw.name, ts.name, i.idx) step
      from tasker.task t join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(i.idx)
      left join tasker.batch_worker bw on bw.task_uuid = t.task_uuid and bw.idx = i.idx
     where t.task_uuid = i.task_uuid and i.idx >= 0 offset 0) n on true
 order by i.task_uuid, i.idx`;

/** An item that was skipped or failed. */
export interface LeftItemRow {
  taskUuid: string;
  step: string | null;
  why: string;
}

/** Returns items with an outcome. */
export async function listItems(
  db: Db,
  id: number,
  { outcome, limit }: { outcome: 'skipped' | 'failed'; limit: number },
): Promise<LeftItemRow[]> {
  return (await db.query<LeftItemRow>(LIST_ITEMS, [id, outcome, limit])).rows;
}

const SAMPLE_ITEMS = sql('sample_bulk_items')`
select i.task_uuid "taskUuid", s.name || '/' || m.name || '@' || m.version template, (${shownState('t')})::text status,
       coalesce(f.steps, '[]') steps
  from (select * from tasker.bulk_item where bulk_id = $1 and outcome is null order by task_uuid, idx limit $2) i
  cross join lateral (select task_uuid, template_id, state, n_wait from tasker.task x where x.task_uuid = i.task_uuid offset 0) t
  join tasker.template m on m.id = t.template_id join tasker.namespace s on s.id = m.namespace_id
  left join lateral (
    select jsonb_agg(jsonb_build_object('name', y.name, 'state', y.state, 'attempts', y.attempts, 'retryable', y.retryable,
                                        'errorType', y.error_type, 'error', y.error) order by y.idx)::text steps
      from (select tasker.step_name(bw.name, ts.name, x.idx) name, x.idx, x.state, x.attempts - x.spared attempts, x.retryable, q.error_type, q.error
              from generate_subscripts(i.seen, 1) g
              cross join lateral (select * from tasker.step y where y.task_uuid = i.task_uuid and y.idx = i.seen[g][1] offset 0) x
              join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(x.idx)
              left join tasker.batch_worker bw on bw.task_uuid = i.task_uuid and bw.idx = x.idx
              left join tasker.step_search q on q.task_uuid = i.task_uuid and q.idx = x.idx
             order by x.idx limit 10) y) f on true
 order by i.task_uuid, i.idx`;

/** An item as an operator sees it before the action. */
export interface SampleRow {
  taskUuid: string;
  template: string;
  status: string;
  /** JSON text. */
  steps: string;
}

/** Returns the first items that still exist. */
export async function sampleItems(db: Db, id: number, limit: number): Promise<SampleRow[]> {
  return (await db.query<SampleRow>(SAMPLE_ITEMS, [id, limit])).rows;
}

const COUNT_STEPS = sql('count_bulk_steps')`
select count(*)::int steps, (count(*) filter (where not s.retryable))::int "notRetryable"
  from tasker.bulk_item i cross join lateral generate_subscripts(i.seen, 1) g cross join lateral (
    select retryable from tasker.step x where x.task_uuid = i.task_uuid and x.idx = i.seen[g][1] offset 0) s
 where i.bulk_id = $1 and i.outcome is null`;

/** Counts the selected failures, and the failures of steps with `retryable: false`. */
export async function countSteps(db: Db, id: number): Promise<{ steps: number; notRetryable: number }> {
  return (await db.query<{ steps: number; notRetryable: number }>(COUNT_STEPS, [id])).rows[0]!;
}

/** Tasks are counted up to this number, so that a report of a large action takes a bounded time. */
const COUNTED = 100_000;

const COUNT_PAUSED = sql('count_paused_of_bulk')`
select count(*)::int paused from (
  select distinct i.task_uuid from tasker.bulk_item i
    cross join lateral (select template_id, done_at from tasker.task x where x.task_uuid = i.task_uuid offset 0) t
    join tasker.template m on m.id = t.template_id
   where exists (select 1 from tasker.pause p where p.resumed_at is null) and i.bulk_id = $1 and i.outcome is not distinct from $2
     and ($2::text is null or t.done_at is null)
     and (m.paused or exists (select 1 from tasker.pause p where p.task_uuid = i.task_uuid and p.resumed_at is null))
   limit ${COUNTED}) x`;

/**
 * Counts the tasks of items with this outcome whose steps do not start now, because the task, its template or its namespace
 * is paused. Counts up to 100,000. Tasks that the action has left ended are not counted.
 */
export async function countPaused(db: Db, id: number, outcome: 'done' | null): Promise<number> {
  return (await db.query<{ paused: number }>(COUNT_PAUSED, [id, outcome])).rows[0]!.paused;
}
