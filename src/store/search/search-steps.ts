import type { Db } from '../../db/statement.ts';
import { columns, made, sql } from '../sql.ts';
import {
  nameConditions,
  rangesText,
  SEARCHED_STATES,
  type StepCondition,
  searchedStates,
  stepConditions,
  stepRanges,
  type TaskSearch,
  taskConditions,
  Values,
} from './conditions.ts';

/** A place in the sorted steps: since when the step is in its state, and which step it is. */
export interface StepPlace {
  at: string;
  taskUuid: string;
  idx: number;
}

/** Which part of the found steps to return. */
export interface StepSlice {
  /** From the newest to the oldest. */
  descending: boolean;
  /** Return what follows this place in the direction of the sort. */
  after: StepPlace | null;
  limit: number;
}

const ANY_STEP: StepCondition = {
  name: null,
  handler: null,
  places: null,
  state: null,
  errorType: null,
  error: null,
  workerIds: null,
};

/** More ranges of an index than these are not read one by one. */
const MOST_RANGES = 2_000;

const FIRST_STEPS = sql('first_steps')``;
const ALL_STEPS = sql('all_steps')``;
const STRETCH_OF_STEPS = sql('stretch_of_steps')``;
const COUNT_STEPS = sql('count_steps')``;

function orderOf(descending: boolean, table = 'q'): string {
  const direction = descending ? 'desc' : 'asc';
  return `order by ${table}.since ${direction}, ${table}.task_uuid ${direction}, ${table}.idx ${direction}`;
}

function afterOf({ after, descending }: Omit<StepSlice, 'limit'>, values: Values): string[] {
  if (!after) return [];
  const place = `(${values.add(after.at, 'timestamptz')}, ${values.add(after.taskUuid, 'uuid')}, ${values.add(after.idx, 'int')})`;
  return [`(q.since, q.task_uuid, q.idx) ${descending ? '<' : '>'} ${place}`];
}

/** The condition on the task of a step `q`. */
function ofTask(search: TaskSearch, values: Values): string[] {
  const conditions = taskConditions({ ...search, step: null }, values);
  conditions.delete('template_id');
  if (conditions.size === 0) return [];
  return [
    `exists (select 1 from tasker.task_search p where p.task_uuid = q.task_uuid and ${[...conditions.values()].map((text) => text()).join(' and ')})`,
  ];
}

/** Steps in the order of the sort, and the conditions that are left to be checked. Undefined: too many templates. */
function sourceOf(
  search: TaskSearch,
  slice: Omit<StepSlice, 'limit'>,
  values: Values,
): { text(limit: string): string; rest: string[] } | undefined {
  const step = search.step ?? ANY_STEP;
  const states = searchedStates(step) ?? SEARCHED_STATES;
  const ranges = stepRanges(search);
  if (ranges.length * states.length > MOST_RANGES) return undefined;
  const wanted = values.words(states, 'tasker.step_state[]');
  const order = orderOf(slice.descending);
  const each = rangesText(ranges, values);
  const found = [
    'q.template_id = r.template_id',
    'q.state = s.state',
    'q.idx between r.least and r.most',
    ...afterOf(slice, values),
  ];
  const text = (limit: string) => `select q.* from ${each} r (template_id, least, most)
    cross join unnest(${wanted}) s (state)
    cross join lateral (select * from tasker.step_search q where ${found.join(' and ')} ${order} limit ${limit} offset 0) q
    ${order} limit ${limit}`;
  return { text, rest: [...stepConditions(step, values), ...ofTask(search, values)] };
}

const PLACE = `q.task_uuid "taskUuid", q.idx, tasker.iso(q.since) at`;

/**
 * Looks through the first steps of an index, in the order of the sort. `complete`: the index met all conditions, so that
 * there are no others.
 */
export async function firstSteps(
  db: Db,
  search: TaskSearch,
  { slice, among }: { slice: StepSlice; among: number },
): Promise<{ places: StepPlace[]; complete: boolean }> {
  const values = new Values();
  const source = sourceOf(search, slice, values);
  if (!source) return { places: [], complete: false };
  const limit = values.add(slice.limit, 'int');
  const complete = source.rest.length === 0;
  const text = complete
    ? source.text(limit)
    : `select * from (${source.text(values.add(among, 'int'))} offset 0) q where ${source.rest.join(' and ')} limit ${limit}`;
  const { rows } = await db.query<StepPlace>(made(FIRST_STEPS, `select ${PLACE} from (${text}) q`), values.list);
  return { places: rows, complete };
}

/** Finds all steps that meet the conditions, counts them, and returns those of the slice. */
export async function allSteps(
  db: Db,
  search: TaskSearch,
  slice: StepSlice,
): Promise<{ places: StepPlace[]; total: number }> {
  const values = new Values();
  const step = search.step ?? ANY_STEP;
  const states = searchedStates(step) ?? SEARCHED_STATES;
  const conditions = [
    `q.state = any (${values.words(states, 'tasker.step_state[]')})`,
    ...(search.anyTemplate ? [] : [`q.template_id = any (${values.numbers(search.templateIds, 'int[]')})`]),
    ...nameConditions(step, 'q.template_id', values),
    ...stepConditions(step, values),
    ...ofTask(search, values),
  ];
  const after = afterOf(slice, values).join('') || 'true';
  const text = `with found as materialized (
    select q.task_uuid, q.idx, q.since from tasker.step_search q where ${conditions.join('\n       and ')})
  select ${PLACE}, c.total::int from (select count(*) total from found) c
    left join lateral (
      select * from found q where ${after} ${orderOf(slice.descending)} limit ${values.add(slice.limit, 'int')}) q on true
   ${orderOf(slice.descending)}`;
  const { rows } = await db.query<StepPlace & { total: number }>(made(ALL_STEPS, text), values.list);
  return { places: rows.filter((row) => row.taskUuid !== null), total: rows[0]!.total };
}

/** Checks the next steps of an index, and says how far it got; `reached` undefined: to the end. */
export async function stretchOfSteps(
  db: Db,
  search: TaskSearch,
  { slice, among }: { slice: StepSlice; among: number },
): Promise<{ places: StepPlace[]; reached: StepPlace | undefined }> {
  const values = new Values();
  const source = sourceOf(search, slice, values);
  if (!source) return { places: [], reached: undefined };
  const order = orderOf(slice.descending);
  const text = `with part as materialized (select q.*, row_number() over () nr from (${source.text(values.add(among, 'int'))}) q),
    last as (select * from part order by nr desc limit 1)
  (select ${PLACE}, false last, q.nr::int from part q
    where ${source.rest.join(' and ') || 'true'} ${order} limit ${values.add(slice.limit, 'int')})
  union all select ${PLACE}, true, q.nr::int from last q`;
  const { rows } = await db.query<StepPlace & { last: boolean; nr: number }>(made(STRETCH_OF_STEPS, text), values.list);
  const last = rows.find((row) => row.last);
  return {
    places: rows.filter((row) => !row.last),
    reached: last && last.nr >= among ? last : undefined,
  };
}

/** Counts the steps that a search finds among the first of an index. `exact`: the index has no more. */
export async function countSteps(
  db: Db,
  search: TaskSearch,
  { bound, among }: { bound: number; among: number },
): Promise<{ total: number; exact: boolean }> {
  const values = new Values();
  const source = sourceOf(search, { descending: true, after: null }, values);
  if (!source) return { total: 0, exact: false };
  const most = values.add(bound + 1, 'int');
  const part = source.text(source.rest.length === 0 ? most : values.add(among, 'int'));
  const text =
    source.rest.length === 0
      ? `select count(*)::int total, 0 looked from (${part}) q`
      : `select (select count(*) from (select 1 from (${part} offset 0) q where ${source.rest.join(' and ')} limit ${most}) x)::int total,
                (select count(*) from (${part}) q)::int looked`;
  const { rows } = await db.query<{ total: number; looked: number }>(made(COUNT_STEPS, text), values.list);
  const { total, looked } = rows[0]!;
  return { total: Math.min(total, bound), exact: total <= bound && looked < among };
}

// By lateral joins, because the statistics of the arrays say nothing.
const FOUND_STEPS = sql('found_steps')`
select q.task_uuid "taskUuid", q.idx, coalesce(b.name, d.name) name, d.name "templateName", d.callable, n.name namespace,
       m.name "taskName", m.version, q.state::text, tasker.iso(q.since) since, tasker.iso(q.created_at) "taskCreatedAt",
       q.attempts, q.error_type "errorType", q.error, coalesce(w.name, o.name) worker
  from unnest($1::uuid[], $2::int[]) with ordinality x (task_uuid, idx, nr)
  cross join lateral (select * from tasker.step_search q where q.task_uuid = x.task_uuid and q.idx = x.idx offset 0) q
  join tasker.template_step d on d.template_id = q.template_id and d.idx = tasker.template_idx(q.idx)
  join tasker.template m on m.id = q.template_id
  join tasker.namespace n on n.id = m.namespace_id
  left join tasker.batch_worker b on b.task_uuid = q.task_uuid and b.idx = q.idx
  left join tasker.worker w on w.id = q.worker_id
  left join tasker.past_worker o on o.id = q.worker_id
 order by x.nr`;

/** A step that a search found. */
export interface FoundStepRow {
  taskUuid: string;
  idx: number;
  name: string;
  templateName: string;
  callable: string;
  namespace: string;
  taskName: string;
  version: string;
  state: string;
  since: string;
  taskCreatedAt: string;
  attempts: number;
  errorType: string | null;
  /** The first line of its message. */
  error: string | null;
  worker: string | null;
}

/** Returns what a list shows of these steps, in their order. Steps that left the tables are missing. */
export async function foundSteps(db: Db, places: readonly StepPlace[]): Promise<FoundStepRow[]> {
  return (await db.query<FoundStepRow>(FOUND_STEPS, columns(places, 'taskUuid', 'idx'))).rows;
}
