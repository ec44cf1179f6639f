import type { Db } from '../../db/statement.ts';
import { columns, made, sql } from '../sql.ts';
import {
  nameConditions,
  ofTemplates,
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
import { firstLook } from './first-look.ts';

/** A position in the sorted steps: the time at which the step entered its state, and the step. */
export interface StepPlace {
  at: string;
  taskUuid: string;
  idx: number;
}

/** The part of the steps found to return. */
export interface StepSlice {
  /** From the newest to the oldest. */
  descending: boolean;
  /** Only steps that follow this position in the direction of the sort. */
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
  workersHaveFewSteps: false,
};

/** Maximum number of index ranges that are read one by one. */
const MOST_RANGES = 2_000;
/** The first read of a range takes this many times its share of the wanted rows. */
const SHARES = 2;
/** Minimum share of a range. A few templates may have most of the tasks. */
const LEAST_SHARE = 24;

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

/** Returns the conditions on the task of a step `q`. */
function ofTask(search: TaskSearch, values: Values, { oneByOne }: { oneByOne: boolean }): string[] {
  const conditions = taskConditions({ ...search, step: null }, values);
  conditions.delete('template_id');
  if (conditions.size === 0) return [];
  return [
    `exists (select 1 from tasker.task_search p where p.task_uuid = q.task_uuid and ${[...conditions.values()].map((text) => text()).join(' and ')} ${oneByOne ? 'offset 0' : ''})`,
  ];
}

/** Steps in sort order, and the conditions that remain to be checked, like the source of a search for tasks. */
interface StepSource {
  ordered(wanted: number, exact: boolean): string;
  unordered(limit: number): string;
  /** Whether any conditions remain to be checked. */
  hasRest: boolean;
  /** Returns the text of these conditions, and adds their values to the statement. */
  rest(): string;
}

/** Returns the source of a search. Undefined if there are too many templates. */
function sourceOf(search: TaskSearch, slice: Omit<StepSlice, 'limit'>, values: Values): StepSource | undefined {
  const step = search.step ?? ANY_STEP;
  const states = searchedStates(step) ?? SEARCHED_STATES;
  const ranges = stepRanges(search);
  const count = ranges.length * states.length;
  if (count > MOST_RANGES) return undefined;
  const direction = slice.descending ? 'desc' : 'asc';
  const order = orderOf(slice.descending);
  const from = `${rangesText(ranges, values)} r (template_id, least, most) cross join unnest(${values.words(states, 'tasker.step_state[]')}) s (state)`;
  const found = ['q.template_id = r.template_id', 'q.state = s.state', ...afterOf(slice, values)];
  if (step.places) found.push('q.idx between r.least and r.most');
  const conditions = (to: Values) => [...stepConditions(step, to), ...ofTask(search, to, { oneByOne: true })];
  const each = `select q.* from tasker.step_search q where ${found.join(' and ')}`;
  return {
    ordered: (wanted, exact) => {
      const share = exact ? wanted : Math.min(wanted, Math.max(LEAST_SHARE, Math.ceil((wanted * SHARES) / count)));
      return `select q.* from (
        with pick as materialized (
          select q.* from ${from} cross join lateral (
            select q.*, row_number() over () place from (${each} ${order} limit ${share} offset 0) q) q),
        cut as (
          select since, task_uuid, idx from pick q where place = ${exact ? 0 : share} ${order} limit 1)
        select q.*, c.idx is null whole from pick q left join cut c on true
         where c.idx is null or (q.since, q.task_uuid, q.idx) ${direction === 'desc' ? '>=' : '<='} (c.since, c.task_uuid, c.idx)
         ${order} limit ${wanted}) q`;
    },
    unordered: (limit) =>
      `select q.* from ${from} cross join lateral (${each} limit ${limit} offset 0) q limit ${limit}`,
    hasRest: conditions(new Values()).length > 0,
    rest: () => conditions(values).join(' and ') || 'true',
  };
}

const PLACE = `q.task_uuid "taskUuid", q.idx, tasker.iso(q.since) at`;

/**
 * Reads the first steps of an index, in sort order. `complete`: the index covered all conditions, so there are no other
 * matches.
 */
export async function firstSteps(
  db: Db,
  search: TaskSearch,
  { slice, among }: { slice: StepSlice; among: number },
): Promise<{ places: StepPlace[]; complete: boolean }> {
  const look = async (exact: boolean) => {
    const values = new Values();
    const source = sourceOf(search, slice, values);
    if (!source) return { places: [], isSorted: false, whole: false };
    const { ordered, hasRest, rest } = source;
    const order = orderOf(slice.descending);
    const from = hasRest
      ? `select * from (${ordered(among, exact)} offset 0) q where ${rest()} ${order} limit ${slice.limit}`
      : ordered(slice.limit, exact);
    const text = `select ${PLACE}, q.whole from (${from}) q ${order}`;
    const { rows } = await db.query<StepPlace & { whole: boolean }>(made(FIRST_STEPS, text), values.list);
    return { places: rows, isSorted: !hasRest, whole: rows[0]?.whole === true };
  };
  const hasFewer = async () => {
    const values = new Values();
    const source = sourceOf(search, slice, values);
    if (!source) return false;
    const text = `select count(*)::int count from (${source.unordered(among)}) q`;
    const { rows } = await db.query<{ count: number }>(made(COUNT_STEPS, text), values.list);
    return rows[0]!.count < among;
  };
  return firstLook({ limit: slice.limit, look, hasFewer });
}

/** Finds all steps that meet the conditions, counts them, and returns the steps of the slice. */
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
    ...(search.anyTemplate
      ? ofTemplates(search.templateIds, values)
      : [`q.template_id = any (${values.numbers(search.templateIds, 'int[]')})`]),
    ...nameConditions(step, 'q.template_id', search.templateIds, values),
    ...stepConditions(step, values),
    ...ofTask(search, values, { oneByOne: false }),
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

/**
 * Checks the next steps of an index. `reached`: the place where the check ended; undefined means the end of the index.
 * Returns undefined if no index has the order, because there are too many templates.
 */
export async function stretchOfSteps(
  db: Db,
  search: TaskSearch,
  { slice, among }: { slice: StepSlice; among: number },
): Promise<{ places: StepPlace[]; reached: StepPlace | undefined } | undefined> {
  const values = new Values();
  const source = sourceOf(search, slice, values);
  if (!source) return undefined;
  const order = orderOf(slice.descending);
  const text = `with part as materialized (select q.*, row_number() over () nr from (${source.ordered(among, false)}) q),
    last as (select *, whole and nr < ${among} done from part order by nr desc limit 1)
  (select ${PLACE}, false last, false done from part q
    where ${source.rest()} ${order} limit ${values.add(slice.limit, 'int')})
  union all select ${PLACE}, true, q.done from last q`;
  const { rows } = await db.query<StepPlace & { last: boolean; done: boolean }>(
    made(STRETCH_OF_STEPS, text),
    values.list,
  );
  const last = rows.find((row) => row.last);
  return {
    places: rows.filter((row) => !row.last),
    reached: last && !last.done ? last : undefined,
  };
}

/** Counts the matching steps among the first steps of an index. `exact`: the index has no further steps. */
export async function countSteps(
  db: Db,
  search: TaskSearch,
  { bound, among }: { bound: number; among: number },
): Promise<{ total: number; exact: boolean }> {
  const values = new Values();
  const source = sourceOf(search, { descending: true, after: null }, values);
  if (!source) return { total: 0, exact: false };
  const { hasRest, rest } = source;
  const part = source.unordered(hasRest ? among : bound + 1);
  const text = hasRest
    ? `with part as materialized (${part})
       select (select count(*) from part q where ${rest()})::int total, (select count(*) from part)::int looked`
    : `select count(*)::int total, 0 looked from (${part}) q`;
  const { rows } = await db.query<{ total: number; looked: number }>(made(COUNT_STEPS, text), values.list);
  const { total, looked } = rows[0]!;
  return { total: Math.min(total, bound), exact: total <= bound && looked < among };
}

// Lateral joins, because the planner has no useful statistics for the arrays.
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

/** Returns these steps as a list shows them, in their order. Steps that are no longer in the tables are missing. */
export async function foundSteps(db: Db, places: readonly StepPlace[]): Promise<FoundStepRow[]> {
  return (await db.query<FoundStepRow>(FOUND_STEPS, columns(places, 'taskUuid', 'idx'))).rows;
}
