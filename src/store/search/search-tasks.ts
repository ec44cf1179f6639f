import type { Db } from '../../db/statement.ts';
import { made, sql } from '../sql.ts';
import {
  type Condition,
  rangesText,
  type SearchSort,
  searchedStates,
  stepConditions,
  stepRanges,
  type TaskSearch,
  taskConditions,
  Values,
} from './conditions.ts';

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

/** More ranges of an index than these are not read one by one. */
const MOST_RANGES = 2_000;

/** Tasks in the order of the sort, from the index that fits best, and the conditions that it leaves to be checked. */
interface Source {
  /** Columns: those of `task_search`. */
  text(limit: string): string;
  rest: string[];
}

function sourceOf(search: TaskSearch, slice: Omit<SearchSlice, 'limit'>, values: Values): Source {
  const column = SORT_COLUMNS[slice.sort];
  const conditions = taskConditions(search, values);
  const take = (...names: string[]) =>
    names.flatMap((name) => {
      const condition = conditions.get(name);
      conditions.delete(name);
      return condition === undefined ? [] : [condition()];
    });
  const drop = (...names: string[]) => {
    for (const name of names) conditions.delete(name);
  };
  const within = take(column);
  if (slice.sort === 'ended') within.push('p.done_at is not null');
  if (slice.after) {
    const place = `(${values.add(slice.after.at, 'timestamptz')}, ${values.add(slice.after.taskUuid, 'uuid')})`;
    within.push(`(p.${column}, p.task_uuid) ${slice.descending ? '<' : '>'} ${place}`);
  }
  const direction = slice.descending ? 'desc' : 'asc';
  const order = `order by p.${column} ${direction}, p.task_uuid ${direction}`;
  const plain = (conditions: readonly string[]) => (limit: string) =>
    `select p.* from tasker.task_search p where ${conditions.join(' and ') || 'true'} ${order} limit ${limit}`;
  const whole = (text: Source['text']): Source => ({ text, rest: textsOf(conditions) });
  if (slice.sort !== 'created') return whole(plain(within));

  const fromSteps = stepSource(search, { within, direction }, values);
  if (fromSteps) {
    drop('step', 'template_id');
    return whole(fromSteps);
  }
  if (search.states && !search.states.includes('complete')) {
    const { templateIds, states } = search;
    if (templateIds.length * states.length <= MOST_RANGES) {
      drop('state', 'template_id');
      const ids = values.numbers(templateIds, 'int[]');
      const wanted = values.words(states, 'tasker.task_state[]');
      const each = plain(["p.state <> 'complete'", 'p.template_id = m.id', 'p.state = s.state', ...within]);
      return whole(
        (limit) =>
          `select p.* from unnest(${ids}) m (id) cross join unnest(${wanted}) s (state) cross join lateral (${each(limit)} offset 0) p ${order} limit ${limit}`,
      );
    }
  }
  for (const name of ['initiator', 'source_system', 'reason']) {
    if (conditions.has(name)) return whole(plain([...take(name), ...within]));
  }
  if (!search.anyTemplate && search.templateIds.length <= MOST_RANGES) {
    drop('template_id');
    const each = plain(['p.template_id = m.id', ...within]);
    const ids = values.numbers(search.templateIds, 'int[]');
    return whole(
      (limit) =>
        `select p.* from unnest(${ids}) m (id) cross join lateral (${each(limit)} offset 0) p ${order} limit ${limit}`,
    );
  }
  if (search.ended === false) return whole(plain([...take('ended'), ...within]));
  return whole(plain(within));
}

const textsOf = (conditions: ReadonlyMap<string, Condition>) => [...conditions.values()].map((text) => text());

/** Tasks in the order of their creation that have a step in `step_search` that meets the condition. */
function stepSource(
  search: TaskSearch,
  { within, direction }: { within: readonly string[]; direction: string },
  values: Values,
): Source['text'] | undefined {
  const states = search.step && searchedStates(search.step);
  if (!search.step || !states) return undefined;
  const ranges = stepRanges(search);
  const byError = search.step.errorType !== null;
  if (ranges.length * (byError ? 1 : states.length) > MOST_RANGES) return undefined;
  const wanted = values.words(states, 'tasker.step_state[]');
  // The index by error type has the steps of all states in one range.
  const from = byError ? '' : `cross join unnest(${wanted}) s (state)`;
  const found = [
    'q.template_id = r.template_id',
    'q.idx between r.least and r.most',
    byError ? `q.state = any (${wanted})` : 'q.state = s.state',
    ...stepConditions(search.step, values),
    ...within.map((condition) => condition.replaceAll('p.', 'q.')),
  ];
  const each = rangesText(ranges, values);
  return (limit) => `select p.* from (
    select distinct x.created_at, x.task_uuid from ${each} r (template_id, least, most) ${from} cross join lateral (
      select distinct q.created_at, q.task_uuid from tasker.step_search q where ${found.join(' and ')}
       order by q.created_at ${direction}, q.task_uuid ${direction} limit ${limit} offset 0) x
     order by x.created_at ${direction}, x.task_uuid ${direction} limit ${limit}) x
    cross join lateral (select * from tasker.task_search p where p.task_uuid = x.task_uuid offset 0) p
   order by x.created_at ${direction}, x.task_uuid ${direction}`;
}

/** Statements whose text is made for each search, so that each is planned with its own conditions. */
const FIRST_TASKS = sql('first_tasks')``;
const ALL_TASKS = sql('all_tasks')``;
const STRETCH_OF_TASKS = sql('stretch_of_tasks')``;
const COUNT_TASKS = sql('count_tasks')``;

/**
 * Looks through the first tasks of an index, in the order of the sort. `complete`: the index met all conditions, so that
 * there are no others.
 */
export async function firstTasks(
  db: Db,
  search: TaskSearch,
  { slice, among }: { slice: SearchSlice; among: number },
): Promise<{ places: SearchPlace[]; complete: boolean }> {
  const values = new Values();
  const column = SORT_COLUMNS[slice.sort];
  const source = sourceOf(search, slice, values);
  const limit = values.add(slice.limit, 'int');
  const text =
    source.rest.length === 0
      ? source.text(limit)
      : `select * from (${source.text(values.add(among, 'int'))} offset 0) p where ${source.rest.join(' and ')} limit ${limit}`;
  const { rows } = await db.query<SearchPlace>(
    made(FIRST_TASKS, `select p.task_uuid "taskUuid", tasker.iso(p.${column}) at from (${text}) p`),
    values.list,
  );
  return { places: rows, complete: source.rest.length === 0 };
}

/** Finds all tasks that meet the conditions, counts them, and returns those of the slice. */
export async function allTasks(
  db: Db,
  search: TaskSearch,
  slice: SearchSlice,
): Promise<{ places: SearchPlace[]; total: number }> {
  const values = new Values();
  const column = SORT_COLUMNS[slice.sort];
  const conditions = textsOf(taskConditions(search, values));
  if (slice.sort === 'ended') conditions.push('p.done_at is not null');
  const direction = slice.descending ? 'desc' : 'asc';
  const after = slice.after
    ? `(at, task_uuid) ${slice.descending ? '<' : '>'} (${values.add(slice.after.at, 'timestamptz')}, ${values.add(slice.after.taskUuid, 'uuid')})`
    : 'true';
  const text = `with found as materialized (
    select p.task_uuid, p.${column} at from tasker.task_search p where ${conditions.join('\n       and ') || 'true'})
  select x.task_uuid "taskUuid", tasker.iso(x.at) at, c.total::int from (select count(*) total from found) c
    left join lateral (
      select * from found where ${after} order by at ${direction}, task_uuid ${direction} limit ${values.add(slice.limit, 'int')}) x on true
   order by x.at ${direction}, x.task_uuid ${direction}`;
  const { rows } = await db.query<SearchPlace & { total: number }>(made(ALL_TASKS, text), values.list);
  return { places: rows.filter((row) => row.taskUuid !== null), total: rows[0]!.total };
}

/** The result of a look through a stretch of an index. */
export interface Stretch {
  places: SearchPlace[];
  /** Where the stretch ended; undefined: at the end of the index. */
  reached: SearchPlace | undefined;
}

/** Checks the next tasks of an index, and says how far it got. */
export async function stretchOfTasks(
  db: Db,
  search: TaskSearch,
  { slice, among }: { slice: SearchSlice; among: number },
): Promise<Stretch> {
  const values = new Values();
  const column = SORT_COLUMNS[slice.sort];
  const source = sourceOf(search, slice, values);
  const direction = slice.descending ? 'desc' : 'asc';
  const text = `with part as materialized (select p.*, row_number() over () nr from (${source.text(values.add(among, 'int'))}) p),
    last as (select task_uuid, ${column} at, nr from part order by nr desc limit 1)
  (select p.task_uuid "taskUuid", tasker.iso(p.${column}) at, false last, p.nr::int from part p
    where ${source.rest.join(' and ') || 'true'} order by p.${column} ${direction}, p.task_uuid ${direction} limit ${values.add(slice.limit, 'int')})
  union all select task_uuid, tasker.iso(at), true, nr::int from last`;
  const { rows } = await db.query<SearchPlace & { last: boolean; nr: number }>(
    made(STRETCH_OF_TASKS, text),
    values.list,
  );
  const last = rows.find((row) => row.last);
  return {
    places: rows.filter((row) => !row.last),
    reached: last && last.nr >= among ? { at: last.at, taskUuid: last.taskUuid } : undefined,
  };
}

/** Counts the tasks that a search finds among the first of an index. `exact`: the index has no more. */
export async function countTasks(
  db: Db,
  search: TaskSearch,
  { bound, among }: { bound: number; among: number },
): Promise<{ total: number; exact: boolean }> {
  const values = new Values();
  const slice = { sort: 'created', descending: true, after: null } as const;
  const source = sourceOf(search, slice, values);
  const most = values.add(bound + 1, 'int');
  const part = source.text(source.rest.length === 0 ? most : values.add(among, 'int'));
  const text =
    source.rest.length === 0
      ? `select count(*)::int total, 0 looked from (${part}) p`
      : `select (select count(*) from (select 1 from (${part} offset 0) p where ${source.rest.join(' and ')} limit ${most}) x)::int total,
                (select count(*) from (${part}) p)::int looked`;
  const { rows } = await db.query<{ total: number; looked: number }>(made(COUNT_TASKS, text), values.list);
  const { total, looked } = rows[0]!;
  return { total: Math.min(total, bound), exact: total <= bound && looked < among };
}
