import type { Db } from '../../db/statement.ts';
import { columns, made, sql } from '../sql.ts';
import {
  ANY_STEP,
  isOfOpenTask,
  nameConditions,
  ofTemplates,
  rangesText,
  SEARCHED_STATES,
  searchedStates,
  stepConditions,
  stepRanges,
  type TaskSearch,
  taskConditions,
  Values,
} from './conditions.ts';
import {
  type CountLimits,
  countRows,
  type FirstLook,
  firstKeys,
  firstRows,
  orderBy,
  type Ranges,
  rangesOfWorkers,
  rowsOf,
  type Source,
} from './ranges.ts';

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

/** Maximum number of index ranges that are read one by one. */
const MOST_RANGES = 2_000;
const KEYS = ['since', 'task_uuid', 'idx'];

const FIRST_STEPS = sql('first_steps')``;
const ALL_STEPS = sql('all_steps')``;
const STRETCH_OF_STEPS = sql('stretch_of_steps')``;
const COUNT_STEPS = sql('count_steps')``;

const OF_KEY = `cross join lateral (
  select * from tasker.step_search q where q.task_uuid = k.task_uuid and q.idx = k.idx offset 0) q`;
const orderOf = (descending: boolean): string => orderBy(KEYS, 'q', descending);

function afterOf({ after, descending }: Omit<StepSlice, 'limit'>, values: Values): string[] {
  if (!after) return [];
  const place = `(${values.add(after.at, 'timestamptz')}, ${values.add(after.taskUuid, 'uuid')}, ${values.add(after.idx, 'int')})`;
  return [`(q.since, q.task_uuid, q.idx) ${descending ? '<' : '>'} ${place}`];
}

/** Returns the conditions on the task of a step `q`. */
function ofTask(search: TaskSearch, values: Values, { oneByOne }: { oneByOne: boolean }): string[] {
  const conditions = taskConditions({ ...search, step: null }, values);
  conditions.delete('template_id');
  if (isOfOpenTask(search.step)) conditions.delete('ended');
  if (conditions.size === 0) return [];
  return [
    `exists (select 1 from tasker.task_search p where p.task_uuid = q.task_uuid and ${[...conditions.values()].map((text) => text()).join(' and ')} ${oneByOne ? 'offset 0' : ''})`,
  ];
}

/** Returns a range for each template, or place in a template, and state. */
function rangesOfStates(
  search: TaskSearch,
  states: readonly string[],
  after: readonly string[],
  values: Values,
): Pick<Ranges, 'from' | 'count' | 'each'> {
  const ranges = stepRanges(search);
  const found = ['q.template_id = r.template_id', 'q.state = r.state', ...after];
  if (search.step?.places) found.push('q.idx between r.least and r.most');
  return {
    from: `${rangesText(ranges, values)} t (template_id, least, most) cross join unnest(${values.words(states, 'tasker.step_state[]')}) s (state)`,
    count: ranges.length * states.length,
    each: rowsOf('step_search q', found),
  };
}

/** Returns the source of a search. Undefined if there are too many templates. */
function sourceOf(search: TaskSearch, slice: Omit<StepSlice, 'limit'>, values: Values): Source | undefined {
  const step = search.step ?? ANY_STEP;
  const states = searchedStates(step) ?? SEARCHED_STATES;
  const after = afterOf(slice, values);
  const { from, count, each } = step.workerIds
    ? rangesOfWorkers(search, step.workerIds, after, values)
    : rangesOfStates(search, states, after, values);
  if (count > MOST_RANGES) return undefined;
  const checked = { ...step, workerIds: null };
  const conditions = (to: Values) => [...stepConditions(checked, to), ...ofTask(search, to, { oneByOne: true })];
  const hasRest = conditions(new Values()).length > 0;
  return {
    ordered: (wanted) =>
      `select q.* from (${firstKeys({ from, count, each, row: 'q', keys: KEYS, repeats: false }, slice.descending, wanted)}) k ${OF_KEY} ${orderBy(KEYS, 'k', slice.descending)}`,
    unordered: (limit) => {
      const found = `select x.* from (select * from ${from}) r cross join lateral (${each('q.since, q.task_uuid, q.idx')} limit ${limit} offset 0) x limit ${limit}`;
      return hasRest ? `select q.* from (${found}) k ${OF_KEY}` : found;
    },
    hasRest,
    rest: () => conditions(values).join(' and ') || 'true',
  };
}

const PLACE = `q.task_uuid "taskUuid", q.idx, tasker.iso(q.since) at`;

/** Reads the first steps of an index, in sort order. */
export async function firstSteps(
  db: Db,
  search: TaskSearch,
  { slice, among }: { slice: StepSlice; among: number },
): Promise<FirstLook<StepPlace>> {
  if (!sourceOf(search, slice, new Values())) return { places: [], complete: false };
  const reading = { row: 'q', keys: KEYS, place: PLACE, first: FIRST_STEPS, count: COUNT_STEPS } as const;
  return firstRows(db, reading, (values) => sourceOf(search, slice, values)!, { ...slice, among });
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
  const text = `with part as materialized (select q.*, row_number() over () nr from (${source.ordered(among)}) q),
    last as (select *, nr < ${among} done from part order by nr desc limit 1)
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
    reached: last?.done ? undefined : last,
  };
}

/** Counts the matching steps among the first steps of an index. `exact`: the index has no further steps. */
export async function countSteps(
  db: Db,
  search: TaskSearch,
  limits: CountLimits,
): Promise<{ total: number; exact: boolean }> {
  const values = new Values();
  const source = sourceOf(search, { descending: true, after: null }, values);
  if (!source) return { total: 0, exact: false };
  return countRows(db, COUNT_STEPS, source, { ...limits, row: 'q', kind: 'plain' }, values);
}

// Lateral joins, because the planner has no useful statistics for the arrays.
const FOUND_STEPS = sql('found_steps')`
select q.task_uuid "taskUuid", q.idx, tasker.step_name(b.name, d.name, q.idx) name, d.name "templateName", d.callable, n.name namespace,
       m.name "taskName", m.version, q.state::text, tasker.iso(q.since) since, tasker.iso(q.created_at) "taskCreatedAt",
       coalesce(q.number, q.attempts) attempts, q.error_type "errorType", q.error, coalesce(w.name, o.name) worker
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
