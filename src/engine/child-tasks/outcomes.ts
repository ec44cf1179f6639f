import type { Db } from '../../db/statement.ts';
import type { Fields } from '../../model/json.ts';
import { loadResults } from '../../store/read-steps.ts';
import { getHistory, getTasks } from '../../store/tasks.ts';
import type { Expanding } from '../operator-actions.ts';
import { MOST_READ, tasksWithOutput } from '../task-output.ts';
import type { Task } from '../task-view.ts';
import type { Snapshot } from '../template-store.ts';

/** The error type of a step whose child did not complete. */
const CHILD_FAILED = 'child_failed';

/** The state of a child that no longer exists, in the result of its step. */
export const GONE = 'deleted';

/** The outcome of a child task for its step. */
export interface ChildOutcome {
  state: string;
  output: unknown;
  error: { type: string; message: string } | null;
}

/** Returns the outcomes of tasks that have ended. */
export async function outcomesOf(
  { templates }: Expanding,
  tx: Db,
  taskUuids: readonly string[],
): Promise<Map<string, ChildOutcome>> {
  const rows = await getTasks(tx, taskUuids);
  const unreadable = await templates.load(
    rows.map(({ templateId }) => templateId),
    tx,
  );
  for (const error of unreadable.values()) throw error;
  const reading = {
    database: tx,
    templates: { load: (ids: Iterable<number>) => templates.load(ids, tx), get: (id: number) => templates.get(id) },
  };
  const tasks = await tasksWithOutput(reading, rows);
  const outcomes = new Map<string, ChildOutcome>();
  for (const [i, task] of tasks.entries()) {
    outcomes.set(task.taskUuid, await outcomeOf(tx, task, templates.get(rows[i]!.templateId)));
  }
  for (const id of taskUuids) {
    if (outcomes.has(id)) continue;
    const error = { type: CHILD_FAILED, message: `child task ${id} no longer exists` };
    outcomes.set(id, { state: GONE, output: null, error });
  }
  return outcomes;
}

async function outcomeOf(tx: Db, task: Task, snapshot: Snapshot): Promise<ChildOutcome> {
  const { taskUuid, namespace, name, status: state } = task;
  const failed = (what: string): ChildOutcome => ({
    state,
    output: null,
    error: { type: CHILD_FAILED, message: `child task ${taskUuid} (${namespace}/${name}) ${what}` },
  });
  if (state === 'cancelled') return failed('was cancelled');
  if (state === 'undone') return failed('was undone');
  if (state === 'error') return failed(`ended in error: ${await reasonOfError(tx, taskUuid)}`);
  if (snapshot.template.output) {
    // A task that was resolved by hand has no output, and its results may have values that the output leaves out.
    if (state !== 'complete') return { state, output: null, error: null };
    return task.outputError === undefined
      ? { state, output: task.output ?? null, error: null }
      : failed(`is complete, but its output could not be computed: ${task.outputError}`);
  }
  const results = await resultsByStep(tx, taskUuid, snapshot);
  return results
    ? { state, output: results, error: null }
    : failed(
        `is complete, but its results are larger than ${MOST_READ / 1024 / 1024} MiB together; add \`output\` to its template, with the parts that are needed`,
      );
}

async function reasonOfError(tx: Db, taskUuid: string): Promise<string> {
  const end = (await getHistory(tx, taskUuid)).findLast(({ what }) => what === 'fail');
  return end?.reason ?? 'unknown reason';
}

/** Returns the results of the steps of a template. Undefined if they are too large. */
async function resultsByStep(
  tx: Db,
  taskUuid: string,
  { graph: { names, types } }: Snapshot,
): Promise<Fields | undefined> {
  const steps = names.flatMap((_, idx) => (types[idx] === 'batch_worker' ? [] : [{ taskUuid, idx }]));
  const rows = await loadResults(tx, steps, MOST_READ);
  if (rows.some(({ withheld }) => withheld)) return undefined;
  return Object.fromEntries(
    rows.flatMap(({ idx, result }) => (result === null ? [] : [[names[idx]!, JSON.parse(result) as unknown]])),
  );
}
