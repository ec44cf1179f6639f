import type { Database } from '../../db/database.ts';
import type { Db } from '../../db/statement.ts';
import { selectRedrives } from '../../store/bulk/select-items.ts';
import { type DeadLetterSearch, tasksOfDeadLetters } from '../../store/dead-letters/list.ts';
import { FIRST_TASK } from '../../store/queue.ts';
import type { TaskSearch } from '../../store/search/conditions.ts';
import { CONDITION_KEYS, type DeadLetterConditions, readConditions, templatesOf } from '../dead-letters/filter.ts';
import { clockFor } from '../search/clock.ts';
import { readTaskFilter, type TaskFilter } from '../search/filter.ts';
import { pagesOf } from './pages.ts';

/** The dead letters to redrive: conditions on the entries, and on their tasks. */
export interface RedriveFilter extends DeadLetterConditions, TaskFilter {
  /** Selects all open entries. Without it, a filter needs at least one condition. */
  all?: boolean | undefined;
}

/** A checked filter. */
export interface RedriveSearch {
  entries: DeadLetterSearch;
  /** Undefined if all conditions can be checked on the entries alone. */
  tasks: TaskSearch | undefined;
}

/** The conditions on tasks that also exist for entries. */
const OF_ENTRIES: readonly string[] = ['namespace', 'name', 'templateVersion', 'all', ...CONDITION_KEYS];
/** Entries of one page. */
const PAGE = 5_000;

/** Reads a filter. Undefined if nothing can match. @throws TaskerError `bad_request`, `invalid_uuid` */
export async function readRedriveFilter(database: Database, filter: RedriveFilter): Promise<RedriveSearch | undefined> {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  const ofTasks = given.filter(([key]) => !OF_ENTRIES.includes(key));
  const { namespace, name, templateVersion } = filter;
  const templateIds = await templatesOf(database, filter);
  const now = await clockFor(database, filter.addedAfter, filter.addedBefore);
  const entries = { status: 'pending', ...readConditions(filter, now), templateIds, taskUuid: null } as const;
  if (templateIds?.length === 0) return undefined;
  if (ofTasks.length === 0) return { entries, tasks: undefined };
  const tasks = await readTaskFilter(database, { namespace, name, templateVersion, ...Object.fromEntries(ofTasks) });
  return tasks && { entries, tasks };
}

/** Selects the tasks of open entries as items of a bulk action. */
export async function selectFoundRedrives(tx: Db, id: number, { entries, tasks }: RedriveSearch): Promise<void> {
  let after: string | null = FIRST_TASK;
  while (after !== null) {
    const page: string[] = await tasksOfDeadLetters(tx, entries, { after, limit: PAGE });
    after = page.length < PAGE ? null : page.at(-1)!;
    if (!tasks) {
      if (page.length > 0) await selectRedrives(tx, id, page);
      continue;
    }
    const taskUuids = tasks.taskUuids ? page.filter((taskUuid) => tasks.taskUuids!.includes(taskUuid)) : page;
    if (taskUuids.length === 0) continue;
    for await (const found of pagesOf(tx, { ...tasks, taskUuids })) await selectRedrives(tx, id, found);
  }
}
