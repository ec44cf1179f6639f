import { ENDED_STATES } from '../../model/states.ts';
import {
  type Condition,
  isOfOpenTask,
  isOneStep,
  OPEN_STATES,
  rangesText,
  rangeText,
  type SearchSort,
  searchedStates,
  stepConditions,
  stepRanges,
  type TaskSearch,
  taskConditions,
  Values,
} from './conditions.ts';
import { firstKeys, orderBy, type Ranges, rangesOfWorkers, rowsOf, type Source } from './ranges.ts';

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
/** More ranges than this are slower than the index of all open tasks, if most templates have the wanted step. */
const MANY_RANGES = 300;

/**
 * Tasks with all their columns. Unless `plain`, `unordered` returns only their ids. For `steps`, it returns the id of a
 * task several times if several of its steps match.
 */
export interface TaskSource extends Source {
  /** Whether the tasks are read from one index, from its ranges, or from ranges of steps. */
  kind: 'plain' | 'ranges' | 'steps';
}

/** Returns the conditions that remain to be checked. */
function left(conditions: ReadonlyMap<string, Condition>): Pick<TaskSource, 'rest' | 'hasRest'> {
  return {
    hasRest: conditions.size > 0,
    rest: () => [...conditions.values()].map((text) => text()).join(' and ') || 'true',
  };
}

/** Returns whether the filter has a condition whose index has tasks of all states. */
export const hasOwnIndex = ({ initiator, sourceSystem, reason, step }: TaskSearch): boolean =>
  (initiator ?? sourceSystem ?? reason) !== null && !(step && searchedStates(step));

/** Returns whether one index has the order, so that reading further costs little. */
export const isPlain = (search: TaskSearch, sort: SearchSort): boolean =>
  sourceOf(search, { sort, descending: true, after: null }, new Values(), !hasOwnIndex(search)).kind === 'plain';

/**
 * Returns the source of a search. Its text has its own conditions and values, so a statement can contain it only once.
 * `byState`: prefers the index of states to that of another condition.
 */
export function sourceOf(
  search: TaskSearch,
  slice: Omit<SearchSlice, 'limit'>,
  values: Values,
  byState = true,
): TaskSource {
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
  if (slice.sort === 'updated') {
    drop('updated_at', 'ended');
    return { ...byUpdate(search, slice, values), ...left(conditions) };
  }
  const within = take(column);
  if (slice.sort === 'ended') {
    within.push('p.done_at is not null');
    if (search.ended) drop('ended');
  }
  within.push(...afterOf(column, slice, values));
  const plain = (found: readonly string[]): TaskSource => {
    // The order makes the planner use the index, because no other index has this order. Without it, the planner may
    // read the table.
    const rows = (limit: number) => `select p.* from tasker.task_search p where ${found.join(' and ') || 'true'}
      ${orderBy([column, 'task_uuid'], 'p', slice.descending)} limit ${limit}`;
    return { ordered: rows, unordered: rows, kind: 'plain', ...left(conditions) };
  };
  if (slice.sort !== 'created') return plain(within);

  const steps = stepRangesOf(search, within, values);
  if (steps) {
    drop('template_id');
    if (!search.step?.workerIds || (search.step.errorType ?? search.step.error) === null) drop('step');
    if (isOfOpenTask(search.step)) drop('ended');
    return { ...inRanges(steps, slice.descending), ...left(conditions) };
  }
  for (const name of ['initiator', 'source_system', 'reason']) {
    // The first scan shows whether few or many tasks meet the condition.
    if (conditions.has(name) && !(byState && search.states)) return plain([...take(name), ...within]);
  }
  const states = statesOf(search);
  const count = search.templateIds.length * states.length;
  const isNarrowed = !search.anyTemplate || search.states !== null || search.ended !== null;
  if (isNarrowed && count <= MOST_RANGES && !isAnyOpen(search, count)) {
    drop('state', 'template_id', 'ended');
    const from = `unnest(${values.numbers(search.templateIds, 'int[]')}) m (id) cross join unnest(${values.words(states, 'tasker.task_state[]')}) s (state)`;
    const each = rowsOf('task_search p', ['p.template_id = r.id', 'p.state = r.state', ...within]);
    const ranges: Ranges = { from, count, each, row: 'p', keys: KEYS, repeats: false };
    return { ...inRanges(ranges, slice.descending), ...left(conditions) };
  }
  if (search.ended === false) return plain([...take('ended'), ...within]);
  return plain(within);
}

function afterOf(column: string, { after, descending }: Omit<SearchSlice, 'limit'>, values: Values): string[] {
  if (!after) return [];
  const place = `(${values.add(after.at, 'timestamptz')}, ${values.add(after.taskUuid, 'uuid')})`;
  return [`(p.${column}, p.task_uuid) ${descending ? '<' : '>'} ${place}`];
}

/** Returns whether the open tasks of all templates are wanted, or of the many templates that have a step. */
function isAnyOpen({ anyTemplate, states, ended, step }: TaskSearch, ranges: number): boolean {
  return ended === false && states === null && (anyTemplate || (step?.places != null && ranges > MANY_RANGES));
}

/** Tasks in the order of their last update. Ended tasks are in one index, and open tasks in another. */
function byUpdate(
  { updatedAfter, updatedBefore, ended, states }: TaskSearch,
  slice: Omit<SearchSlice, 'limit'>,
  values: Values,
): Omit<TaskSource, 'rest' | 'hasRest'> {
  const part = (column: 'done_at' | 'updated_at', limit: number) => {
    const found = [`p.done_at is ${column === 'done_at' ? 'not null' : 'null'}`];
    if (updatedAfter !== null || updatedBefore !== null) {
      found.push(rangeText(column, updatedAfter, updatedBefore, values));
    }
    found.push(...afterOf(column, slice, values));
    return `(select p.* from tasker.task_search p where ${found.join(' and ')}
      ${orderBy([column, 'task_uuid'], 'p', slice.descending)} limit ${limit})`;
  };
  const both = (limit: number) => {
    const parts = [];
    const wants = (some: readonly string[]) => states === null || states.some((state) => some.includes(state));
    if (ended !== false && wants(ENDED_STATES)) parts.push(part('done_at', limit));
    if ((ended !== true && wants(OPEN_STATES)) || parts.length === 0) parts.push(part('updated_at', limit));
    return parts.join(' union all ');
  };
  return {
    ordered: (wanted) =>
      `select p.* from (${both(wanted)}) p ${orderBy(['updated_at', 'task_uuid'], 'p', slice.descending)} limit ${wanted}`,
    unordered: (limit) => `select p.* from (${both(limit)}) p limit ${limit}`,
    kind: 'plain',
  };
}

function statesOf({ states, ended }: TaskSearch): readonly string[] {
  const possible = ended === null ? [...OPEN_STATES, ...ENDED_STATES] : ended ? ENDED_STATES : OPEN_STATES;
  return states ? states.filter((state) => ended === null || possible.includes(state)) : possible;
}

const KEYS = ['created_at', 'task_uuid'];

function inRanges(ranges: Ranges, descending: boolean): Omit<TaskSource, 'rest' | 'hasRest'> {
  const { from, each, row, repeats } = ranges;
  const columns = `${repeats ? 'distinct ' : ''}${row}.created_at, ${row}.task_uuid`;
  return {
    ordered: (wanted) => `select p.* from (${firstKeys(ranges, descending, wanted)}) k
       cross join lateral (select * from tasker.task_search p where p.task_uuid = k.task_uuid offset 0) p
       ${orderBy(KEYS, 'k', descending)}`,
    unordered: (limit) =>
      `select x.* from (select * from ${from}) r cross join lateral (${each(columns)} limit ${limit} offset 0) x limit ${limit}`,
    kind: repeats ? 'steps' : 'ranges',
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
  const ofSteps = within.map((condition) => condition.replaceAll('p.', 'q.'));
  const rows = { row: 'q', keys: KEYS, repeats: !isOneStep(step) } as const;
  if (step.workerIds) return { ...rangesOfWorkers(search, step.workerIds, ofSteps, values), ...rows };
  if (count > MOST_RANGES) return undefined;
  const direct = [
    'q.template_id = r.template_id',
    ...(step.places ? ['q.idx between r.least and r.most'] : []),
    ...(byError ? [] : ['q.state = r.state']),
    ...(byError && step.state !== null ? [`q.state = ${values.add(step.state, 'tasker.step_state')}`] : []),
    ...stepConditions(step, values),
    ...ofSteps,
  ];
  const wanted = byError ? '' : `cross join unnest(${values.words(states, 'tasker.step_state[]')}) s (state)`;
  return {
    from: `${rangesText(ranges, values)} t (template_id, least, most) ${wanted}`,
    count,
    each: rowsOf('step_search q', direct),
    ...rows,
  };
}
