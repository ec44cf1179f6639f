import type { Database } from '../db/database.ts';
import type { Opening } from '../db/opening.ts';
import type { Db } from '../db/statement.ts';
import { lockFreeTasks } from '../store/tasks.ts';

/** Locks the tasks that no other transaction has locked, and runs `work` for them. Undefined if there are none. */
export function withFreeTasks<T>(
  database: Database,
  { settings, tasks }: { settings: Opening; tasks: readonly string[] },
  work: (tx: Db, free: readonly string[]) => Promise<T>,
): Promise<T | undefined> {
  return database.transaction(settings, async (tx) => {
    const free = await lockFreeTasks(tx, tasks);
    return free.length === 0 ? undefined : work(tx, free);
  });
}
