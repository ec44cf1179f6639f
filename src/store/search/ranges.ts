import type { Db, Statement } from '../../db/statement.ts';
import { made } from '../sql.ts';
import { nameConditions, type TaskSearch, Values } from './conditions.ts';

/** The first read of a range takes its share of the wanted rows, multiplied by this factor. */
const SHARES = 2;
/** Minimum number of rows that the first read of a range takes. */
const LEAST_SHARE = 2;

/** Ranges of an index, each in the sort order. */
export interface Ranges {
  /** The keys of the ranges, for `from`. */
  from: string;
  count: number;
  /** Returns a select of the rows of the range `r`, with more conditions. */
  each(columns: string, ...more: string[]): string;
  /** The alias of such a row. */
  row: 'p' | 'q';
  /** The columns of the order. The first is a time. */
  keys: readonly string[];
  /** Whether several rows can have the same keys. */
  repeats: boolean;
}

/** Returns the rows of a table that meet the conditions, for {@link Ranges}. */
export const rowsOf =
  (table: string, found: readonly string[]): Ranges['each'] =>
  (columns, ...more) =>
    `select ${columns} from tasker.${table} where ${[...found, ...more].join(' and ')}`;

/** Returns the order of rows by their keys. */
export function orderBy(keys: readonly string[], row: string, descending: boolean): string {
  return `order by ${keys.map((key) => `${row}.${key} ${descending ? 'desc' : 'asc'}`).join(', ')}`;
}

/**
 * Returns a select of the first `wanted` keys of all ranges, in order. Reads a few rows of each range. The last of the
 * first `wanted` ones is the limit up to which the ranges with more rows are read further.
 */
export function firstKeys({ from, count, each, row, keys, repeats }: Ranges, descending: boolean, wanted: number) {
  const share = Math.min(wanted, Math.max(LEAST_SHARE, Math.ceil((wanted * SHARES) / count)));
  const [after, until, end] = descending ? ['<', '>=', '-infinity'] : ['>', '<=', 'infinity'];
  const of = (alias: string) => keys.map((key) => `${alias}.${key}`).join(', ');
  const select = repeats ? 'select distinct' : 'select';
  const columns = `${repeats ? 'distinct ' : ''}${of(row)}`;
  const order = (alias: string) => orderBy(keys, alias, descending);
  const more = [`(${of(row)}) ${after} (${of('r')})`, `${row}.${keys[0]} ${until} r.until`];
  return `
    with head as materialized (
      select r.*, x.* from (select * from ${from}) r cross join lateral (
        select x.*, row_number() over () nr from (${each(columns)} ${order(row)} limit ${share} offset 0) x) x),
    last as (select h.${keys[0]} at from (${select} ${of('h')} from head h) h ${order('h')} limit 1 offset ${wanted - 1})
    ${select} ${of('x')} from (
      select ${of('h')} from head h
       union all
      select ${of('x')} from (
        select h.*, coalesce(l.at, '${end}') until from head h left join last l on true
         where h.nr = ${share < wanted ? share : 0} and (l.at is null or h.${keys[0]} ${until} l.at)) r
       cross join lateral (${each(columns, ...more)} ${order(row)} limit ${wanted} offset 0) x) x
     ${order('x')} limit ${wanted}`;
}

/** Returns one range for each worker, with the steps that meet all conditions on steps except on their errors. */
export function rangesOfWorkers(
  { step, anyTemplate, templateIds }: TaskSearch,
  workerIds: readonly number[],
  within: readonly string[],
  values: Values,
): Pick<Ranges, 'from' | 'count' | 'each'> {
  const names = nameConditions(step!, 'q.template_id', templateIds, values);
  const found = ['q.worker_id = r.worker_id', ...within, ...names];
  if (step!.state !== null) found.push(`q.state = ${values.add(step!.state, 'tasker.step_state')}`);
  if (!anyTemplate) found.push(`q.template_id = any (${values.numbers(templateIds, 'int[]')})`);
  return {
    from: `unnest(${values.numbers(workerIds, 'bigint[]')}) w (worker_id)`,
    count: workerIds.length,
    each: rowsOf('step_search q', found),
  };
}

/** Rows in order, from the most suitable index, and the conditions that remain to be checked. */
export interface Source {
  /** Returns a select of the first rows, in order. */
  ordered(wanted: number): string;
  /** Returns a select of the first rows of the ranges, one range after another. */
  unordered(limit: number): string;
  /** Whether any conditions remain to be checked. */
  hasRest: boolean;
  /** Returns the text of these conditions, and adds their values to the statement. */
  rest(): string;
}

/** The result of reading the beginning of an index. */
export interface FirstLook<Place> {
  places: Place[];
  /** Whether there are no other matches. */
  complete: boolean;
  /** Whether the index of states was preferred to that of another condition. Default true. */
  byState?: boolean;
}

/** How the rows of a kind are read: their name and order, the columns to return, and the statements. */
interface Reading {
  row: 'p' | 'q';
  keys: readonly string[];
  place: string;
  first: Statement;
  count: Statement;
}

/** Reads the first rows of a source, in order. */
export async function firstRows<Place>(
  db: Db,
  { row, keys, place, first, count }: Reading,
  sourceOf: (values: Values) => Source,
  { limit, descending, among }: { limit: number; descending: boolean; among: number },
): Promise<FirstLook<Place>> {
  const values = new Values();
  const { ordered, hasRest, rest } = sourceOf(values);
  // The order is repeated, because the planner may check conditions with a join that changes it.
  const order = orderBy(keys, row, descending);
  const from = hasRest
    ? `select * from (${ordered(among)} offset 0) ${row} where ${rest()} ${order} limit ${limit}`
    : ordered(limit);
  const text = `select ${place} from (${from}) ${row} ${order}`;
  const { rows: places } = await db.query<Place & object>(made(first, text), values.list);
  if (!hasRest || places.length >= limit) return { places, complete: !hasRest };
  const again = new Values();
  const counting = `select count(*)::int count from (${sourceOf(again).unordered(among)}) x`;
  const counted = await db.query<{ count: number }>(made(count, counting), again.list);
  return { places, complete: counted.rows[0]!.count < among };
}

/** The first rows that a count checks. Further rows are checked only within `CHECKING` of its beginning. */
const CHECKED = 500;
const CHECKING = '5 ms';

/** Limits of a count: of the total, and of the rows if conditions remain to be checked. */
export interface CountLimits {
  bound: number;
  among: number;
}

/**
 * Counts the rows of a source that meet its conditions. Unless `plain`, the rows are only the ids of tasks, and for
 * `steps`, they may repeat.
 */
export async function countRows(
  db: Db,
  count: Statement,
  { unordered, hasRest, rest }: Source,
  { bound, among, row, kind }: CountLimits & { row: 'p' | 'q'; kind: 'plain' | 'ranges' | 'steps' },
  values: Values,
): Promise<{ total: number; exact: boolean }> {
  const most = hasRest ? among : bound + 1;
  const columns = kind === 'steps' ? 'task_uuid, count(*) n' : 'x.*, 1 n';
  const rows = `select ${columns} from (${unordered(most)}) x ${kind === 'steps' ? 'group by task_uuid' : ''}`;
  const meets = () =>
    kind === 'plain'
      ? rest()
      : `exists (select 1 from tasker.task_search p where p.task_uuid = k.task_uuid and ${rest()} offset 0)`;
  const met = hasRest
    ? `select n, case when nr <= ${CHECKED} or clock_timestamp() < statement_timestamp() + interval '${CHECKING}'
                      then (${meets()}) is true end met
         from (select x.*, row_number() over () nr from (${rows}) x) ${kind === 'plain' ? row : 'k'}`
    : `select n, true met from (${rows}) x`;
  const text = `select count(*) filter (where met)::int total, count(*) filter (where met is null)::int skipped,
                       coalesce(sum(n), 0)::int looked from (${met}) x`;
  const found = await db.query<{ total: number; skipped: number; looked: number }>(made(count, text), values.list);
  const { total, skipped, looked } = found.rows[0]!;
  return { total: Math.min(total, bound), exact: skipped === 0 && looked < most };
}
