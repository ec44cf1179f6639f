import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { TaskerError } from '../../errors.ts';
import { checkUuid, stepUuid } from '../../model/ids.ts';
import { SEARCHED_STATES, type SearchSort, type TaskSearch } from '../../store/search/conditions.ts';
import { searchLag } from '../../store/search/projection.ts';
import { type FirstError, firstErrors, placeOfTask } from '../../store/search/search-facts.ts';
import {
  allSteps,
  countSteps,
  type FoundStepRow,
  firstSteps,
  foundSteps,
  type StepPlace,
  stretchOfSteps,
} from '../../store/search/search-steps.ts';
import { allTasks, countTasks, firstTasks, type SearchPlace, stretchOfTasks } from '../../store/search/search-tasks.ts';
import { isPlain } from '../../store/search/task-source.ts';
import { getTasks } from '../../store/tasks.ts';
import { type StepState, type Task, taskView } from '../task-view.ts';
import { cursorsOf, readCursor } from './cursor.ts';
import { readTaskFilter, type TaskFilter } from './filter.ts';
import { type Found, look } from './slices.ts';

export type { SearchSort };

/** The part of the found tasks to return. */
export interface TaskPageOptions {
  /** Default `created`. */
  sort?: SearchSort | undefined;
  /** `desc` (default) begins with the newest. */
  order?: 'asc' | 'desc' | undefined;
  /** 1 to 1000, default 50. */
  limit?: number | undefined;
  /** `nextCursor` or `previousCursor` of another page of the same search. */
  cursor?: string | undefined;
  /** The id of a task, instead of a cursor. The page has the tasks that follow it in the order of the list. */
  before?: string | undefined;
}

/** The part of the found steps to return. Steps are sorted by the time at which they entered their state. */
export interface StepPageOptions {
  /** Default: oldest first (`asc`) for steps that are ready, running or waiting, otherwise newest first. */
  order?: 'asc' | 'desc' | undefined;
  /** 1 to 1000, default 50. */
  limit?: number | undefined;
  /** `nextCursor` or `previousCursor` of another page of the same search. */
  cursor?: string | undefined;
}

/** A task in a list, with the first of its errors. */
export interface FoundTask extends Task {
  /**
   * The error of the first failed step, or otherwise of the first step that waits for a retry. Null if no step has an
   * error.
   */
  firstError: { step: string; errorType: string | null; message: string | null } | null;
}

/** A step in a list. */
export interface FoundStep {
  stepUuid: string;
  taskUuid: string;
  name: string;
  /** The template step that it was created from. Differs from `name` for batch workers. */
  templateStepName: string;
  /** The handler that the template names. */
  callable: string;
  namespace: string;
  /** The name of the task's template. */
  taskName: string;
  version: string;
  currentState: StepState;
  /**
   * The time at which it became ready, running, failed or resolved, or began to wait; ISO 8601. For a step that waits for a retry, the
   * time at which the retry is due.
   */
  since: string;
  taskCreatedAt: string;
  attempts: number;
  /** The name of the worker that runs it, or that made its last attempt. */
  worker: string | null;
  errorType: string | null;
  /** The first line of its last error. */
  error: string | null;
}

/** Facts about a page of a search, apart from its items. */
export interface SearchPage {
  /** Number of items that the search finds; at most 10,000 are counted. */
  total: number;
  /** False if there are more items than `total`, counting took too long, or changes of more than 2 seconds may be missing. */
  totalIsExact: boolean;
  nextCursor: string | null;
  previousCursor: string | null;
  /**
   * The search timed out after 2 seconds. The page has the items found until then, and `nextCursor` continues the
   * search.
   */
  timedOut: boolean;
  /** Changes younger than this, in milliseconds, may be missing; 0: only changes from the last second or two. */
  lagMs: number;
}

/** A page of the tasks that a search found. */
export interface TaskPage extends SearchPage {
  tasks: FoundTask[];
}

/** A page of the steps that a search found. */
export interface StepPage extends SearchPage {
  steps: FoundStep[];
}

const READING = opening({ jit: 'off' });
const NOTHING: Found<never> = { places: [], more: false, count: { total: 0, totalIsExact: true }, timedOut: false };

/**
 * Finds tasks in the search tables, which are written after the commit of a change.
 * @throws TaskerError `bad_request`, `invalid_uuid`, `task_not_found` (`before`)
 */
export async function findTasks(
  database: Database,
  filter: TaskFilter,
  { sort = 'created', order = 'desc', limit = 50, cursor, before }: TaskPageOptions,
): Promise<TaskPage> {
  if (!['created', 'ended', 'updated'].includes(sort)) {
    throw new TaskerError('bad_request', `sort must be created, ended or updated, got ${String(sort)}`);
  }
  checkPage({ order, limit });
  const place = readCursor<SearchPlace>(cursor, { sort, order });
  const lag = lagOf(database);
  const read = await readTaskFilter(database, filter);
  const search = sort === 'ended' ? read && onlyEnded(read) : read;
  if (before !== undefined) place.after = await placeOf(database, before, sort);
  const slice = { sort, descending: (order === 'desc') !== place.backwards, after: place.after, limit };
  const found = search ? await look(database, taskLooks(search, sort), slice) : NOTHING;
  if (place.backwards) found.places.reverse();
  const [tasks, count, lagMs] = await Promise.all([viewsOf(database, found.places), found.count, lag]);
  return { tasks, ...count, ...cursorsOf(place, found), timedOut: found.timedOut, lagMs };
}

/** Omits open tasks, which cannot be sorted by their end. Undefined if the search wants only open tasks. */
function onlyEnded(search: TaskSearch): TaskSearch | undefined {
  return search.ended === false ? undefined : { ...search, ended: true };
}

function taskLooks(
  search: TaskSearch,
  sort: SearchSort,
): Parameters<typeof look<SearchPlace, Parameters<typeof allTasks>[2]>>[1] {
  return {
    isPlain: isPlain(search, sort),
    first: (db, options) => firstTasks(db, search, options),
    all: (db, slice) => allTasks(db, search, slice),
    stretch: (db, options) => stretchOfTasks(db, search, options),
    count: (db, options) => countTasks(db, search, options),
  };
}

/** Steps in these states are listed in the order in which they entered the state. */
const OLDEST_FIRST: ReadonlySet<string> = new Set(['enqueued', 'in_progress', 'waiting_for_retry', 'waiting']);

/** Finds steps of all tasks. @throws TaskerError `bad_request`, `invalid_uuid` */
export async function findSteps(
  database: Database,
  filter: TaskFilter,
  { order: given, limit = 50, cursor }: StepPageOptions,
): Promise<StepPage> {
  const { stepState } = filter;
  const order = given ?? (stepState !== undefined && OLDEST_FIRST.has(stepState) ? 'asc' : 'desc');
  checkPage({ order, limit });
  const place = readCursor<StepPlace>(cursor, { sort: 'since', order });
  const lag = lagOf(database);
  const search = await readTaskFilter(database, filter);
  if (stepState !== undefined && !SEARCHED_STATES.includes(stepState)) {
    throw new TaskerError(
      'bad_request',
      `steps in ${stepState} cannot be listed across tasks; list tasks with stepState ${stepState}, or steps in ${SEARCHED_STATES.join(', ')}`,
    );
  }
  const slice = { descending: (order === 'desc') !== place.backwards, after: place.after, limit };
  const found = search ? await look(database, stepLooks(search), slice) : NOTHING;
  if (place.backwards) found.places.reverse();
  const reading = found.places.length > 0 ? foundSteps(database, found.places) : [];
  const [rows, count, lagMs] = await Promise.all([reading, found.count, lag]);
  const steps = rows.map(foundStepView);
  return { steps, ...count, ...cursorsOf(place, found), timedOut: found.timedOut, lagMs };
}

function stepLooks(search: TaskSearch): Parameters<typeof look<StepPlace, Parameters<typeof allSteps>[2]>>[1] {
  return {
    isPlain: false,
    first: (db, options) => firstSteps(db, search, options),
    all: (db, slice) => allSteps(db, search, slice),
    stretch: (db, options) => stretchOfSteps(db, search, options),
    count: (db, options) => countSteps(db, search, options),
  };
}

function checkPage({ order, limit }: { order: string; limit: number }): void {
  if (order !== 'asc' && order !== 'desc') {
    throw new TaskerError('bad_request', `order must be asc or desc, got ${String(order)}`);
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
  }
}

async function placeOf(database: Database, before: string, sort: SearchSort): Promise<SearchPlace> {
  const taskUuid = checkUuid(before, 'before');
  const place = await placeOfTask(database, taskUuid, sort);
  if (place) return place;
  throw new TaskerError('task_not_found', `before: ${sort === 'ended' ? 'ended task' : 'task'} ${taskUuid} not found`);
}

/** Returns the lag of the search tables. If the query fails, the error surfaces when the search awaits the promise. */
function lagOf(database: Database): Promise<number> {
  const lag = searchLag(database);
  lag.catch(() => undefined);
  return lag;
}

async function viewsOf(database: Database, places: readonly SearchPlace[]): Promise<FoundTask[]> {
  if (places.length === 0) return [];
  const ids = places.map((place) => place.taskUuid);
  const [rows, errors] = await database.pipeline(READING, (tx) =>
    Promise.all([getTasks(tx, ids), firstErrors(tx, ids)]),
  );
  const views = new Map(rows.map((row) => [row.taskUuid, taskView(row)]));
  const byTask = new Map(errors.map((error) => [error.taskUuid, error]));
  return ids.flatMap((id) => {
    const view = views.get(id);
    return view ? [{ ...view, firstError: errorOf(byTask.get(id)) }] : [];
  });
}

function errorOf(error: FirstError | undefined): FoundTask['firstError'] {
  return error ? { step: error.step, errorType: error.errorType, message: error.error } : null;
}

function foundStepView({ idx, templateName, state, ...row }: FoundStepRow): FoundStep {
  return {
    stepUuid: stepUuid(row.taskUuid, idx),
    ...row,
    templateStepName: templateName,
    currentState: state as StepState,
  };
}
