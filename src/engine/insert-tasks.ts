import type { Db } from '../db/statement.ts';
import { createTasks, type NewTask } from '../store/create-tasks.ts';
import { type WatchedTask, watchTasks } from '../store/stale-tasks.ts';

/**
 * Bytes of contexts, as JSON text, that one statement takes. All of them become one jsonb value there, which may be six
 * times as large and has 256 MB at most.
 */
const BYTES_AT_ONCE = 16 * 1024 * 1024;

/** Lists of tasks that one statement can take, in an order in which two callers can't wait for each other. */
export function portionsOf(tasks: readonly NewTask[], bytesAtOnce = BYTES_AT_ONCE): NewTask[][] {
  const portions: NewTask[][] = [];
  let bytes = 0;
  const add = (task: NewTask) => {
    const size = Buffer.byteLength(task.context);
    bytes += size;
    if (portions.length > 0 && bytes <= bytesAtOnce) portions.at(-1)!.push(task);
    else {
      portions.push([task]);
      bytes = size;
    }
  };
  tasks.forEach(add);
  if (portions.length <= 1 || tasks.every((task) => task.identityHash === null)) return portions;
  // A statement inserts its identities in their order; here the statements must follow it too.
  const sorted = [...tasks].sort((a, b) => ((a.identityHash ?? '') < (b.identityHash ?? '') ? -1 : 1));
  portions.length = 0;
  sorted.forEach(add);
  return portions;
}

/** Inserts tasks, one portion after the other. Answers with the ids of those that were new. */
export async function insertPortions(
  tx: Db,
  portions: readonly (readonly NewTask[])[],
  watched: readonly WatchedTask[],
): Promise<Set<string>> {
  const created = new Set<string>();
  for (const tasks of portions) for (const id of await createTasks(tx, tasks)) created.add(id);
  const fresh = watched.filter(({ taskUuid }) => created.has(taskUuid));
  if (fresh.length > 0) await watchTasks(tx, fresh);
  return created;
}
