import type { Db, Statement } from '../../db/statement.ts';
import { JOIN_NAMES, type ReadyRow, STEP_NAMES } from '../overview/status.ts';
import { MOST_UNBEGUN, unbegun } from '../shown-state.ts';
import {
  nameConditions,
  OPEN_STATES,
  rangeText,
  stepConditions,
  type TaskSearch,
  taskConditions,
  Values,
} from './conditions.ts';

const statementOf = (name: string, text: string): Statement => ({ name, text, once: true });

/** Number of tasks with one snapshot and state. */
export interface StateCount {
  templateId: number;
  state: string;
  count: number;
}

/** Counts the tasks that a search finds, by snapshot and state. */
export async function countByState(db: Db, search: TaskSearch): Promise<StateCount[]> {
  const values = new Values();
  // Selects open tasks by their states, because one index then has everything that is counted.
  const isOpen = search.ended === false && search.states === null;
  const found = conditions(isOpen ? { ...search, ended: null, states: OPEN_STATES } : search, values);
  const text = `
select p.template_id "templateId", p.state, count(*)::int from tasker.task_search p
 where ${found.join(' and ') || 'true'} group by 1, 2`;
  return (await db.query<StateCount>(statementOf('count_by_state', text), values.list)).rows;
}

/**
 * Counts the tasks in `steps_in_process` of which no step was claimed yet, by snapshot. Looks at the newest 10,000 tasks.
 */
export async function countUnbegun(db: Db, search: TaskSearch): Promise<Omit<StateCount, 'state'>[]> {
  const values = new Values();
  const found = conditions({ ...search, ended: null, states: ['steps_in_process'] }, values);
  const text = `
select p.template_id "templateId", count(*)::int from (
  select p.template_id, p.task_uuid from tasker.task_search p where ${found.join(' and ')}
   order by p.created_at desc limit ${MOST_UNBEGUN}) p
 where ${unbegun('p.task_uuid')} group by 1`;
  return (await db.query<Omit<StateCount, 'state'>>(statementOf('count_unbegun', text), values.list)).rows;
}

function conditions(search: TaskSearch, values: Values): string[] {
  return [...taskConditions(search, values).values()].map((condition) => condition());
}

/**
 * Steps in one state that belong to one template step. Failures in a group also share an error type and a pattern of
 * the message.
 */
export interface StepGroupRow extends ReadyRow {
  state: 'error' | 'waiting_for_retry' | 'enqueued';
  /** The first and the last `since` of the steps. */
  first: string;
  last: string;
  errorType: string | null;
  /** The message with `*` in place of numbers, ids and quoted text. Null if there is no message. */
  pattern: string | null;
  /** One of the tasks, and the first line of its message. */
  taskUuid: string;
  error: string | null;
  /** Number of groups in this state and number of their steps, including groups that are not returned. */
  groups: number;
  total: number;
}

/** The steps to group. */
export interface GroupSlice {
  /** True means steps of ended tasks whose batches tolerated failures. False means steps of open tasks. */
  ended: boolean;
  /** Maximum number of groups of failures for each state. All groups of ready steps are returned. */
  limit: number;
}

/**
 * Groups failed steps, steps that wait for a retry, and ready steps, largest groups first. Uses one statement, because
 * most of the time is spent on finding the tasks of a search.
 */
export async function groupSteps(db: Db, search: TaskSearch, { ended, limit }: GroupSlice): Promise<StepGroupRow[]> {
  const values = new Values();
  const text = `
with g as materialized (
  select q.state, q.template_id, tasker.template_idx(q.idx) idx, q.error_type, q.fingerprint, count(*)::int n,
         min(q.since) first, max(q.since) last, max(q.ctid) tid
    ${stepsOf(search, ended, values)} group by 1, 2, 3, 4, 5),
named as materialized (
  select g.state, ${STEP_NAMES}, g.error_type, g.fingerprint, sum(g.n)::int n, min(g.first) first, max(g.last) last,
         max(g.tid) tid
    from g ${JOIN_NAMES} group by 1, 2, 3, 4, 5, 6, 7, 8, 9),
ranked as materialized (
  select *, row_number() over (partition by state order by n desc, last desc, tid) place,
         count(*) over (partition by state)::int groups, (sum(n) over (partition by state))::int total
    from named)
select g.state::text, g.namespace, g.name, g.version, g.step, g.handler, g.resolver, g.error_type "errorType", g.n count,
       tasker.iso(g.first) first, tasker.iso(g.last) last, g.groups, g.total, q.task_uuid "taskUuid", q.error,
       tasker.error_pattern(q.error) pattern
  from ranked g cross join lateral (select * from tasker.step_search q where q.ctid = g.tid offset 0) q
 where g.place <= ${values.add(limit, 'int')} or g.state = 'enqueued'
 order by g.state, g.place`;
  return (await db.query<StepGroupRow>(statementOf('group_steps', text), values.list)).rows;
}

/** Returns the `from` and `where` of the steps to group. */
function stepsOf(search: TaskSearch, ended: boolean, values: Values): string {
  const { templateIds, anyTemplate, createdAfter, createdBefore, step } = search;
  const found = [ended ? `q.state = 'error'` : `q.state in ('error', 'waiting_for_retry', 'enqueued')`];
  if (step) {
    // A search applies these conditions to any step of a task. Here they apply to the step itself.
    if (step.state !== null) found.push(`q.state = ${values.add(step.state, 'tasker.step_state')}`);
    found.push(...nameConditions(step, 'q.template_id', templateIds, values), ...stepConditions(step, values));
  }
  if (!anyTemplate) found.push(`q.template_id = any (${values.numbers(templateIds, 'int[]')})`);
  if (createdAfter !== null || createdBefore !== null) {
    found.push(rangeText('created_at', createdAfter, createdBefore, values).replaceAll('p.', 'q.'));
  }
  // No step is older than its task.
  if (createdAfter !== null) found.push(`q.since >= ${values.add(createdAfter, 'timestamptz')}`);
  const ofTask = conditions(
    { ...search, anyTemplate: true, ended: null, createdAfter: null, createdBefore: null, step: null },
    values,
  );
  if (ofTask.length === 0 && !ended) {
    // In a task that has ended, only a batch worker can be in `error`. The query has two parts, because otherwise the
    // planner would expect to check all rows and read them through an index.
    const all = found.join(' and ');
    const columns = 'q.state, q.template_id, q.idx, q.error_type, q.fingerprint, q.since, q.ctid';
    return `from (
      select ${columns} from tasker.step_search q where ${all} and (q.state <> 'error' or q.idx < 131072)
      union all
      select ${columns} from tasker.step_search q where ${all} and q.state = 'error' and q.idx >= 131072
         and exists (select 1 from tasker.task_search p where p.task_uuid = q.task_uuid and p.done_at is null)) q`;
  }
  found.push(`p.done_at is ${ended ? 'not null' : 'null'}`, ...ofTask);
  return `from tasker.step_search q join tasker.task_search p on p.task_uuid = q.task_uuid where ${found.join(' and ')}`;
}

/** Returns a select of the time at which each failed step of an open task failed, as `at`. */
export function failureTimes(search: TaskSearch, values: Values): string {
  return `select q.since at from (select q.state, q.since ${stepsOf(search, false, values)}) q where q.state = 'error'`;
}
