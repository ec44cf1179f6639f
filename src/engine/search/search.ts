import { sqlState } from '../../db/connection-error.ts';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { TaskerError } from '../../errors.ts';
import { isUuid } from '../../model/ids.ts';
import { searchLag } from '../../store/search/projection.ts';
import {
  countTasks,
  type FirstError,
  firstErrors,
  type SearchPlace,
  type SearchSlice,
  type SearchSort,
  searchTasks,
  type TaskSearch,
} from '../../store/search/search-tasks.ts';
import { getTasks } from '../../store/tasks.ts';
import { type Task, taskView } from '../task-view.ts';
import { readTaskFilter, type TaskFilter } from './filter.ts';

/** Which part of the found tasks to return. */
export interface TaskPageOptions {
  /** Default `created`. */
  sort?: SearchSort | undefined;
  /** `desc` (default) begins with the newest. */
  order?: 'asc' | 'desc' | undefined;
  /** 1 to 1000, default 50. */
  limit?: number | undefined;
  /** `nextCursor` or `previousCursor` of another page of the same search. */
  cursor?: string | undefined;
}

/** A task in a list, with the first of its errors. */
export interface FoundTask extends Task {
  /** The error of the first failed step, else of the first step that waits for a retry. Null: no step has one. */
  firstError: { step: string; errorType: string | null; message: string | null } | null;
}

/** A page of the tasks that a search found. */
export interface TaskPage {
  tasks: FoundTask[];
  /** How many tasks the search finds; at most 10,000 are counted. */
  total: number;
  /** False: there are more than `total`, or counting took too long. */
  totalIsExact: boolean;
  nextCursor: string | null;
  previousCursor: string | null;
  /** The search stopped after its time. The page has what it found until then, and `nextCursor` continues. */
  timedOut: boolean;
  /** Changes younger than this may be missing. */
  lagMs: number;
}

const BOUND = 10_000;
/** A search with a condition that no index serves stops after this. */
const SLOW_MS = 2_000;
const COUNT_MS = 250;
/** Tasks that one statement of a slow search looks through. */
const SLOW_STRIDE = 20_000;

const settings = (timeoutMs: number) =>
  opening({ plan_cache_mode: 'force_custom_plan', jit: 'off', statement_timeout: `${timeoutMs}ms` });
const SEARCHING = settings(10_000);
const COUNTING = settings(COUNT_MS);
const READING = opening({ jit: 'off' });

/** Finds tasks in the tables that are written after the commit. @throws TaskerError `bad_request`, `invalid_uuid` */
export async function findTasks(
  database: Database,
  filter: TaskFilter,
  { sort = 'created', order = 'desc', limit = 50, cursor }: TaskPageOptions,
): Promise<TaskPage> {
  const slice = readSlice({ sort, order, limit, cursor });
  const lag = searchLag(database);
  const search = await readTaskFilter(database, filter);
  if (!search) return { ...EMPTY, lagMs: await lag };
  const [found, counted] = await Promise.all([
    search.context !== null ? findSlowly(database, search, slice) : findNow(database, search, slice),
    count(database, search),
  ]);
  const places = slice.backwards ? found.places.reverse() : found.places;
  return {
    tasks: await viewsOf(database, places),
    ...counted,
    ...cursorsOf(slice, places, found),
    timedOut: found.timedOut,
    lagMs: await lag,
  };
}

const EMPTY = { tasks: [], total: 0, totalIsExact: true, nextCursor: null, previousCursor: null, timedOut: false };

interface Slice extends SearchSlice {
  /** Towards the beginning, for the previous page. */
  backwards: boolean;
}

interface Found {
  places: SearchPlace[];
  /** Whether more tasks follow in the direction of the search. */
  more: boolean;
  timedOut: boolean;
  /** Where a search that stopped can continue. */
  reached?: SearchPlace;
}

function readSlice({
  sort,
  order,
  limit,
  cursor,
}: Required<Omit<TaskPageOptions, 'cursor'>> & { cursor: string | undefined }): Slice {
  if (!['created', 'ended', 'updated'].includes(sort!)) {
    throw new TaskerError('bad_request', `sort must be created, ended or updated, got ${sort}`);
  }
  if (order !== 'asc' && order !== 'desc')
    throw new TaskerError('bad_request', `order must be asc or desc, got ${order}`);
  if (!Number.isInteger(limit) || limit! < 1 || limit! > 1000) {
    throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
  }
  const place = cursor === undefined ? undefined : readCursor(cursor);
  if (place && (place.sort !== sort || place.order !== order)) {
    throw new TaskerError(
      'bad_request',
      `the cursor is of a search sorted by ${place.sort}, ${place.order}; use the same sort and order`,
    );
  }
  const backwards = place?.backwards ?? false;
  return { sort: sort!, descending: (order === 'desc') !== backwards, after: place ?? null, limit: limit!, backwards };
}

interface Cursor extends SearchPlace {
  sort: string;
  order: string;
  backwards: boolean;
}

function readCursor(text: string): Cursor {
  try {
    const [sort, order, backwards, at, taskUuid] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [
      string,
      string,
      number,
      string,
      string,
    ];
    if (isUuid(taskUuid) && !Number.isNaN(Date.parse(at)))
      return { sort, order, backwards: backwards === 1, at, taskUuid };
  } catch {
    // Below.
  }
  throw new TaskerError(
    'bad_request',
    'the cursor is not one of a page of tasks; use next_cursor or previous_cursor as it is',
  );
}

function cursorsOf(slice: Slice, places: readonly SearchPlace[], found: Found) {
  const order = slice.descending !== slice.backwards ? 'desc' : 'asc';
  const cursor = (place: SearchPlace | undefined, backwards: 0 | 1) =>
    place
      ? Buffer.from(JSON.stringify([slice.sort, order, backwards, place.at, place.taskUuid])).toString('base64url')
      : null;
  const next = found.timedOut ? (found.reached ?? places.at(-1)) : places.at(-1);
  const hasNext = slice.backwards || found.more || found.timedOut;
  const hasPrevious = slice.backwards ? found.more : slice.after !== null;
  return { nextCursor: hasNext ? cursor(next, 0) : null, previousCursor: hasPrevious ? cursor(places[0], 1) : null };
}

async function findNow(database: Database, search: TaskSearch, slice: SearchSlice): Promise<Found> {
  const wanted = { ...slice, limit: slice.limit + 1 };
  const places = await database.pipeline(SEARCHING, (tx) => searchTasks(tx, search, wanted));
  return { places: places.slice(0, slice.limit), more: places.length > slice.limit, timedOut: false };
}

/** Looks through the tasks that all other conditions leave, some thousands at a time, until the time is up. */
async function findSlowly(database: Database, search: TaskSearch, slice: SearchSlice): Promise<Found> {
  const until = Date.now() + SLOW_MS;
  const places: SearchPlace[] = [];
  let after = slice.after;
  while (Date.now() < until) {
    const stride = { ...slice, after, limit: SLOW_STRIDE };
    const candidates = await database.pipeline(SEARCHING, (tx) =>
      searchTasks(tx, { ...search, context: null }, stride),
    );
    if (candidates.length === 0) return { places, more: false, timedOut: false };
    const among = { ...search, taskUuids: candidates.map((place) => place.taskUuid) };
    const wanted = { ...slice, after, limit: slice.limit + 1 - places.length };
    for (const place of await database.pipeline(SEARCHING, (tx) => searchTasks(tx, among, wanted))) places.push(place);
    if (places.length > slice.limit) return { places: places.slice(0, slice.limit), more: true, timedOut: false };
    if (candidates.length < SLOW_STRIDE) return { places, more: false, timedOut: false };
    after = candidates.at(-1)!;
  }
  return { places, more: true, timedOut: true, ...(after && { reached: after }) };
}

async function count(database: Database, search: TaskSearch): Promise<{ total: number; totalIsExact: boolean }> {
  if (search.context !== null) return { total: 0, totalIsExact: false };
  try {
    const counted = await database.pipeline(COUNTING, (tx) => countTasks(tx, search, BOUND + 1));
    return { total: Math.min(counted, BOUND), totalIsExact: counted <= BOUND };
  } catch (error) {
    if (sqlState(error) === '57014') return { total: 0, totalIsExact: false };
    throw error;
  }
}

async function viewsOf(database: Database, places: readonly SearchPlace[]): Promise<FoundTask[]> {
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
