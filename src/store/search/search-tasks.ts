import type { Db } from '../../db/statement.ts';
import { made, sql } from '../sql.ts';
import { type TaskSearch, taskConditions, Values } from './conditions.ts';
import { type CountLimits, countRows, type FirstLook, firstRows, orderBy } from './ranges.ts';
import { hasOwnIndex, type SearchPlace, type SearchSlice, SORT_COLUMNS, sourceOf } from './task-source.ts';

export type { SearchPlace, SearchSlice };

/** The texts of these statements are built for each search, so that each search is planned for its own conditions. */
const FIRST_TASKS = sql('first_tasks')``;
const ALL_TASKS = sql('all_tasks')``;
const STRETCH_OF_TASKS = sql('stretch_of_tasks')``;
const COUNT_TASKS = sql('count_tasks')``;

/**
 * Reads the first tasks of an index, in sort order. Tries the index of another condition before that of the states,
 * unless `byState`.
 */
export async function firstTasks(
  db: Db,
  search: TaskSearch,
  { slice, among }: { slice: SearchSlice; among: number },
  byState = !hasOwnIndex(search),
): Promise<FirstLook<SearchPlace>> {
  const keys = [SORT_COLUMNS[slice.sort], 'task_uuid'];
  const place = `p.task_uuid "taskUuid", tasker.iso(p.${keys[0]}) at`;
  const reading = { row: 'p', keys, place, first: FIRST_TASKS, count: COUNT_TASKS } as const;
  const source = (values: Values) => sourceOf(search, slice, values, byState);
  const found = await firstRows<SearchPlace>(db, reading, source, { ...slice, among });
  if (found.complete || found.places.length >= slice.limit || byState || !search.states) return { ...found, byState };
  // Merging ranges costs more than reading one index.
  return firstTasks(db, search, { slice, among: Math.ceil(among / 4) }, true);
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
  const order = orderBy([column, 'task_uuid'], 'p', slice.descending);
  const text = `with part as materialized (select p.*, row_number() over () nr from (${source.ordered(among)}) p),
    last as (select task_uuid, ${column} at, nr < ${among} done from part order by nr desc limit 1)
  (select p.task_uuid "taskUuid", tasker.iso(p.${column}) at, false last, false done from part p
    where ${source.rest()} ${order} limit ${values.add(slice.limit, 'int')})
  union all select task_uuid, tasker.iso(at), true, done from last`;
  const { rows } = await db.query<SearchPlace & { last: boolean; done: boolean }>(
    made(STRETCH_OF_TASKS, text),
    values.list,
  );
  const last = rows.find((row) => row.last);
  return {
    places: rows.filter((row) => !row.last),
    reached: last?.done ? undefined : last,
  };
}

/** Counts the matching tasks among the first tasks of an index. `exact`: the index has no further tasks. */
export async function countTasks(
  db: Db,
  search: TaskSearch,
  { byState, ...limits }: CountLimits & { byState: boolean },
): Promise<{ total: number; exact: boolean }> {
  const values = new Values();
  const source = sourceOf(search, { sort: 'created', descending: true, after: null }, values, byState);
  return countRows(db, COUNT_TASKS, source, { ...limits, row: 'p', kind: source.kind }, values);
}
