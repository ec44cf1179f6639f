import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import { checkUuid } from '../model/ids.ts';
import { PINNED_PLANS } from '../store/planner.ts';
import { getStepsOfTasks } from '../store/read-steps.ts';
import { getHistory, getTasks } from '../store/tasks.ts';
import { withLabels } from './for-each/labels.ts';
import { tasksWithOutput } from './task-output.ts';
import { type HistoryEntry, historyView, type Step, stepView, type Task } from './task-view.ts';

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
export async function readTasksWithSteps(
  on: Parameters<typeof tasksWithOutput>[0] & { readonly database: Database },
  taskUuids: readonly string[],
): Promise<Map<string, TaskSnapshot>> {
  const { database } = on;
  const [taskRows, rows] = await database.pipeline(READING, (tx) =>
    Promise.all([getTasks(tx, taskUuids), getStepsOfTasks(tx, taskUuids)]),
  );
  const tasks = await tasksWithOutput(on, taskRows);
  const steps = new Map<string, Step[]>(tasks.map(({ taskUuid }) => [taskUuid, []]));
  for (const { taskUuid, ...row } of rows) steps.get(taskUuid)?.push(stepView(taskUuid, row));
  const snapshots = tasks.map(async (task): Promise<[string, TaskSnapshot]> => {
    const known = await withDetails(database, task.taskUuid, steps.get(task.taskUuid)!);
    return [task.taskUuid, { task, steps: known }];
  });
  return new Map(await Promise.all(snapshots));
}

/** Reads a task with its steps. @throws TaskerError `task_not_found`, `invalid_uuid` */
export async function readTaskWithSteps(
  engine: Parameters<typeof readTasksWithSteps>[0] & { getTask(taskUuid: string): Promise<Task> },
  given: string,
): Promise<TaskSnapshot> {
  const uuid = checkUuid(given, 'the task id').toLowerCase();
  const snapshot = (await readTasksWithSteps(engine, [uuid])).get(uuid);
  return snapshot ?? { task: await engine.getTask(uuid), steps: [] };
}

/** Returns whether an operator may have completed a step. Only the history shows whether one did. */
function mayBeByHand({ currentState, completedAt, results }: Step): boolean {
  if (currentState !== 'complete' || !results?.success) return false;
  return results.metadata.worker_id === null || results.metadata.completed_at !== completedAt;
}

/** Adds to steps of a task: the labels of their elements, and who completed or corrected them by hand. */
export async function withDetails(database: Database, taskUuid: string, steps: Step[]): Promise<Step[]> {
  return withLabels(database, taskUuid, await withOperators(database, taskUuid, steps));
}

/** Adds the operator, the reason and the metadata to the results of steps that an operator completed or corrected. */
async function withOperators(database: Database, taskUuid: string, steps: Step[]): Promise<Step[]> {
  if (!steps.some(mayBeByHand)) return steps;
  const last = new Map<string, HistoryEntry>();
  for (const entry of (await getHistory(database, taskUuid)).map(historyView)) {
    if (entry.step !== null) last.set(entry.step, entry);
  }
  return steps.map((step) => {
    const act = last.get(step.name);
    if (!mayBeByHand(step) || act?.kind !== 'operator' || act.what !== 'complete') return step;
    const results = step.results!;
    const by = { manually_completed: true, completed_by: act.who, completion_reason: act.why };
    const custom = { ...act.metadata, ...by };
    return { ...step, results: { ...results, metadata: { ...results.metadata, custom } } };
  });
}
