import {
  type Condition,
  nameConditions,
  OPEN_STATES,
  rangesText,
  rangeText,
  type SearchSort,
  searchedStates,
  stepConditions,
  stepRanges,
  type TaskSearch,
  taskConditions,
  type Values,
} from './conditions.ts';

/** A position in the sorted tasks: the time and the id of a task. */
export interface SearchPlace {
  at: string;
  taskUuid: string;
}

/** The part of the tasks found to return. */
export interface SearchSlice {
  sort: SearchSort;
  /** From the newest to the oldest. */
  descending: boolean;
  /** Only tasks that follow this position in the direction of the sort. */
  after: SearchPlace | null;
  limit: number;
}

/** The column of each order. */
export const SORT_COLUMNS: Record<SearchSort, string> = {
  created: 'created_at',
  ended: 'done_at',
  updated: 'updated_at',
};

/** Maximum number of index ranges that are read one by one. */
const MOST_RANGES = 2_000;
/** The first read of a range takes this many times its share of the wanted rows. */
const SHARES = 4;
/** Minimum share of a range. A few templates may have most of the tasks. */
const LEAST_SHARE = 24;

/** More ranges than this are slower than the index of all open tasks, if most templates have the wanted step. */
const MANY_RANGES = 300;

const ENDED_STATES: readonly string[] = ['complete', 'error', 'cancelled', 'resolved_manually'];

/** Tasks in sort order, from the most suitable index, and the conditions that remain to be checked. */
export interface TaskSource {
  /**
   * Returns a select of tasks with all their columns, in order, and `whole`, which is false if a range had more tasks.
   * Leaves out tasks that may come after a task that was not read. `exact`: reads `wanted` tasks from each range, so
   * none is omitted.
   */
  ordered(wanted: number, exact: boolean): string;
  /** Returns a select of `task_uuid`s without an order. */
  unordered(limit: string): string;
  /** Whether `unordered` can return a task several times, because several of its steps match. */
  repeats: boolean;
  /** Whether any conditions remain to be checked. */
  hasRest: boolean;
  /** Returns the text of these conditions, and adds their values to the statement. */
  rest(): string;
}

/** Returns the conditions that remain to be checked. */
function left(conditions: ReadonlyMap<string, Condition>): Pick<TaskSource, 'rest' | 'hasRest'> {
  return {
    hasRest: conditions.size > 0,
    rest: () => [...conditions.values()].map((text) => text()).join(' and ') || 'true',
  };
}

/**
 * Returns the source of a search. Its text has its own conditions and values, so a statement can contain it only once.
 */
export function sourceOf(search: TaskSearch, slice: Omit<SearchSlice, 'limit'>, values: Values): TaskSource {
  const column = SORT_COLUMNS[slice.sort];
  const conditions = taskConditions(search, values, { oneByOne: true });
  const take = (...names: string[]) =>
    names.flatMap((name) => {
      const condition = conditions.get(name);
      conditions.delete(name);
      return condition === undefined ? [] : [condition()];
    });
  const drop = (...names: string[]) => {
    for (const name of names) conditions.delete(name);
  };
  const direction = slice.descending ? 'desc' : 'asc';
  if (slice.sort === 'updated') {
    drop('updated_at', 'ended');
    return { ...byUpdate(search, slice, values), ...left(conditions) };
  }
  const within = take(column);
  if (slice.sort === 'ended') {
    within.push('p.done_at is not null');
    if (search.ended) drop('ended');
  }
  if (slice.after) {
    const place = `(${values.add(slice.after.at, 'timestamptz')}, ${values.add(slice.after.taskUuid, 'uuid')})`;
    within.push(`(p.${column}, p.task_uuid) ${slice.descending ? '<' : '>'} ${place}`);
  }
  const plain = (found: readonly string[]): TaskSource => {
    const from = `from tasker.task_search p where ${found.join(' and ') || 'true'}
      order by p.${column} ${direction}, p.task_uuid ${direction}`;
    return {
      ordered: (wanted) => `select p.*, true whole ${from} limit ${wanted}`,
      // The order makes the planner use the index, because no other index has this order. Without it, the planner may
      // read the table.
      unordered: (limit) => `select p.task_uuid ${from} limit ${limit}`,
      repeats: false,
      ...left(conditions),
    };
  };
  if (slice.sort !== 'created') return plain(within);

  const steps = stepRangesOf(search, within, values);
  if (steps) {
    drop('step', 'template_id');
    return { ...inRanges(steps, direction), ...left(conditions) };
  }
  for (const name of ['initiator', 'source_system', 'reason']) {
    // The first scan shows whether few or many tasks meet the condition.
    if (conditions.has(name) && !search.states) return plain([...take(name), ...within]);
  }
  const states = statesOf(search);
  const count = search.templateIds.length * states.length;
  const isNarrowed = !search.anyTemplate || search.states !== null || search.ended !== null;
  if (isNarrowed && count <= MOST_RANGES && !isAnyOpen(search, count)) {
    drop('state', 'template_id', 'ended');
    const ids = values.numbers(search.templateIds, 'int[]');
    const wanted = values.words(states, 'tasker.task_state[]');
    const ranges: Ranges = {
      from: `unnest(${ids}) m (id) cross join unnest(${wanted}) s (state)`,
      count,
      each: (columns: string) =>
        `select ${columns} from tasker.task_search p where ${['p.template_id = r.id', 'p.state = r.state', ...within].join(' and ')}`,
      row: 'p',
    };
    return { ...inRanges(ranges, direction), ...left(conditions) };
  }
  if (search.ended === false) return plain([...take('ended'), ...within]);
  return plain(within);
}

/** Returns whether the open tasks of all templates are wanted, or of the many templates that have a step. */
function isAnyOpen({ anyTemplate, states, ended, step }: TaskSearch, ranges: number): boolean {
  return ended === false && states === null && (anyTemplate || (step?.places != null && ranges > MANY_RANGES));
}

/** Tasks in the order of their last update. Ended tasks are in one index, and open tasks in another. */
function byUpdate(
  { updatedAfter, updatedBefore, ended, states }: TaskSearch,
  { descending, after }: Omit<SearchSlice, 'limit'>,
  values: Values,
): Omit<TaskSource, 'rest' | 'hasRest'> {
  const direction = descending ? 'desc' : 'asc';
  const part = (column: 'done_at' | 'updated_at', limit: number | string) => {
    const found = [`p.done_at is ${column === 'done_at' ? 'not null' : 'null'}`];
    if (updatedAfter !== null || updatedBefore !== null) {
      found.push(rangeText(column, updatedAfter, updatedBefore, values));
    }
    if (after) {
      const place = `(${values.add(after.at, 'timestamptz')}, ${values.add(after.taskUuid, 'uuid')})`;
      found.push(`(p.${column}, p.task_uuid) ${descending ? '<' : '>'} ${place}`);
    }
    return `(select p.* from tasker.task_search p where ${found.join(' and ')}
      order by p.${column} ${direction}, p.task_uuid ${direction} limit ${limit})`;
  };
  const both = (limit: number | string) => {
    const parts = [];
    const wants = (some: readonly string[]) => states === null || states.some((state) => some.includes(state));
    if (ended !== false && wants(ENDED_STATES)) parts.push(part('done_at', limit));
    if ((ended !== true && wants(OPEN_STATES)) || parts.length === 0) parts.push(part('updated_at', limit));
    return parts.join(' union all ');
  };
  return {
    ordered: (wanted) =>
      `select p.*, true whole from (${both(wanted)}) p order by p.updated_at ${direction}, p.task_uuid ${direction} limit ${wanted}`,
    unordered: (limit) => `select p.task_uuid from (${both(limit)}) p limit ${limit}`,
    repeats: false,
  };
}

function statesOf({ states, ended }: TaskSearch): readonly string[] {
  const possible = ended === null ? [...OPEN_STATES, ...ENDED_STATES] : ended ? ENDED_STATES : OPEN_STATES;
  return states ? states.filter((state) => ended === null || possible.includes(state)) : possible;
}

/** Ranges of an index, each in the order of creation. */
interface Ranges {
  /** The keys of the ranges, for `from`. */
  from: string;
  count: number;
  /** Returns a select of the rows of one range, which `from` names. */
  each(columns: string): string;
  /** The alias of such a row. */
  row: 'p' | 'q';
}

function inRanges({ from, count, each, row }: Ranges, direction: string): Omit<TaskSource, 'rest' | 'hasRest'> {
  const order = `order by ${row}.created_at ${direction}, ${row}.task_uuid ${direction}`;
  // A task can have several matching steps.
  const columns = `${row === 'q' ? 'distinct ' : ''}${row}.created_at, ${row}.task_uuid`;
  return {
    // A range that has more rows than its share may have rows that come before rows of other ranges. So the other
    // ranges are cut off at its last row.
    ordered: (wanted, exact) => {
      const share = exact ? wanted : Math.min(wanted, Math.max(LEAST_SHARE, Math.ceil((wanted * SHARES) / count)));
      const compared = direction === 'desc' ? '>=' : '<=';
      return `select p.*, k.whole from (
        with pick as materialized (
          select x.* from (select * from ${from}) r cross join lateral (
            select x.*, row_number() over () nr from (${each(columns)} ${order} limit ${share} offset 0) x) x),
        cut as (
          select created_at, task_uuid from pick where nr = ${exact ? 0 : share}
           order by created_at ${direction}, task_uuid ${direction} limit 1)
        select distinct x.created_at, x.task_uuid, c.task_uuid is null whole from pick x left join cut c on true
         where c.task_uuid is null or (x.created_at, x.task_uuid) ${compared} (c.created_at, c.task_uuid)
         order by x.created_at ${direction}, x.task_uuid ${direction} limit ${wanted}) k
       cross join lateral (select * from tasker.task_search p where p.task_uuid = k.task_uuid offset 0) p
       order by k.created_at ${direction}, k.task_uuid ${direction}`;
    },
    unordered: (limit) =>
      `select x.task_uuid from (select * from ${from}) r cross join lateral (${each(columns)} limit ${limit} offset 0) x limit ${limit}`,
    repeats: row === 'q' && count > 1,
  };
}

/** Returns all steps of some workers as a single range. The steps are sorted by creation only after they are read. */
function stepsOfWorkers(
  { step, anyTemplate, templateIds }: TaskSearch,
  states: readonly string[],
  within: readonly string[],
  values: Values,
): Ranges {
  const found = [
    ...stepConditions(step!, values),
    `q.state = any (${values.words(states, 'tasker.step_state[]')})`,
    ...(anyTemplate ? [] : [`q.template_id = any (${values.numbers(templateIds, 'int[]')})`]),
    ...nameConditions(step!, 'q.template_id', templateIds, values),
    ...within.map((condition) => condition.replaceAll('p.', 'q.')),
  ];
  return {
    from: '(select 1) one',
    count: 1,
    each: (columns) => `select ${columns} from tasker.step_search q where ${found.join(' and ')}`,
    row: 'q',
  };
}

/** Returns the ranges of steps in `step_search` that meet the condition on steps, if there are few enough. */
function stepRangesOf(search: TaskSearch, within: readonly string[], values: Values): Ranges | undefined {
  const { step } = search;
  const states = step && searchedStates(step);
  if (!step || !states) return undefined;
  // The index by error type has the steps of both states in one range.
  const byError = step.errorType !== null;
  const ranges = stepRanges(search);
  const count = ranges.length * (byError ? 1 : states.length);
  if (step.workerIds) return step.workersHaveFewSteps ? stepsOfWorkers(search, states, within, values) : undefined;
  if (count > MOST_RANGES) return undefined;
  const direct = [
    'q.template_id = r.template_id',
    ...(step.places ? ['q.idx between r.least and r.most'] : []),
    ...(byError ? [] : ['q.state = r.state']),
    ...(byError && step.state !== null ? [`q.state = ${values.add(step.state, 'tasker.step_state')}`] : []),
    ...stepConditions(step, values),
    ...within.map((condition) => condition.replaceAll('p.', 'q.')),
  ];
  const wanted = byError ? '' : `cross join unnest(${values.words(states, 'tasker.step_state[]')}) s (state)`;
  return {
    from: `${rangesText(ranges, values)} t (template_id, least, most) ${wanted}`,
    count,
    each: (columns) => `select ${columns} from tasker.step_search q where ${direct.join(' and ')}`,
    row: 'q',
  };
}
