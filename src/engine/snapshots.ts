import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import { checkUuid } from '../model/ids.ts';
import { PINNED_PLANS } from '../store/planner.ts';
import { getStepsOfTasks } from '../store/read-steps.ts';
import { getTasks } from '../store/tasks.ts';
import { withOperators } from './by-hand.ts';
import type { Engine } from './engine.ts';
import { type Step, stepView, type Task, taskView } from './task-view.ts';

/** A task with its steps. `watchTask` yields it after each change. */
export interface TaskSnapshot {
  task: Task;
  steps: Step[];
}

const READING = opening(PINNED_PLANS);

/**
 * Reads tasks with their steps, by their ids. Unknown ids are omitted. The steps are read after the tasks, so the steps of
 * an ended task are in their final states.
 */
export async function readSnapshots(
  database: Database,
  taskUuids: readonly string[],
): Promise<Map<string, TaskSnapshot>> {
  const [tasks, rows] = await database.pipeline(READING, (tx) =>
    Promise.all([getTasks(tx, taskUuids), getStepsOfTasks(tx, taskUuids)]),
  );
  const steps = new Map<string, Step[]>(tasks.map(({ taskUuid }) => [taskUuid, []]));
  for (const { taskUuid, ...row } of rows) steps.get(taskUuid)?.push(stepView(taskUuid, row));
  const snapshots = tasks.map(async (row): Promise<[string, TaskSnapshot]> => {
    const known = await withOperators(database, row.taskUuid, steps.get(row.taskUuid)!);
    return [row.taskUuid, { task: taskView(row), steps: known }];
  });
  return new Map(await Promise.all(snapshots));
}

/** Reads a task with its steps. @throws TaskerError `task_not_found`, `invalid_uuid` */
export async function readSnapshot(engine: Engine, given: string): Promise<TaskSnapshot> {
  const uuid = checkUuid(given, 'the task id').toLowerCase();
  const snapshot = (await readSnapshots(engine.database, [uuid])).get(uuid);
  return snapshot ?? { task: await engine.getTask(uuid), steps: [] };
}
