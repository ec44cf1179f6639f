import type { Db } from '../../db/statement.ts';
import { templateIndex } from '../../model/ids.ts';
import { describeViolations } from '../../model/schema-violations.ts';
import { hidesAll, sensitivePaths } from '../../model/sensitive.ts';
import { endedLists, listChildren, reopenChildren } from '../../store/child-tasks.ts';
import { getTasks } from '../../store/tasks.ts';
import type { Expanding } from '../operator-actions.ts';
import { MOST_READ } from '../task-output.ts';
import { nameOf } from '../template-store.ts';
import type { BegunRule, DueRule, OpenWait, WaitEnding } from '../waits/waits.ts';
import { type ChildOutcome, GONE, outcomesOf } from './outcomes.ts';
import { deliveredPaths } from './start.ts';

// The waits for several children that the handler of a step has started.

/** Number of children whose results are read together, for the result of one step. */
const LISTED_TOGETHER = 20;
/** Maximum number of ids in a message. */
const SHOWN = 3;

/** Returns the ends of waits for several children that have all ended. The tasks of the waits are locked. */
export async function endsOfLists(engine: Expanding, tx: Db, waits: readonly OpenWait[]): Promise<WaitEnding[]> {
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

const ENDS: ReadonlySet<string> = new Set(['complete', 'resolved_manually', 'error', 'cancelled', 'undone', GONE]);

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
