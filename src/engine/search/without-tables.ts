import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import { checkUuid } from '../../model/ids.ts';
import { listTasks } from '../../store/tasks.ts';
import { taskView } from '../task-view.ts';
import { cursorsOf, readCursor } from './cursor.ts';
import { checkTaskFilter, type TaskFilter } from './filter.ts';
import type { TaskPage, TaskPageOptions } from './search.ts';

const LISTED: ReadonlySet<string> = new Set(['namespace', 'name', 'status', 'open', 'stale']);

/** Returns the error of a search that needs the search tables when `search.enabled = false`. */
export function searchIsOff(what: string): TaskerError {
  return new TaskerError(
    'bad_request',
    `${what} needs the search tables, which search.enabled = false turns off; without them, lists support only namespace, name, one status, open and stale, newest first`,
  );
}

/**
 * Lists tasks from the live tables, which support only a few conditions and one direction. A page has no errors, and
 * its total is the number of its own items.
 * @throws TaskerError `bad_request` if another condition or order is given
 */
export async function listWithoutTables(
  database: Database,
  filter: TaskFilter,
  { sort = 'created', order = 'desc', limit = 50, cursor, before }: TaskPageOptions,
): Promise<TaskPage> {
  checkTaskFilter(filter);
  const unlisted = Object.entries(filter).find(([key, value]) => value !== undefined && !LISTED.has(key));
  if (unlisted) throw searchIsOff(`the condition ${unlisted[0]}`);
  const states = filter.status === undefined ? [] : [filter.status].flat();
  if (states.length > 1) throw searchIsOff('a list of several states');
  const namespaces = filter.namespace === undefined ? undefined : [filter.namespace].flat();
  if (namespaces && namespaces.length > 1) throw searchIsOff('a list of several namespaces');
  if (sort !== 'created' || order !== 'desc') throw searchIsOff(`the order ${sort}, ${order}`);
  const { after } = readCursor<{ at: string; taskUuid: string }>(cursor, { sort, order });
  const search = {
    before: before === undefined ? (after?.taskUuid ?? null) : checkUuid(before, 'before'),
    namespace: namespaces?.[0] ?? null,
    name: filter.name ?? null,
    states: states[0] === undefined ? null : [states[0]],
    openOnly: filter.open ?? false,
    stale: filter.stale ?? false,
    limit: limit + 1,
  };
  const rows = namespaces?.length === 0 ? [] : await listTasks(database, search);
  const tasks = rows.slice(0, limit).map((row) => ({ ...taskView(row), firstError: null }));
  const places = tasks.map((task) => ({ at: task.createdAt, taskUuid: task.taskUuid }));
  const more = rows.length > limit;
  const facts = { total: tasks.length, totalIsExact: !more && after === null && before === undefined };
  const { nextCursor } = cursorsOf(
    { sort, order, backwards: false, after },
    { places, more, timedOut: false, ...facts },
  );
  return { tasks, ...facts, nextCursor, previousCursor: null, timedOut: false, lagMs: 0 };
}
