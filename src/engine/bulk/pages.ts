import type { Db } from '../../db/statement.ts';
import type { TaskSearch } from '../../store/search/conditions.ts';
import { stretchOfTasks } from '../../store/search/search-tasks.ts';
import type { SearchPlace } from '../../store/search/task-source.ts';

/** Maximum number of tasks that one statement selects. */
const PAGE = 10_000;
/** Maximum number of index entries that one statement reads. */
const LOOKED_AT = 20_000;

/** Yields the found tasks in pages. */
export async function* pagesOf(tx: Db, search: TaskSearch): AsyncGenerator<string[]> {
  let after: SearchPlace | null = null;
  for (;;) {
    const slice = { sort: 'created', descending: false, after, limit: PAGE } as const;
    const found: { places: SearchPlace[]; reached: SearchPlace | undefined } = await stretchOfTasks(tx, search, {
      slice,
      among: LOOKED_AT,
    });
    if (found.places.length > 0) yield found.places.map((place) => place.taskUuid);
    const next = found.places.length === PAGE ? found.places.at(-1) : found.reached;
    if (!next) return;
    after = next;
  }
}
