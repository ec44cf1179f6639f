import type { Db } from '../db/statement.ts';
import type { FailedElement, ListNow } from '../model/for-each.ts';
import type { StepNow } from '../model/routes.ts';
import { EARLIER_ATTEMPTS } from './expand-tasks.ts';
import { queueIdOf } from './queue-id.ts';
import { columns, sql, lists as textColumns } from './sql.ts';
import type { HeldKey, StepKey } from './step-key.ts';

// The step waits for its elements as for parents, so it is `pending` until they have ended. A start that begins a list spends
// no attempt: the attempt is the start that follows, which computes the result.
const BEGIN_LISTS = sql('begin_lists')`
with s as (
  update tasker.step s set state = 'pending', remaining = 1, spared = s.spared + 1, done_at = statement_timestamp(), next_at = null
    from unnest($1::uuid[], $2::int[], $3::bigint[]) with ordinality d (task_uuid, idx, claim, ord)
   where s.task_uuid = any (array[d.task_uuid]) and s.idx = d.idx and s.state = 'in_progress' and s.claim = d.claim
  returning s.task_uuid, s.idx, s.attempts, s.spared, s.claim, s.started_at, d.ord),
h as (
  insert into tasker.history (task_uuid, idx, attempt, number, worker_id, outcome, state, started_at, ended_at)
  select task_uuid, idx, attempts, attempts - spared + 1, claim >> 24, 'released', 'pending', started_at, greatest(statement_timestamp(), started_at)
    from s),
f as (
  insert into tasker.for_each (task_uuid, idx, first_step, n_steps, total, parallelism, on_failure)
  select s.task_uuid, s.idx, d.first_step, d.n_steps, d.total, d.parallelism, d.on_failure
    from s join unnest($4::int[], $5::int[], $6::int[], $7::int[], $8::text[]) with ordinality d (first_step, n_steps, total, parallelism, on_failure, ord)
      on d.ord = s.ord and d.total > 0
  on conflict do nothing returning task_uuid, idx),
p as (
  insert into tasker.for_each_page (task_uuid, idx, page, elements, keys)
  select f.task_uuid, f.idx, (page.ord - 1)::int, page.value -> 'elements', nullif(page.value -> 'keys', 'null')
    from f join unnest($1::uuid[], $2::int[]) with ordinality d (task_uuid, idx, ord) on d.task_uuid = f.task_uuid and d.idx = f.idx
   cross join lateral jsonb_array_elements($9::jsonb -> (d.ord - 1)::int) with ordinality page (value, ord)
  on conflict do nothing),
t as (
  update tasker.task t set n_active = n_active - c.n
    from (select task_uuid, count(*)::int n from s group by 1) c where t.task_uuid = any (array[c.task_uuid]))
select ord::int from s`;

/** A list that begins, with the fence of its step. `total` is 0 if the list has begun before. */
export interface BeginningList extends HeldKey {
  /** The first of the template steps that run for each element, and their number. */
  firstStep: number;
  nSteps: number;
  total: number;
  parallelism: number;
  onFailure: ListNow['onFailure'];
  /** JSON texts: `{"elements": […], "keys": […] or null}`. */
  pages: readonly string[];
}

/** Begins lists, and returns the indexes of the lists that the fence accepted. Call it after lockTasks. */
export async function beginLists(db: Db, lists: readonly BeginningList[]): Promise<Set<number>> {
  const { rows } = await db.query<{ ord: number }>(BEGIN_LISTS, [
    ...columns(lists, 'taskUuid', 'idx', 'claim', 'firstStep', 'nSteps', 'total', 'parallelism', 'onFailure'),
    `[${lists.map(({ pages }) => `[${pages.join(',')}]`).join(',')}]`,
  ]);
  return new Set(rows.map(({ ord }) => ord - 1));
}

const LISTS_OF = sql('lists_of_tasks')`
select task_uuid "taskUuid", idx, first_step "firstStep", total, parallelism, on_failure "onFailure", started, open, completed, failed, stopped_by "stoppedBy",
       failed_open "failedOpen", failed_blocking "failedBlocking"
  from tasker.for_each where task_uuid = any ($1::uuid[]) order by task_uuid, idx`;

/** A list of a task. */
export interface ListRow extends ListNow {
  taskUuid: string;
  /** The first of the template steps that run for each element. */
  firstStep: number;
}

/** Returns the lists of tasks. */
export async function listsOfTasks(db: Db, taskUuids: readonly string[]): Promise<ListRow[]> {
  return (await db.query<ListRow>(LISTS_OF, [`{${taskUuids.join(',')}}`])).rows;
}

const OPEN_ELEMENTS = sql('open_elements')`
select f.task_uuid "taskUuid", f.idx list, s.idx, s.state::text, s.remaining, coalesce(s.rerun, 0) rerun
  from tasker.for_each f
 cross join lateral unnest(f.open) e (element)
 cross join lateral generate_series(f.first_step + 1, f.first_step + f.n_steps) g
 cross join lateral (
   select * from tasker.step x where x.task_uuid = f.task_uuid and x.idx = (g << 17) + e.element offset 0) s
 where f.task_uuid = any ($1::uuid[])`;

/** A step of an open element, and the step that has the list. */
export interface ElementStepRow extends StepNow {
  taskUuid: string;
  list: number;
}

/** Returns the steps of the open elements of tasks. Call it after lockTasks. */
export async function stepsOfOpenElements(db: Db, taskUuids: readonly string[]): Promise<ElementStepRow[]> {
  return (await db.query<ElementStepRow>(OPEN_ELEMENTS, [`{${taskUuids.join(',')}}`])).rows;
}

// Not hot: an operator acts on the task, or asks why it is in its state.
const FAILING_ELEMENTS = sql('failing_elements')`
select f.task_uuid "taskUuid", f.idx list, s.idx, s.state::text, s.remaining, coalesce(s.rerun, 0) rerun
  from tasker.for_each f
 cross join lateral (
   select unnest(f.open) element
   union all select x.element from tasker.failed_element x where x.task_uuid = f.task_uuid and x.idx = f.idx offset 0) e
 cross join lateral generate_series(f.first_step + 1, f.first_step + f.n_steps) g
 cross join lateral (
   select * from tasker.step x where x.task_uuid = f.task_uuid and x.idx = (g << 17) + e.element offset 0) s
 where f.task_uuid = any ($1::uuid[])`;

/** Returns the steps of the open and the failed elements of tasks. */
export async function stepsOfFailingElements(db: Db, taskUuids: readonly string[]): Promise<ElementStepRow[]> {
  return (await db.query<ElementStepRow>(FAILING_ELEMENTS, [`{${taskUuids.join(',')}}`])).rows;
}

// Not hot: the step of a list ends before its elements.
const OPEN_STEPS_OF_ELEMENTS = sql('open_steps_of_elements')`
select s.idx, s.state::text, s.remaining, coalesce(s.rerun, 0) rerun
  from tasker.for_each f
  join tasker.step s on s.task_uuid = f.task_uuid and s.idx >= (f.first_step + 1) << 17 and s.idx < (f.first_step + f.n_steps + 1) << 17
 where f.task_uuid = $1 and f.idx = $2 and s.state in ('pending', 'enqueued', 'in_progress', 'waiting_for_retry', 'waiting')`;

/** Returns the open steps of all elements of a list. Call it after lockTasks. */
export async function openStepsOfElements(db: Db, { taskUuid, idx }: StepKey): Promise<StepNow[]> {
  return (await db.query<StepNow>(OPEN_STEPS_OF_ELEMENTS, [taskUuid, idx])).rows;
}

// Not hot: an operator has changed a step of a failed element.
const REOPEN_ELEMENTS = sql('reopen_elements')`
with r as (
  delete from tasker.failed_element e using tasker.for_each f
   where e.task_uuid = any ($1::uuid[]) and f.task_uuid = e.task_uuid and f.idx = e.idx and f.on_failure = 'block'
     and e.blocking > (
       select count(*) from generate_series(f.first_step + 1, f.first_step + f.n_steps) g
         join tasker.step s on s.task_uuid = e.task_uuid and s.idx = (g << 17) + e.element and s.state = 'error')
  returning e.*)
update tasker.for_each f set open = f.open || r.elements, failed = f.failed - cardinality(r.elements),
       failed_open = f.failed_open - r.open, failed_blocking = f.failed_blocking - r.blocking
  from (select task_uuid, idx, array_agg(element) elements, sum(open)::int open, sum(blocking)::int blocking from r group by 1, 2) r
 where f.task_uuid = r.task_uuid and f.idx = r.idx`;

/** Opens the failed elements of which an operator has settled or restarted a step. Call it after lockTasks. */
export async function reopenElements(db: Db, taskUuids: readonly string[]): Promise<void> {
  await db.query(REOPEN_ELEMENTS, [`{${taskUuids.join(',')}}`]);
}

const SAVE_LISTS = sql('save_lists')`
update tasker.for_each f set started = d.started, open = d.open::int[], completed = d.completed, failed = d.failed, stopped_by = d.stopped_by,
       failed_open = d.failed_open, failed_blocking = d.failed_blocking
  from unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::int[], $6::int[], $7::int[], $8::int[], $9::int[])
       d (task_uuid, idx, started, open, completed, failed, stopped_by, failed_open, failed_blocking)
 where f.task_uuid = d.task_uuid and f.idx = d.idx`;

const ADD_FAILED = sql('add_failed_elements')`
insert into tasker.failed_element (task_uuid, idx, element, open, blocking)
select * from unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::int[])
on conflict (task_uuid, idx, element) do update set open = excluded.open, blocking = excluded.blocking`;

const START_ELEMENTS = sql('start_elements')`
with s as (
  insert into tasker.step (task_uuid, idx, state, remaining, max_attempts, retryable, attempts, spared, earlier_attempts, rerun)
  select d.task_uuid, d.idx, d.state, d.remaining, ts.max_attempts, ts.retryable, coalesce(a.n, 0), coalesce(a.n, 0), a.n, t.reruns
    from unnest($1::uuid[], $2::int[], $3::tasker.step_state[], $4::int[]) d (task_uuid, idx, state, remaining)
   cross join lateral (select template_id, reruns from tasker.task x where x.task_uuid = d.task_uuid offset 0) t
   cross join lateral (
     select max_attempts, retryable from tasker.template_step x
      where x.template_id = t.template_id and x.idx = tasker.template_idx(d.idx) offset 0) ts
   cross join lateral (${EARLIER_ATTEMPTS('d.task_uuid', 'd.idx')}) a
  returning task_uuid, idx, state),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select ${queueIdOf({ template: 't.template_id', task: 't.task_uuid' })}, t.rank, t.task_uuid, s.idx, t.template_id
    from s cross join lateral (select * from tasker.task x where x.task_uuid = s.task_uuid offset 0) t
   where s.state = 'enqueued' order by t.task_uuid, s.idx & 131071, s.idx)
update tasker.task t set n_open = t.n_open + c.n, n_active = t.n_active + c.ready
  from (select task_uuid, count(*)::int n, (count(*) filter (where state = 'enqueued'))::int ready from s group by 1) c
 where t.task_uuid = any (array[c.task_uuid])`;

/** A step of an element that starts. */
export interface StartingElementStep extends StepKey {
  state: string;
  remaining: number;
}

/** Writes what was decided about lists, and starts elements. Call it after lockTasks, and before the task is counted. */
export async function saveLists(
  db: Db,
  {
    lists,
    failed,
    starting,
  }: {
    lists: readonly (ListNow & { taskUuid: string })[];
    failed: readonly (FailedElement & StepKey)[];
    starting: readonly StartingElementStep[];
  },
): Promise<void> {
  await Promise.all([
    db.query(SAVE_LISTS, [
      ...columns(lists, 'taskUuid', 'idx', 'started'),
      textColumns(
        lists.map(({ open }) => ({ open: `{${open.join(',')}}` })),
        'open',
      )[0],
      ...columns(lists, 'completed', 'failed', 'stoppedBy', 'failedOpen', 'failedBlocking'),
    ]),
    ...(failed.length > 0
      ? [db.query(ADD_FAILED, columns(failed, 'taskUuid', 'idx', 'element', 'open', 'blocking'))]
      : []),
    ...(starting.length > 0
      ? [db.query(START_ELEMENTS, columns(starting, 'taskUuid', 'idx', 'state', 'remaining'))]
      : []),
  ]);
}

// Not hot: a rerun of the step that has the list.
const FORGET_LISTS = sql('forget_lists')`
with p as (delete from tasker.for_each_page where task_uuid = $1 and idx = any ($2::int[])),
e as (delete from tasker.failed_element where task_uuid = $1 and idx = any ($2::int[]))
delete from tasker.for_each where task_uuid = $1 and idx = any ($2::int[])`;

/** Deletes lists that are evaluated again. Call it after lockTasks. */
export async function forgetLists(db: Db, taskUuid: string, idxs: readonly number[]): Promise<void> {
  await db.query(FORGET_LISTS, [taskUuid, `{${idxs.join(',')}}`]);
}

// Not hot: a rerun of the chain of one element.
const REOPEN_ELEMENT = sql('reopen_element')`
with e as (
  delete from tasker.failed_element where task_uuid = $1 and idx = $2 and element = $3 returning open, blocking)
update tasker.for_each f set open = case when $3::int = any (open) then open else open || $3::int end,
       completed = completed - case when $3::int = any (open) or exists (select 1 from e) then 0 else 1 end,
       failed = failed - (select count(*)::int from e),
       failed_open = failed_open - coalesce((select open from e), 0), failed_blocking = failed_blocking - coalesce((select blocking from e), 0)
 where f.task_uuid = $1 and f.idx = $2`;

/** Opens an element that runs again. Call it after lockTasks. */
export async function reopenElement(
  db: Db,
  taskUuid: string,
  { list, number }: { list: number; number: number },
): Promise<void> {
  await db.query(REOPEN_ELEMENT, [taskUuid, list, number]);
}

// Not hot: a rerun. The counter was recounted from the parents.
const HOLD_LISTS = sql('hold_lists')`
update tasker.step s set remaining = s.remaining + 1
  from tasker.for_each f
 where f.task_uuid = $1 and s.task_uuid = $1 and s.idx = f.idx and s.state = 'pending'`;

/** Holds the steps that wait for the elements of their lists. Call it after their parents were recounted. */
export async function holdLists(db: Db, taskUuid: string): Promise<void> {
  await db.query(HOLD_LISTS, [taskUuid]);
}

// ---- read while steps run

const ELEMENTS_AT = sql('elements_at')`
select d.task_uuid "taskUuid", d.list, d.element, (p.elements -> (d.element & 255))::text value, p.keys ->> (d.element & 255) key
  from unnest($1::uuid[], $2::int[], $3::int[]) d (task_uuid, list, element)
 cross join lateral (
   select elements, keys from tasker.for_each_page x
    where x.task_uuid = d.task_uuid and x.idx = d.list and x.page = d.element >> 8 offset 0) p`;

/** The key of an element. */
export interface ElementKey {
  taskUuid: string;
  /** The step that has the list. */
  list: number;
  element: number;
}

/** An element of a list. */
export interface ElementRow extends ElementKey {
  /** JSON text. */
  value: string;
  /** Its label. Null if the list has none. */
  key: string | null;
}

/** Returns elements of lists. */
export async function elementsAt(db: Db, elements: readonly ElementKey[]): Promise<ElementRow[]> {
  return (await db.query<ElementRow>(ELEMENTS_AT, columns(elements, 'taskUuid', 'list', 'element'))).rows;
}

const LIST_PAGE = sql('list_page')`
select elements::text, keys::text from tasker.for_each_page where task_uuid = $1 and idx = $2 and page = $3`;

/** Returns a page of a list: its elements, and their labels or null, as JSON texts. */
export async function listPage(
  db: Db,
  { taskUuid, list, page }: { taskUuid: string; list: number; page: number },
): Promise<{ elements: string; keys: string | null } | undefined> {
  return (await db.query<{ elements: string; keys: string | null }>(LIST_PAGE, [taskUuid, list, page])).rows[0];
}

// Not hot: reads of people.
const LABEL_PAGES = sql('label_pages')`
select ts.name step, p.page, p.keys::text
  from tasker.task t join tasker.for_each f on f.task_uuid = t.task_uuid
  join tasker.template_step ts on ts.template_id = t.template_id and ts.idx between f.first_step and f.first_step + f.n_steps - 1
  join tasker.for_each_page p on p.task_uuid = f.task_uuid and p.idx = f.idx and p.page = any ($2::int[])
 where t.task_uuid = $1 and p.keys is not null`;

/** The labels of a page of a list, for one of the steps that run for its elements. */
export interface LabelPage {
  step: string;
  page: number;
  /** JSON text: a list. */
  keys: string;
}

/** Returns the labels of the elements in these pages, of all lists of a task. Lists without labels are omitted. */
export async function labelPages(db: Db, taskUuid: string, pages: readonly number[]): Promise<LabelPage[]> {
  return (await db.query<LabelPage>(LABEL_PAGES, [taskUuid, `{${pages.join(',')}}`])).rows;
}

const ELEMENT_RESULTS = sql('element_results')`
select s.idx, s.state::text, case when s.state <> 'error' then s.result::text end result,
       case when s.state = 'error' then (
         select h.detail #>> '{error,message}' from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx
          order by h.attempt desc limit 1) end message
  from generate_series($2::int + 1, $2::int + $3) g
 cross join lateral (
   select * from tasker.step x where x.task_uuid = $1 and x.idx >= (g << 17) + $4 and x.idx < (g << 17) + $5 offset 0) s
 where s.state in ('complete', 'resolved_manually', 'error')`;

/** A step of an element that completed or failed. */
export interface ElementResultRow {
  idx: number;
  state: string;
  /** JSON text. */
  result: string | null;
  /** The message of the failure. Null if the step completed. */
  message: string | null;
}

/** Returns the completed and failed steps of the elements from `first` up to `end`. */
export async function elementResults(
  db: Db,
  {
    taskUuid,
    firstStep,
    nSteps,
    first,
    end,
  }: { taskUuid: string; firstStep: number; nSteps: number; first: number; end: number },
): Promise<ElementResultRow[]> {
  return (await db.query<ElementResultRow>(ELEMENT_RESULTS, [taskUuid, firstStep, nSteps, first, end])).rows;
}

const FAILED_ELEMENTS = sql('failed_elements')`
select element from tasker.failed_element where task_uuid = $1 and idx = $2 and element > $3 order by element limit $4`;

/** Returns failed elements of a list after an element, in order. */
export async function failedElements(
  db: Db,
  { taskUuid, list, after, limit }: { taskUuid: string; list: number; after: number; limit: number },
): Promise<number[]> {
  const { rows } = await db.query<{ element: number }>(FAILED_ELEMENTS, [taskUuid, list, after, limit]);
  return rows.map(({ element }) => element);
}
