import { type Database, opening } from '../db/database.ts';
import { lockTasks } from '../store/lock-tasks.ts';
import { dueTasks, promoteRetries } from '../store/promote-retries.ts';
import { buryWorkers, deadWorkers, declareDead, type TakenBackRow, takeBack, tasksOfDead } from '../store/sweep.ts';

const SETTINGS = opening();

/**
 * Takes the steps of workers whose lease is over: retryable ones run again, others stand in `error` for an operator.
 * Any worker may do it, two at once are fine, and one that dies half-way is continued by the next.
 */
export async function sweep(database: Database): Promise<{ dead: number[]; steps: TakenBackRow[] }> {
  const dead = await declareDead(database);
  const all = await deadWorkers(database);
  const steps: TakenBackRow[] = [];
  if (all.length === 0) return { dead, steps };
  for (;;) {
    const tasks = await tasksOfDead(database, all);
    if (tasks.length === 0) break;
    const taken = await database.pipeline(SETTINGS, async (tx) => {
      const [, rows] = await Promise.all([lockTasks(tx, tasks), takeBack(tx, tasks, all)]);
      return rows;
    });
    steps.push(...taken);
  }
  await buryWorkers(database, all);
  return { dead, steps };
}

/** Puts retries that are due into the queue; answers with how many. */
export async function promoteDue(database: Database): Promise<number> {
  let promoted = 0;
  for (;;) {
    const tasks = await dueTasks(database);
    if (tasks.length === 0) return promoted;
    promoted += await database.pipeline(SETTINGS, async (tx) => {
      const [, count] = await Promise.all([lockTasks(tx, tasks), promoteRetries(tx, tasks)]);
      return count;
    });
  }
}
