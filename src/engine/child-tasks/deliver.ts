import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { templateIndex } from '../../model/ids.ts';
import type { Fields } from '../../model/json.ts';
import { describeViolations } from '../../model/schema-violations.ts';
import { hidesAll, sensitivePaths } from '../../model/sensitive.ts';
import {
  childrenAmong,
  endedLists,
  listChildren,
  type OpenChild,
  reopenChildren,
  settleChildren,
} from '../../store/child-tasks.ts';
import { loadResults } from '../../store/read-steps.ts';
import { getHistory, getTasks } from '../../store/tasks.ts';
import { openWaits } from '../../store/waits/read.ts';
import type { Expanding } from '../operator-actions.ts';
import { MOST_READ, tasksWithOutput } from '../task-output.ts';
import type { Task } from '../task-view.ts';
import { nameOf, type Snapshot } from '../template-store.ts';
import { ENDING_LIMITS, endLocked } from '../waits/end.ts';
import type { BegunRule, DueRule, EndedWait, OpenWait, WaitEnding } from '../waits/waits.ts';
import { withFreeTasks } from '../with-free-tasks.ts';
import { deliveredPaths } from './start.ts';

/** Maximum number of ends in one transaction. */
export const ENDS_IN_A_TRANSACTION = 100;

/** Number of children whose results are read together. */
const READ_TOGETHER = 5;
/** Results of this size in one transaction are enough. The other children are left for a later call. */
const MOST_BYTES = 32 * 1024 * 1024;

const SETTINGS = opening({ ...ENDING_LIMITS, lock_timeout: '2s' });

/** Number of children whose results are read together, for the result of one step. */
const LISTED_TOGETHER = 20;
/** Maximum number of ids in a message. */
const SHOWN = 3;

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
    const single = ready.filter(({ keyed }) => !keyed);
    for (let i = 0, bytes = 0; i < single.length && bytes < MOST_BYTES; i += READ_TOGETHER) {
      const some = single.slice(i, i + READ_TOGETHER);
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
    const keyed = ready.filter((child) => child.keyed);
    for (const { childUuid } of keyed) settled.push(childUuid);
    await settleChildren(tx, settled);
    const lists = new Set(keyed.flatMap(({ parentUuid, idx }) => byKey.get(`${parentUuid}/${idx}`) ?? []));
    for (const end of await endsOfLists(engine, tx, [...lists])) ends.push(end);
    const ended = await endLocked(engine, tx, ends);
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

/** Returns the ends of waits for several children that have all ended. The tasks of the waits are locked. */
async function endsOfLists(engine: Expanding, tx: Db, waits: readonly OpenWait[]): Promise<WaitEnding[]> {
  const lists = waits.filter(({ kind }) => kind === 'tasks');
  const ends: WaitEnding[] = [];
  for (const i of await endedLists(tx, lists)) {
    const wait = lists[i]!;
    const outcomes = await listedOutcomes(engine, tx, idsOf(wait));
    const open = outcomes instanceof Map ? idsOf(wait).filter((id) => !outcomes.has(id)) : [];
    // A child may have been rerun while its step waited for the others.
    if (open.length > 0) await reopenChildren(tx, open);
    else ends.push(await checkedEnd(engine, tx, endOfList(wait, outcomes)));
  }
  return ends;
}

function idsOf({ settings }: Pick<OpenWait, 'settings'>): string[] {
  return settings.task_uuids as string[];
}

/**
 * Returns the outcomes of the children that have ended. If they are too large together to be the result of a step, returns the
 * child that exceeds the limit.
 */
async function listedOutcomes(
  engine: Expanding,
  tx: Db,
  taskUuids: readonly string[],
): Promise<Map<string, ChildOutcome> | string> {
  const ids = [...new Set(taskUuids)];
  const outcomes = new Map<string, ChildOutcome>();
  for (let i = 0, bytes = 0; i < ids.length; i += LISTED_TOGETHER) {
    const some = await outcomesOf(engine, tx, ids.slice(i, i + LISTED_TOGETHER));
    for (const [id, outcome] of some) {
      if (!hasOutcome(outcome)) continue;
      bytes += JSON.stringify(outcome.output).length;
      if (bytes > MOST_READ) return id;
      outcomes.set(id, outcome);
    }
  }
  return outcomes;
}

/** Returns whether a child has ended or no longer exists. */
function hasOutcome({ state }: ChildOutcome): boolean {
  return ENDS.has(state);
}

const ENDS: ReadonlySet<string> = new Set(['complete', 'resolved_manually', 'error', 'cancelled', GONE]);

/** Returns how the wait for several children ends, in the order in which the handler named them. */
function endOfList(wait: OpenWait, outcomes: Map<string, ChildOutcome> | string): WaitEnding {
  const failed = (error: { message: string; error_type: string }): WaitEnding => {
    return { wait, by: 'child', kind: 'permanent', error };
  };
  if (typeof outcomes === 'string') {
    const most = MOST_READ / 1024 / 1024;
    const message = `the results of its child tasks are larger than ${most} MiB together (at task ${outcomes}); add \`output\` to their templates, with the parts that are needed, or wait for fewer`;
    return failed({ message, error_type: 'result_not_storable' });
  }
  const list = idsOf(wait).map((id) => ({ id, ...outcomes.get(id)! }));
  if (wait.settings.on_failure !== 'continue') {
    const first = list.find(({ error }) => error !== null)?.error;
    if (first) return failed({ message: first.message, error_type: first.type });
  }
  const results = list.map(({ id, state, output, error }) =>
    wait.settings.on_failure === 'continue' ? { task_uuid: id, state, output, error } : output,
  );
  // Lists that handlers return are stored in the same form.
  return { wait, by: 'child', kind: 'completed', result: { result: results } };
}

/** Returns the end, or a failure if the result does not match the `result_schema` of the step. */
async function checkedEnd({ templates }: Expanding, tx: Db, end: WaitEnding): Promise<WaitEnding> {
  const { wait, result } = end;
  if (end.kind !== 'completed') return end;
  const unreadable = await templates.load([wait.templateId], tx);
  for (const error of unreadable.values()) throw error;
  const { template, checkResult } = templates.get(wait.templateId);
  const idx = templateIndex(wait.idx);
  const found = checkResult[idx]?.(JSON.parse(JSON.stringify(result))) ?? [];
  if (found.length === 0) return end;
  const message = `step ${template.steps[idx]!.name}: the result does not match the template's result_schema: ${describeViolations(found)}`;
  return { wait, by: end.by, kind: 'permanent', error: { message, error_type: 'validation_error' } };
}

/** Begins the wait for children that the handler of the step has started. */
export const beginListWait: BegunRule = async (tx, wait, engine) => {
  const ids = idsOf(wait);
  const listed = await listChildren(tx, wait, ids);
  const known = new Set(listed.map(({ childUuid }) => childUuid));
  const unknown = [...new Set(ids)].filter((id) => !known.has(id));
  const refused = (message: string, type: string): WaitEnding => {
    return { wait, by: 'child', kind: 'permanent', error: { message, error_type: type } };
  };
  if (unknown.length > 0) {
    const more = unknown.length > SHOWN ? ` and ${unknown.length - SHOWN} more` : '';
    return refused(
      `untilTasksEnd: this run of the step has not started ${unknown.slice(0, SHOWN).join(', ')}${more}; start each task with context.startTask in the same run, and a task of an earlier run again`,
      'wait_refused',
    );
  }
  const bare = await undeclared(
    engine,
    tx,
    wait,
    listed.flatMap(({ templateId }) => templateId ?? []),
  );
  if (bare) return refused(bare, 'sensitive_undeclared');
  if (listed.some((child) => !child.ended)) return undefined;
  const [end] = await endsOfLists(engine, tx, [wait]);
  return end;
};

/** Returns why a step must not have the outputs of children with these templates as its result: sensitive values would be readable. */
async function undeclared(
  { templates }: Expanding,
  tx: Db,
  { templateId, idx, settings }: OpenWait,
  ofChildren: readonly number[],
): Promise<string | undefined> {
  const ids = [...new Set(ofChildren)];
  const unreadable = await templates.load([templateId, ...ids], tx);
  for (const error of unreadable.values()) throw error;
  const { name, sensitive } = templates.get(templateId).template.steps[templateIndex(idx)]!;
  const own = sensitivePaths(sensitive);
  for (const id of ids) {
    const { template, sensitive: ofChild } = templates.get(id);
    const paths = deliveredPaths(template, ofChild).map((path) => [
      'result',
      '*',
      ...(settings.on_failure === 'continue' ? ['output', ...path] : path),
    ]);
    const open = paths.filter((path) => !hidesAll(own, path)).map((path) => path.join('.'));
    if (open.length === 0) continue;
    const list = open.join(', ');
    return `the result of step ${name} would show sensitive values of ${nameOf(template)}: ${list}; add \`sensitive: [${list}]\` to the step`;
  }
  return undefined;
}

/** Ends the wait for several children at its limit. */
export const endListWait: DueRule = async (tx, wait, engine) => {
  const outcomes = await listedOutcomes(engine, tx, idsOf(wait));
  if (typeof outcomes === 'string') return endOfList(wait, outcomes);
  const open = [...new Set(idsOf(wait))].filter((id) => !outcomes.has(id));
  if (open.length === 0) return checkedEnd(engine, tx, endOfList(wait, outcomes));
  const states = new Map((await getTasks(tx, open)).map(({ taskUuid, status }) => [taskUuid, status]));
  for (const id of open) {
    const message = `child task ${id} had not ended by ${wait.until}`;
    outcomes.set(id, { state: states.get(id) ?? GONE, output: null, error: { type: 'wait_timeout', message } });
  }
  if (wait.settings.on_failure === 'continue') {
    return checkedEnd(engine, tx, { ...endOfList(wait, outcomes), by: 'timeout' });
  }
  const total = idsOf(wait).length;
  const message = `${open.length} of its ${total} child tasks had not ended by ${wait.until}: ${open.slice(0, SHOWN).join(', ')}`;
  return { wait, by: 'timeout', kind: 'permanent', error: { message, error_type: 'wait_timeout' } };
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
