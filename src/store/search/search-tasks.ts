import type { Db } from '../../db/statement.ts';
import { made, sql } from '../sql.ts';
import { type TaskSearch, taskConditions, Values } from './conditions.ts';
import { firstLook } from './first-look.ts';
import { type SearchPlace, type SearchSlice, SORT_COLUMNS, sourceOf } from './task-source.ts';

export type { SearchPlace, SearchSlice };

/** The texts of these statements are built for each search, so that each search is planned for its own conditions. */
const FIRST_TASKS = sql('first_tasks')``;
const ALL_TASKS = sql('all_tasks')``;
const STRETCH_OF_TASKS = sql('stretch_of_tasks')``;
const COUNT_TASKS = sql('count_tasks')``;

/**
 * Reads the first tasks of an index, in sort order. `complete`: the index covered all conditions, so there are no other
 * matches.
 */
export async function firstTasks(
  db: Db,
  search: TaskSearch,
  { slice, among }: { slice: SearchSlice; among: number },
): Promise<{ places: SearchPlace[]; complete: boolean }> {
  const column = SORT_COLUMNS[slice.sort];
  const direction = slice.descending ? 'desc' : 'asc';
  // The order is repeated, because the planner may check conditions with a join that changes it.
  const order = `order by p.${column} ${direction}, p.task_uuid ${direction}`;
  const look = async (exact: boolean) => {
    const values = new Values();
    const { ordered, hasRest, rest } = sourceOf(search, slice, values);
    const from = hasRest
      ? `select * from (${ordered(among, exact)} offset 0) p where ${rest()} ${order} limit ${slice.limit}`
      : ordered(slice.limit, exact);
    const text = `select p.task_uuid "taskUuid", tasker.iso(p.${column}) at, p.whole from (${from}) p ${order}`;
    const { rows } = await db.query<SearchPlace & { whole: boolean }>(made(FIRST_TASKS, text), values.list);
    return { places: rows, isSorted: !hasRest, whole: rows[0]?.whole === true };
  };
  const hasFewer = async () => {
    const values = new Values();
    const { unordered } = sourceOf(search, slice, values);
    const text = `select count(*)::int count from (${unordered(String(among))}) p`;
    const { rows } = await db.query<{ count: number }>(made(COUNT_TASKS, text), values.list);
    return rows[0]!.count < among;
  };
  return firstLook({ limit: slice.limit, look, hasFewer });
}

/** Finds all tasks that meet the conditions, counts them, and returns the tasks of the slice. */
export async function allTasks(
  db: Db,
  search: TaskSearch,
  slice: SearchSlice,
): Promise<{ places: SearchPlace[]; total: number }> {
  const values = new Values();
  const column = SORT_COLUMNS[slice.sort];
  const conditions = [...taskConditions(search, values).values()].map((text) => text());
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

/** The result of reading a stretch of an index. */
export interface Stretch {
  places: SearchPlace[];
  /** The position where the stretch ended. Undefined at the end of the index. */
  reached: SearchPlace | undefined;
}

/** Checks the next tasks of an index, and returns the position that it reached. */
export async function stretchOfTasks(
  db: Db,
  search: TaskSearch,
  { slice, among }: { slice: SearchSlice; among: number },
): Promise<Stretch> {
  const values = new Values();
  const column = SORT_COLUMNS[slice.sort];
  const source = sourceOf(search, slice, values);
  const direction = slice.descending ? 'desc' : 'asc';
  const text = `with part as materialized (select p.*, row_number() over () nr from (${source.ordered(among, false)}) p),
    last as (select task_uuid, ${column} at, whole and nr < ${among} done from part order by nr desc limit 1)
  (select p.task_uuid "taskUuid", tasker.iso(p.${column}) at, false last, false done from part p
    where ${source.rest()} order by p.${column} ${direction}, p.task_uuid ${direction} limit ${values.add(slice.limit, 'int')})
  union all select task_uuid, tasker.iso(at), true, done from last`;
  const { rows } = await db.query<SearchPlace & { last: boolean; done: boolean }>(
    made(STRETCH_OF_TASKS, text),
    values.list,
  );
  const last = rows.find((row) => row.last);
  return {
    places: rows.filter((row) => !row.last),
    reached: last && !last.done ? { at: last.at, taskUuid: last.taskUuid } : undefined,
  };
}

/** Counts the matching tasks among the first tasks of an index. `exact`: the index has no further tasks. */
export async function countTasks(
  db: Db,
  search: TaskSearch,
  { bound, among }: { bound: number; among: number },
): Promise<{ total: number; exact: boolean }> {
  const values = new Values();
  const slice = { sort: 'created', descending: true, after: null } as const;
  const source = sourceOf(search, slice, values);
  const { hasRest, rest, repeats } = source;
  const most = hasRest ? among : bound + 1;
  const found = repeats ? '(select distinct task_uuid from part)' : 'part';
  const counted = hasRest
    ? `${found} k cross join lateral (
         select * from tasker.task_search p where p.task_uuid = k.task_uuid offset 0) p where ${rest()}`
    : `${found} k`;
  const text = `with part as materialized (${source.unordered(String(most))})
    select (select count(*) from ${counted})::int total, (select count(*) from part)::int looked`;
  const { rows } = await db.query<{ total: number; looked: number }>(made(COUNT_TASKS, text), values.list);
  const { total, looked } = rows[0]!;
  return { total: Math.min(total, bound), exact: looked < most };
}
