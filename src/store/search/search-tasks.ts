import type { Db, Statement } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/** By which time tasks are sorted. */
export type SearchSort = 'created' | 'ended' | 'updated';

/** Which steps a task must have one of. */
export interface StepCondition {
  /** The name of a step in its template. */
  name: string | null;
  /** The callable of a step in its template. */
  handler: string | null;
  state: string | null;
  errorType: string | null;
  /** A part of the error's first line, in any case. */
  error: string | null;
  /** Workers that hold the step, or made its last attempt. */
  workerIds: readonly number[] | null;
}

/** Which tasks to find; null: any. */
export interface TaskSearch {
  templateIds: readonly number[] | null;
  states: readonly string[] | null;
  ended: boolean | null;
  stale: boolean;
  taskUuids: readonly string[] | null;
  tags: readonly string[] | null;
  initiator: string | null;
  sourceSystem: string | null;
  reason: string | null;
  correlationId: string | null;
  parentCorrelationId: string | null;
  /** ISO 8601 or a timestamp of the database, as text. */
  createdAfter: string | null;
  createdBefore: string | null;
  endedAfter: string | null;
  endedBefore: string | null;
  updatedAfter: string | null;
  updatedBefore: string | null;
  /** JSON text that the context contains. */
  context: string | null;
  step: StepCondition | null;
}

/** A place in the sorted tasks: the time and the id of a task. */
export interface SearchPlace {
  at: string;
  taskUuid: string;
}

/** Which part of the found tasks to return. */
export interface SearchSlice {
  sort: SearchSort;
  /** From the newest to the oldest. */
  descending: boolean;
  /** Return what follows this place in the direction of the sort. */
  after: SearchPlace | null;
  limit: number;
}

const SORT_COLUMNS: Record<SearchSort, string> = { created: 'created_at', ended: 'done_at', updated: 'updated_at' };

/** More branches than these are one condition, without an index of its own. */
const MOST_BRANCHES = 24;

/** Steps in these states have rows in `step_search`; others are looked up task by task. */
const SEARCHED_STATES: ReadonlySet<string> = new Set([
  'enqueued',
  'in_progress',
  'waiting_for_retry',
  'error',
  'resolved_manually',
]);

/** Collects the values of a statement that is made for one search. */
class Values {
  readonly list: unknown[] = [];

  /** Returns the place of a value in the text of the statement. */
  add(value: unknown, type: string): string {
    this.list.push(value);
    return `$${this.list.length}::${type}`;
  }
}

/**
 * The statement for one search. Its text depends on the conditions that are given, so that each is planned with its own
 * values: a plan for all of them would read the whole table.
 */
function searchText(search: TaskSearch, slice: Omit<SearchSlice, 'limit'>, values: Values, limit: string): string {
  const column = SORT_COLUMNS[slice.sort];
  const common = conditions(search, values);
  if (slice.sort === 'ended') common.push('p.done_at is not null');
  if (slice.after) {
    const place = `(${values.add(slice.after.at, 'timestamptz')}, ${values.add(slice.after.taskUuid, 'uuid')})`;
    common.push(`(p.${column}, p.task_uuid) ${slice.descending ? '<' : '>'} ${place}`);
  }
  const direction = slice.descending ? 'desc' : 'asc';
  const branches = branchesOf(search, values).map(
    (branch) => `select p.task_uuid, p.${column} at from tasker.task_search p
     where ${[...common, ...branch].join('\n       and ') || 'true'}
     order by p.${column} ${direction}, p.task_uuid ${direction} limit ${limit}`,
  );
  if (branches.length === 1) return branches[0]!;
  return `${branches.map((branch) => `(${branch})`).join('\nunion all\n')}
order by 2 ${direction}, 1 ${direction} limit ${limit}`;
}

/** One condition for each template and state, so that each reads a range of an index in the order of the sort. */
function branchesOf({ templateIds, states }: TaskSearch, values: Values): string[][] {
  if ((templateIds?.length ?? 1) * (states?.length ?? 1) > MOST_BRANCHES) {
    const all = [];
    if (templateIds) all.push(`p.template_id = any (${values.add(`{${templateIds.join(',')}}`, 'int[]')})`);
    if (states) all.push(`p.state = any (${values.add(`{${states.join(',')}}`, 'tasker.task_state[]')})`);
    return [all];
  }
  const templates = templateIds?.map((id) => `p.template_id = ${values.add(id, 'int')}`) ?? [undefined];
  const inStates = states?.map((state) => `p.state = ${values.add(state, 'tasker.task_state')}`) ?? [undefined];
  return templates.flatMap((template) =>
    inStates.map((state) => [template, state].filter((condition) => condition !== undefined)),
  );
}

function conditions(search: TaskSearch, values: Values): string[] {
  const found: string[] = [];
  const equal = (column: string, value: string | null) => {
    if (value !== null) found.push(`p.${column} = ${values.add(value, 'text')}`);
  };
  const time = (column: string, comparison: string, value: string | null) => {
    if (value !== null) found.push(`p.${column} ${comparison} ${values.add(value, 'timestamptz')}`);
  };
  if (search.ended !== null) found.push(`p.done_at is ${search.ended ? 'not null' : 'null'}`);
  if (search.taskUuids) found.push(`p.task_uuid = any (${values.add(`{${search.taskUuids.join(',')}}`, 'uuid[]')})`);
  if (search.tags) found.push(`p.tags @> ${values.add(search.tags, 'text[]')}`);
  equal('initiator', search.initiator);
  equal('source_system', search.sourceSystem);
  equal('reason', search.reason);
  if (search.correlationId !== null) {
    const id = values.add(search.correlationId, 'uuid');
    found.push(`(p.correlation_id = ${id} or (p.task_uuid = ${id} and p.correlation_id is null))`);
  }
  if (search.parentCorrelationId !== null) {
    found.push(`p.parent_correlation_id = ${values.add(search.parentCorrelationId, 'uuid')}`);
  }
  time('created_at', '>=', search.createdAfter);
  time('created_at', '<', search.createdBefore);
  time('done_at', '>=', search.endedAfter);
  time('done_at', '<', search.endedBefore);
  time('updated_at', '>=', search.updatedAfter);
  time('updated_at', '<', search.updatedBefore);
  if (search.stale) {
    found.push('exists (select 1 from tasker.task_watch w where w.task_uuid = p.task_uuid and w.rule is not null)');
  }
  if (search.context !== null) {
    const context = values.add(search.context, 'jsonb');
    found.push(
      `exists (select 1 from tasker.task t where t.task_uuid = p.task_uuid and t.context @> ${context} offset 0)`,
    );
  }
  if (search.step) found.push(stepCondition(search.step, values));
  return found;
}

function stepCondition(step: StepCondition, values: Values): string {
  const live = step.state !== null && !SEARCHED_STATES.has(step.state);
  const found = ['q.task_uuid = p.task_uuid'];
  if (step.state !== null) found.push(`q.state = ${values.add(step.state, 'tasker.step_state')}`);
  if (step.name !== null || step.handler !== null) {
    const of = ['d.template_id = p.template_id', 'd.idx = tasker.template_idx(q.idx)'];
    if (step.name !== null) of.push(`d.name = ${values.add(step.name, 'text')}`);
    if (step.handler !== null) of.push(`d.callable = ${values.add(step.handler, 'text')}`);
    found.push(`exists (select 1 from tasker.template_step d where ${of.join(' and ')})`);
  }
  if (!live) {
    if (step.errorType !== null) found.push(`q.error_type = ${values.add(step.errorType, 'text')}`);
    if (step.error !== null) found.push(`strpos(lower(q.error), lower(${values.add(step.error, 'text')})) > 0`);
    if (step.workerIds) found.push(`q.worker_id = any (${values.add(`{${step.workerIds.join(',')}}`, 'bigint[]')})`);
  }
  return `exists (select 1 from tasker.${live ? 'step' : 'step_search'} q where ${found.join(' and ')})`;
}

const statementOf = (name: string, text: string): Statement => ({ name, text, once: true });

/** Returns places of tasks in the order of the sort. The settings of the transaction bound the time. */
export async function searchTasks(db: Db, search: TaskSearch, slice: SearchSlice): Promise<SearchPlace[]> {
  const values = new Values();
  const limit = values.add(slice.limit, 'int');
  const text = `select x.task_uuid "taskUuid", tasker.iso(x.at) at from (${searchText(search, slice, values, limit)}) x (task_uuid, at)`;
  return (await db.query<SearchPlace>(statementOf('search_tasks', text), values.list)).rows;
}

/** Counts the tasks that a search finds, at most `bound` of them. */
export async function countTasks(db: Db, search: TaskSearch, bound: number): Promise<number> {
  const values = new Values();
  const limit = values.add(bound, 'int');
  const { templateIds, states } = search;
  const common = conditions(search, values);
  if (templateIds) common.push(`p.template_id = any (${values.add(`{${templateIds.join(',')}}`, 'int[]')})`);
  if (states) common.push(`p.state = any (${values.add(`{${states.join(',')}}`, 'tasker.task_state[]')})`);
  const text = `select count(*)::int from (select 1 from tasker.task_search p where ${common.join(' and ') || 'true'} limit ${limit}) x`;
  return (await db.query<{ count: number }>(statementOf('count_tasks', text), values.list)).rows[0]!.count;
}

const FIRST_ERRORS = sql('first_errors')`
select distinct on (q.task_uuid) q.task_uuid "taskUuid", coalesce(b.name, d.name) step, q.error_type "errorType", q.error
  from tasker.step_search q
  join tasker.template_step d on d.template_id = q.template_id and d.idx = tasker.template_idx(q.idx)
  left join tasker.batch_worker b on b.task_uuid = q.task_uuid and b.idx = q.idx
 where q.task_uuid = any ($1::uuid[]) and q.state in ('error', 'waiting_for_retry')
 order by q.task_uuid, q.state = 'error' desc, q.idx`;

/** The first failed step of a task, or else the first that waits for a retry. */
export interface FirstError {
  taskUuid: string;
  step: string;
  errorType: string | null;
  /** The first line of its message. */
  error: string | null;
}

/** Returns the first errors of those tasks that have one. */
export async function firstErrors(db: Db, taskUuids: readonly string[]): Promise<FirstError[]> {
  return (await db.query<FirstError>(FIRST_ERRORS, [`{${taskUuids.join(',')}}`])).rows;
}

const TEMPLATE_IDS = sql('template_ids')`
select m.id, n.name namespace, m.name, m.version from tasker.template m join tasker.namespace n on n.id = m.namespace_id
 where ($1::text is null or n.name = $1) and ($2::text is null or m.name = $2)`;

/** A registered snapshot. */
export interface SnapshotName {
  id: number;
  namespace: string;
  name: string;
  version: string;
}

/** Returns the snapshots of a namespace or a name. */
export async function templateIds(
  db: Db,
  { namespace, name }: { namespace: string | null; name: string | null },
): Promise<SnapshotName[]> {
  return (await db.query<SnapshotName>(TEMPLATE_IDS, [namespace, name])).rows;
}

const WORKER_IDS = sql('worker_ids')`
select id::text from tasker.worker where name = $1 union all select id::text from tasker.past_worker where name = $1`;

/** Returns the ids that a worker of this name has or had. */
export async function workerIds(db: Db, name: string): Promise<number[]> {
  return (await db.query<{ id: string }>(WORKER_IDS, [name])).rows.map((row) => Number(row.id));
}
