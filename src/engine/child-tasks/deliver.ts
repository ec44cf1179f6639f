import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import type { Fields } from '../../model/json.ts';
import { childrenAmong, type OpenChild, settleChildren } from '../../store/child-tasks.ts';
import { loadResults } from '../../store/read-steps.ts';
import { getHistory, getTasks } from '../../store/tasks.ts';
import { openWaits } from '../../store/waits/read.ts';
import type { Expanding } from '../operator-actions.ts';
import { MOST_READ, tasksWithOutput } from '../task-output.ts';
import type { Task } from '../task-view.ts';
import type { Snapshot } from '../template-store.ts';
import { ENDING_LIMITS, endLocked } from '../waits/end.ts';
import type { DueRule, EndedWait, OpenWait, WaitEnding } from '../waits/waits.ts';
import { withFreeTasks } from '../with-free-tasks.ts';

/** Maximum number of ends in one transaction. */
export const ENDS_IN_A_TRANSACTION = 100;

/** Number of children whose results are read together. */
const READ_TOGETHER = 5;
/** Results of this size in one transaction are enough. The other children are left for a later call. */
const MOST_BYTES = 32 * 1024 * 1024;

const SETTINGS = opening({ ...ENDING_LIMITS, lock_timeout: '2s' });

/** The error type of a step whose child did not complete. */
const CHILD_FAILED = 'child_failed';

/** The state of a child that no longer exists, in the result of its step. */
const GONE = 'deleted';

/** The outcome of a child task for its step. */
interface ChildOutcome {
  state: string;
  output: unknown;
  error: { type: string; message: string } | null;
}

/**
 * Completes or fails the steps that wait for these children, which have ended. Tasks that other transactions have locked
 * are left for a later call. Returns the ended waits, to be announced, and the children that are settled.
 */
export async function deliverEnds(
  engine: Expanding,
  children: readonly OpenChild[],
): Promise<{ ended: EndedWait[]; settled: string[] }> {
  const tasks = [...new Set(children.flatMap(({ childUuid, parentUuid }) => [childUuid, parentUuid]))];
  const delivered = await withFreeTasks(engine.database, { settings: SETTINGS, tasks }, async (tx, free) => {
    const locked = new Set(free);
    // Read under the lock: a rerun may have started a child again, and an operator may have acted on its parent.
    const now = await childrenAmong(
      tx,
      children.map(({ childUuid }) => childUuid),
    );
    const isLocked = ({ childUuid, parentUuid, gone }: OpenChild) =>
      locked.has(parentUuid) && (gone || locked.has(childUuid));
    const ready = now.filter((child) => isLocked(child) && hasEnded(child) && child.awaited);
    const waits = await openWaits(
      tx,
      ready.map(({ parentUuid: taskUuid, idx }) => ({ taskUuid, idx })),
    );
    const byKey = new Map(waits.map((wait) => [`${wait.taskUuid}/${wait.idx}`, wait]));
    const ends: WaitEnding[] = [];
    const settled: string[] = [];
    for (let i = 0, bytes = 0; i < ready.length && bytes < MOST_BYTES; i += READ_TOGETHER) {
      const some = ready.slice(i, i + READ_TOGETHER);
      const outcomes = await outcomesOf(
        engine,
        tx,
        some.map(({ childUuid }) => childUuid),
      );
      for (const { childUuid, parentUuid, idx } of some) {
        const wait = byKey.get(`${parentUuid}/${idx}`);
        if (!wait) continue;
        const outcome = outcomes.get(childUuid)!;
        bytes += JSON.stringify(outcome.output).length;
        ends.push(endingOf(wait, outcome));
        settled.push(childUuid);
      }
    }
    const ended = await endLocked(engine, tx, ends);
    await settleChildren(tx, settled);
    return { ended: ended.filter((wait) => wait !== undefined), settled };
  });
  return delivered ?? { ended: [], settled: [] };
}

/** Returns whether a child has ended or no longer exists. */
export function hasEnded({ ended, gone }: Pick<OpenChild, 'ended' | 'gone'>): boolean {
  return ended || gone;
}

/** Returns how the wait of a `task` step ends. */
function endingOf(wait: OpenWait, { state, output, error }: ChildOutcome): WaitEnding {
  const { task_uuid: taskUuid, on_failure: onFailure } = wait.settings;
  if (onFailure === 'continue') {
    return { wait, by: 'child', kind: 'completed', result: { task_uuid: taskUuid, state, output, error } };
  }
  if (error) return { wait, by: 'child', kind: 'permanent', error: { message: error.message, error_type: error.type } };
  return { wait, by: 'child', kind: 'completed', result: output };
}

/** Ends the wait of a `task` step at its limit. */
export const endChildWait: DueRule = async (tx, wait, engine) => {
  const child = String(wait.settings.task_uuid);
  const [row] = await getTasks(tx, [child]);
  const message = `child task ${child} (${templateOfWait(wait)}) had not ended by ${wait.until}`;
  const error = { type: 'wait_timeout', message };
  // The child may have ended since, but its end was not delivered yet.
  const outcome = row?.completedAt ? (await outcomesOf(engine, tx, [child])).get(child)! : undefined;
  const ending = endingOf(wait, outcome ?? { state: row?.status ?? GONE, output: null, error });
  return outcome ? ending : { ...ending, by: 'timeout' };
};

function templateOfWait({ settings }: Pick<OpenWait, 'settings'>): string {
  return `${String(settings.namespace)}/${String(settings.name)}`;
}

/** Returns the outcomes of tasks that have ended. */
async function outcomesOf(
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
